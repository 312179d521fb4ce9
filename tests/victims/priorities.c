// Asks for more of the processor than others get (T032).
#include "attempt.h"

#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>

struct attributes {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
  uint32_t clamp_min, clamp_max;
};

int main(void) {
  struct sched_param real_time = {.sched_priority = 50};
  attempt("SCHED_FIFO", sched_setscheduler(0, SCHED_FIFO, &real_time));
  attempt("SCHED_RR", sched_setscheduler(0, SCHED_RR, &real_time));
  attempt("nice", setpriority(PRIO_PROCESS, 0, -20));
  attempt("ioprio", syscall(SYS_ioprio_set, 1, 0, 1 << 13));
  struct attributes deadline = {.size = sizeof deadline,
                                .policy = 6,
                                .runtime = 5000000,
                                .deadline = 10000000,
                                .period = 10000000};
  attempt("SCHED_DEADLINE", syscall(SYS_sched_setattr, 0, &deadline, 0));
  attempt("RLIMIT_RTPRIO", setrlimit(RLIMIT_RTPRIO, &(struct rlimit){99, 99}));
  attempt("RLIMIT_NICE", setrlimit(RLIMIT_NICE, &(struct rlimit){40, 40}));
  return 0;
}
