// Forks for ever and goes on when fork fails; with COUNT, makes COUNT children and stops (T004).
#include "attempt.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

int main(int count, char** words) {
  if (count < 2) {
    while (1) fork();
  }
  int wanted = atoi(words[1]), made = 0;
  pid_t children[4096];
  while (made < wanted) {
    pid_t child = fork();
    if (child == 0) {
      while (1) pause();
    }
    if (child < 0) break;
    children[made++] = child;
  }
  attempt("fork", made < wanted ? -1 : 0);
  say("made: %d", made);
  for (int i = 0; i < made; ++i) kill(children[i], SIGKILL);
  while (wait(NULL) > 0) {
  }
  return 0;
}
