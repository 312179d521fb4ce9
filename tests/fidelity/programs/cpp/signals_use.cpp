#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <iostream>

int main() {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGHUP);
  sigaddset(&wanted, SIGINT);
  sigprocmask(SIG_BLOCK, &wanted, nullptr);
  const int signals = signalfd(-1, &wanted, SFD_CLOEXEC);
  for (const int number : {SIGHUP, SIGINT}) {
    kill(getpid(), number);
    signalfd_siginfo info{};
    if (read(signals, &info, sizeof info) != sizeof info) return 1;
    std::cout << "caught SIG" << sigabbrev_np(static_cast<int>(info.ssi_signo)) << '\n';
  }
  const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  const itimerspec soon{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = 10'000'000}};
  timerfd_settime(timer, 0, &soon, nullptr);
  std::uint64_t times = 0;
  if (read(timer, &times, sizeof times) != sizeof times) return 2;
  std::cout << "the timer fired" << std::endl;
  const pid_t child = fork();
  if (child == 0) {
    for (;;) pause();
  }
  kill(child, SIGTERM);
  int status = 0;
  waitpid(child, &status, 0);
  std::cout << "a child without a handler ended by signal " << WTERMSIG(status) << '\n';
}
