// Interruption: Ctrl-C and its kin as readable events instead of sudden death, so that a run ends
// as cancelled and its cell is taken down.
#pragma once

#include <csignal>

#include "base/fd.h"
#include "base/result.h"

namespace belljar::app {

// While it lives, SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGWINCH come through fd(); those that
// nobody has read by its end are forgotten. To be made after the warden has answered: a child
// inherits the blocked signals, and nobody reads them while a warden is waited for.
class Interruption {
 public:
  static Result<Interruption> catch_signals();

  Interruption(Interruption&& other) noexcept;
  Interruption& operator=(Interruption&&) = delete;
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  ~Interruption();

  [[nodiscard]] int fd() const { return fd_.get(); }
  // Cancels the run from our own side, for a reader of the output that went away.
  static void cancel();

 private:
  Interruption(Fd fd, const sigset_t& before) : fd_(std::move(fd)), before_(before) {}
  Fd fd_;
  sigset_t before_;
};

}  // namespace belljar::app
