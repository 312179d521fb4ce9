// Spends its time in exec and exit: COUNT short programs by vfork (T121).
#include "attempt.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

int main(int count, char** words) {
  int wanted = count > 1 ? atoi(words[1]) : 300, made = 0;
  for (; made < wanted; ++made) {
    pid_t child = vfork();
    if (child == 0) {
      execl("/bin/true", "true", NULL);
      _exit(99);
    }
    if (child < 0 || waitpid(child, NULL, 0) != child) break;
  }
  attempt("programs", made == wanted ? 0 : -1);
  struct rusage used;
  getrusage(RUSAGE_CHILDREN, &used);
  say("burnt in programs: %.1f", (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 +
                                     (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3);
  return 0;
}
