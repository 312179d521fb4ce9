// Heartbeat: when to say again what one says of oneself: every so often, and soon after somebody
// asked who is there. Soon and not at once: JetStream answers wherever a worker wants it to, and
// many answers are one call.
//
// hear() may be called from any thread, is_due() from one.
#pragma once

#include <atomic>

#include "base/units.h"
#include "fleet/connection.h"

namespace belljar::fleet {

// Where it is asked, with an empty message.
inline constexpr const char* kRollCall = "belljar.call";

class Heartbeat {
 public:
  explicit Heartbeat(Milliseconds every) : every_(every) {}

  void hear(const Message& message) {
    if (message.data.empty() && message.status == 0) called_ = true;
  }
  // Whoever is told so says it.
  bool is_due(Nanoseconds now) {
    if (!called_.exchange(false) && now - said_ < every_) return false;
    said_ = now;
    return true;
  }

 private:
  const Milliseconds every_;
  std::atomic<bool> called_ = false;
  Nanoseconds said_{};
};

}  // namespace belljar::fleet
