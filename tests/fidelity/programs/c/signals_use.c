#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t last;

static void note(int number) { last = number; }

int main(void) {
  sigset_t alarms, before;
  const struct sigaction action = {.sa_handler = note};
  sigaction(SIGHUP, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGALRM, &action, NULL);
  raise(SIGHUP);
  if (last == SIGHUP) printf("caught SIGHUP\n");
  kill(getpid(), SIGINT);
  if (last == SIGINT) printf("caught SIGINT\n");
  sigemptyset(&alarms);
  sigaddset(&alarms, SIGALRM);
  sigprocmask(SIG_BLOCK, &alarms, &before);
  const struct itimerval soon = {.it_value = {.tv_usec = 10000}};
  setitimer(ITIMER_REAL, &soon, NULL);
  while (last != SIGALRM) sigsuspend(&before);
  printf("the timer fired\n");
  fflush(stdout);
  int status;
  const pid_t child = fork();
  if (child == 0) {
    for (;;) pause();
  }
  kill(child, SIGTERM);
  waitpid(child, &status, 0);
  printf("a child without a handler ended by signal %d\n", WTERMSIG(status));
}
