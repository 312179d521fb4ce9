// Metrics: counters and histograms in Prometheus' text format. Of our own because the client
// library of Debian 12 comes only as a shared object, and this program is one static file.
//
// Every member may be called from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "model/outcome.h"

namespace belljar::api {

class Metrics {
 public:
  // Labels as they stand between the braces: `route="/v1/runs",status="200"`. Their values come
  // from fixed sets, so that nobody outside decides how many series there are.
  void count(std::string_view name, std::string_view labels, std::uint64_t by = 1);
  void observe(std::string_view name, std::string_view labels, Nanoseconds value);
  void outcome(const Outcome& outcome);

  struct Gauge {
    std::string_view name;  // those of one name stand together
    double value;
    std::string labels{};
  };
  // The whole page: what was counted, and `gauges` as they are now.
  [[nodiscard]] std::string text(const std::vector<Gauge>& gauges) const;

 private:
  // Upper bounds in milliseconds.
  static constexpr std::array kBounds{1.0,   2.0,   5.0,    10.0,   20.0,   50.0,    100.0,
                                      200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0, 60000.0};
  struct Histogram {
    std::array<std::uint64_t, kBounds.size()> counts{};  // not cumulative
    std::uint64_t count = 0;
    double sum = 0;
  };
  mutable std::mutex mutex_;
  std::map<std::string, std::map<std::string, std::uint64_t>> counters_;
  std::map<std::string, std::map<std::string, Histogram>> histograms_;
};

}  // namespace belljar::api
