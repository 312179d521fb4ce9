// Steps: how the set-up of a cell says what failed. Runs in the cell's first processes; no heap.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "cell/enter.h"

namespace belljar::cell {

// Reports the first failure and ends this process; pid 1's end takes the whole cell along.
class Steps {
 public:
  explicit Steps(int report) : report_(report) {}
  void done(EnterStep step, bool ok) const {
    if (ok) [[likely]]
      return;
    const EnterReport report{.kind = EnterReport::Kind::kFailed, .step = step, .error = errno};
    ::send(report_, &report, sizeof report, MSG_NOSIGNAL);
    ::_exit(125);
  }

 private:
  int report_;
};

}  // namespace belljar::cell
