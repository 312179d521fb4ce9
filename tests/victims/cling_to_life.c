// Undoes what would end it: clears its death signal, ignores all others, leaves its session (T080).
#include "attempt.h"

#include <signal.h>
#include <sys/prctl.h>

int main(void) {
  if (fork() == 0) {
    setsid();
    if (fork() != 0) _exit(0);
  }
  prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  for (int number = 1; number <= 64; ++number) signal(number, SIG_IGN);
  while (1) pause();
}
