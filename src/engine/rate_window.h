// RateWindow: how often each caller may do something within a sliding time, exactly.
//
// Runs in: gateway. Not thread-safe; its owner locks.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <string>

#include "base/units.h"

namespace belljar::engine {

class RateWindow {
 public:
  explicit RateWindow(Nanoseconds period) : period_(period) {}

  // Counts `count` if `caller` then has at most `limit` within the period before `now`, and answers
  // zero; otherwise counts nothing and answers how long until that is allowed. A limit of zero
  // allows everything and counts nothing. More than the limit at once is never allowed: the answer
  // is then a period. `elsewhere` were taken at other places within the period, at times that are
  // not known here: where those alone are too many the answer is a second.
  Nanoseconds take(const std::string& caller,
                   std::size_t limit,
                   Nanoseconds now,
                   std::size_t count = 1,
                   std::size_t elsewhere = 0);

  // How many callers are remembered; those whose last take is older than the period are forgotten.
  [[nodiscard]] std::size_t size() const { return taken_.size(); }

 private:
  void forget(Nanoseconds now);

  Nanoseconds period_;
  std::map<std::string, std::deque<Nanoseconds>> taken_;
  Nanoseconds next_forget_{};
};

}  // namespace belljar::engine
