// Catches SIGXCPU and goes on, and hands over to a fresh child again and again (T127).
#include <signal.h>
#include <time.h>
#include <unistd.h>

static void go_on(int number) {
  (void)number;
}

int main(void) {
  signal(SIGXCPU, go_on);
  while (1) {
    struct timespec start, now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    do {
      clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    } while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < 40);
    if (fork() == 0)
      signal(SIGXCPU, go_on);
    else
      while (1) pause();
  }
}
