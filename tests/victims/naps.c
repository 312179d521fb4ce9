// Works for less than a tick at a time and naps where the tick would fall (T120).
#include "attempt.h"

#include <stdlib.h>
#include <time.h>

static double now_ms(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int main(int count, char** words) {
  double wanted = count > 1 ? atof(words[1]) : 300;
  while (now_ms(CLOCK_PROCESS_CPUTIME_ID) < wanted) {
    double start = now_ms(CLOCK_MONOTONIC);
    while (now_ms(CLOCK_MONOTONIC) - start < 3.4) {
    }
    clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = 600000}, NULL);
  }
  say("burnt between naps: %.1f", now_ms(CLOCK_PROCESS_CPUTIME_ID));
  return 0;
}
