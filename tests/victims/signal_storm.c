// Storms every process it can name, init first, with real-time signals (T091).
#include <signal.h>
#include <unistd.h>

static void ignore(int number) {
  (void)number;
}

int main(void) {
  for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) signal(number, ignore);
  signal(SIGCHLD, ignore);
  for (int i = 0; i < 8; ++i) {
    if (fork() == 0) break;
  }
  union sigval value = {.sival_int = 1};
  while (1) {
    for (pid_t pid = 1; pid < 16; ++pid) {
      sigqueue(pid, SIGRTMIN + pid % 30, value);
      kill(pid, SIGCHLD);
    }
  }
}
