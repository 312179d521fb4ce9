// Sets clocks, and looks whether its clocks were set for it (T126).
#include "attempt.h"

#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

int main(void) {
  struct timespec then = {1, 0};
  attempt("clock_settime", clock_settime(CLOCK_REALTIME, &then));
  attempt("settimeofday", settimeofday(&(struct timeval){1, 0}, NULL));
  struct timex change = {.modes = ADJ_FREQUENCY};
  attempt("adjtimex", adjtimex(&change));
  struct timespec monotonic, boot;
  clock_gettime(CLOCK_MONOTONIC, &monotonic);
  clock_gettime(CLOCK_BOOTTIME, &boot);
  say("attempt clocks that tell the host's uptime: %s",
      monotonic.tv_sec > 60 || boot.tv_sec > 60 ? "ok" : "no");
  return 0;
}
