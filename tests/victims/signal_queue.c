// Queues real-time signals to itself and arms timers until it is refused (T027).
#include "attempt.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

int main(int count, char** words) {
  int most = count > 1 ? atoi(words[1]) : 1000000, made = 0;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &set, NULL);
  union sigval value = {.sival_int = 1};
  long result = 0;
  while (made < most && (result = sigqueue(getpid(), SIGRTMIN, value)) == 0) ++made;
  attempt("sigqueue", result);
  timer_t timer;
  for (made = 0; made < most && result == 0; ++made)
    result = timer_create(CLOCK_MONOTONIC, NULL, &timer);
  if (result == -1) result = timer_create(CLOCK_MONOTONIC, NULL, &timer);
  attempt("timer", result);
  return 0;
}
