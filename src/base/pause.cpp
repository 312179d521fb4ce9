#include "base/pause.h"

#include <condition_variable>
#include <mutex>

namespace belljar {

bool pause_unless_stopped(const std::stop_token& stop, Nanoseconds length) {
  std::mutex mutex;
  std::condition_variable_any woken;
  std::unique_lock lock(mutex);
  return !woken.wait_for(lock, stop, length, [&stop] { return stop.stop_requested(); });
}

}  // namespace belljar
