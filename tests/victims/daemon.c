// Leaves a daemon: forked twice, in a session of its own, deaf to signals, without streams (T076).
#include "attempt.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

int main(void) {
  int ready[2];
  if (pipe(ready) != 0) return 1;
  if (fork() == 0) {
    setsid();
    if (fork() != 0) _exit(0);
    for (int number = 1; number <= 64; ++number) signal(number, SIG_IGN);
    char byte = 1;
    if (write(ready[1], &byte, 1) != 1) _exit(1);
    close_range(0, ~0U, 0);
    while (1) pause();
  }
  char byte;
  wait(NULL);
  attempt("daemon", read(ready[0], &byte, 1) == 1 ? 0 : -1);
  return 0;
}
