#include "app/interruption.h"

#include <sys/signalfd.h>
#include <unistd.h>

namespace belljar::app {

Result<Interruption> Interruption::catch_signals() {
  sigset_t wanted;
  sigset_t before;
  sigemptyset(&wanted);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH}) sigaddset(&wanted, signal);
  if (sigprocmask(SIG_BLOCK, &wanted, &before) != 0) return fail_errno("sigprocmask");
  Fd fd = Fd::adopt(signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return fail_errno("signalfd");
  return Interruption(std::move(fd), before);
}

Interruption::Interruption(Interruption&& other) noexcept
    : fd_(std::move(other.fd_)), before_(other.before_) {}

Interruption::~Interruption() {
  if (!fd_.valid()) return;
  signalfd_siginfo unread;
  while (read(fd_.get(), &unread, sizeof unread) > 0) {
  }
  sigprocmask(SIG_SETMASK, &before_, nullptr);
}

void Interruption::cancel() {
  kill(getpid(), SIGTERM);
}

}  // namespace belljar::app
