// Burns MS milliseconds where wait4 does not see it: unreaped, ignored, daemon or orphan (T119).
#include "attempt.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static double burn(double wanted) {
  struct timespec now;
  do {
    for (volatile int i = 0; i < 20000; ++i) {
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  } while ((double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6 < wanted);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

// The worker says over a pipe that it is done, so that the main process need not wait for it.
static void work(int done, double wanted) {
  double spent = burn(wanted);
  if (write(done, &spent, sizeof spent) != (ssize_t)sizeof spent) _exit(1);
  while (1) pause();
}

int main(int count, char** words) {
  if (count < 3) return 2;
  double wanted = atof(words[2]), spent = 0;
  int ends[2], ignored = strcmp(words[1], "ignored") == 0;
  if (pipe(ends) != 0) return 1;
  if (ignored) signal(SIGCHLD, SIG_IGN);
  pid_t child = fork();
  if (child == 0) {
    if (strcmp(words[1], "daemon") == 0) {
      setsid();
      if (fork() != 0) _exit(0);
    } else if (strcmp(words[1], "orphan") == 0) {
      if (fork() != 0) _exit(0);
    } else if (ignored) {
      spent = burn(wanted);
      _exit(write(ends[1], &spent, sizeof spent) != (ssize_t)sizeof spent);
    }
    work(ends[1], wanted);
  }
  if (read(ends[0], &spent, sizeof spent) != (ssize_t)sizeof spent) return 1;
  if (ignored) wait(NULL);
  say("burnt %s: %.1f", words[1], spent);
  struct rusage seen;
  getrusage(RUSAGE_CHILDREN, &seen);
  say("attempt wait4 sees: %s",
      seen.ru_utime.tv_sec * 1000 + seen.ru_utime.tv_usec / 1000 > wanted / 2 ? "ok" : "nothing");
  return 0;
}
