// Signals everybody: all processes, init with every signal, each pid that may be there (T073).
#include "attempt.h"

#include <signal.h>
#include <sys/wait.h>

int main(int count, char** words) {
  pid_t child = fork();
  if (child == 0) {
    while (1) pause();
  }
  int delivered = 0;
  for (int number = 1; number <= 64; ++number) delivered += kill(1, number) == 0;
  say("signals sent to init: %s", delivered ? "some" : "none");
  pid_t self = getpid();
  union sigval value = {.sival_int = 0};
  int reached = 0;
  for (pid_t pid = 2; pid < 1 << 22; ++pid) {
    if (pid != self && pid != child) reached += sigqueue(pid, SIGKILL, value) == 0;
  }
  say("attempt other processes: %s", reached ? "ok" : "ESRCH");
  attempt("kill -1", kill(-1, SIGKILL));
  int status = 0;
  waitpid(child, &status, 0);
  // That the child died shows that signals work at all.
  say("attempt own child: %s",
      WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? "killed" : "ok");
  (void)count;
  (void)words;
  return 7;
}
