// Burns processor time in THREADS threads, for MS milliseconds each or for ever (T001, T003).
#include "attempt.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static double limit_ms;

static double thread_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void* burn(void* unused) {
  while (limit_ms == 0 || thread_ms() < limit_ms) {
    for (volatile int i = 0; i < 20000; ++i) {
    }
  }
  return unused;
}

int main(int count, char** words) {
  int threads = count > 1 ? atoi(words[1]) : 1;
  limit_ms = count > 2 ? atof(words[2]) : 0;
  pthread_t others[64];
  for (int i = 1; i < threads; ++i) {
    if (pthread_create(&others[i], NULL, burn, NULL) != 0) return 1;
  }
  burn(NULL);
  say("burnt one thread: %.1f", thread_ms());
  for (int i = 1; i < threads; ++i) pthread_join(others[i], NULL);
  return 0;
}
