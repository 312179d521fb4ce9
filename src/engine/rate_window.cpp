#include "engine/rate_window.h"

#include <algorithm>

namespace belljar::engine {

Nanoseconds RateWindow::take(const std::string& caller,
                             std::size_t limit,
                             Nanoseconds now,
                             std::size_t count,
                             std::size_t elsewhere) {
  if (limit == 0 || count == 0) return {};
  if (count > limit) return period_;
  if (now >= next_forget_) forget(now);
  std::deque<Nanoseconds>& times = taken_[caller];
  while (!times.empty() && times.front() + period_ <= now) times.pop_front();
  if (times.size() + elsewhere + count > limit) {
    const std::size_t over = times.size() + elsewhere + count - limit;
    return over > times.size() ? std::min<Nanoseconds>(period_, std::chrono::seconds(1))
                               : times[over - 1] + period_ - now;
  }
  times.insert(times.end(), count, now);
  return {};
}

// Addresses are cheap to an attacker: what is over is not kept.
void RateWindow::forget(Nanoseconds now) {
  std::erase_if(taken_, [this, now](const auto& entry) {
    return entry.second.empty() || entry.second.back() + period_ <= now;
  });
  next_forget_ = now + period_;
}

}  // namespace belljar::engine
