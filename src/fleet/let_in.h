// LetIn: how many requests of each caller the gateways of a fleet have let in within the last
// minute: those of this one exactly to a second, those of the others as they told last.
//
// Every member may be called from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "base/units.h"

namespace belljar::fleet {

class LetIn {
 public:
  void add(const std::string& caller, std::uint64_t count, Nanoseconds now);
  // What others are told: of the callers with the most, where there are more than a message holds.
  std::map<std::string, std::uint64_t> here(Nanoseconds now);

  void hear(const std::string& gateway,
            std::map<std::string, std::uint64_t> counts,
            Nanoseconds now);
  // A gateway that has told nothing for a while counts no more.
  [[nodiscard]] std::uint64_t elsewhere(const std::string& caller, Nanoseconds now) const;

 private:
  static constexpr std::size_t kSeconds = 60;
  struct Minute {
    std::array<std::uint32_t, kSeconds> counts{};
    std::int64_t last = 0;  // the second of the newest
    std::uint64_t sum(std::int64_t second);
  };
  struct Other {
    std::map<std::string, std::uint64_t> counts;
    Nanoseconds heard{};
  };

  mutable std::mutex mutex_;
  std::map<std::string, Minute> here_;
  std::map<std::string, Other> others_;
};

}  // namespace belljar::fleet
