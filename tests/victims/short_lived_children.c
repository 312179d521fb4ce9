// Makes COUNT children one after the other, each shorter than a tick of the clock (T007).
#include "attempt.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

static double ms(struct timeval time) {
  return (double)time.tv_sec * 1e3 + (double)time.tv_usec / 1e3;
}

int main(int count, char** words) {
  int wanted = count > 1 ? atoi(words[1]) : 1000, made = 0;
  for (; made < wanted; ++made) {
    pid_t child = fork();
    if (child == 0) _exit(0);
    if (child < 0 || waitpid(child, NULL, 0) != child) break;
  }
  attempt("children", made == wanted ? 0 : -1);
  struct rusage self, children;
  getrusage(RUSAGE_SELF, &self);
  getrusage(RUSAGE_CHILDREN, &children);
  say("burnt in all: %.1f",
      ms(self.ru_utime) + ms(self.ru_stime) + ms(children.ru_utime) + ms(children.ru_stime));
  return 0;
}
