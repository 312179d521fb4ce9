#include "fleet/let_in.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "fleet/subjects.h"

namespace belljar::fleet {
namespace {

// A message has a megabyte, and a name and its number some sixty bytes.
constexpr std::size_t kMostTold = 4096;

std::int64_t second_of(Nanoseconds now) {
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

}  // namespace

// What is older than a minute is taken out on the way.
std::uint64_t LetIn::Minute::sum(std::int64_t second) {
  const std::int64_t gone = std::min<std::int64_t>(second - last, kSeconds);
  for (std::int64_t i = 1; i <= gone; ++i) {
    counts[static_cast<std::size_t>((last + i) % static_cast<std::int64_t>(kSeconds))] = 0;
  }
  last = std::max(last, second);
  std::uint64_t all = 0;
  for (const std::uint32_t each : counts) all += each;
  return all;
}

void LetIn::add(const std::string& caller, std::uint64_t count, Nanoseconds now) {
  const std::lock_guard lock(mutex_);
  Minute& minute = here_[caller];
  minute.sum(second_of(now));
  minute.counts[static_cast<std::size_t>(minute.last) % kSeconds] +=
      static_cast<std::uint32_t>(count);
}

std::map<std::string, std::uint64_t> LetIn::here(Nanoseconds now) {
  std::vector<std::pair<std::uint64_t, std::string>> all;
  {
    const std::lock_guard lock(mutex_);
    for (auto each = here_.begin(); each != here_.end();) {
      const std::uint64_t sum = each->second.sum(second_of(now));
      if (sum > 0) all.emplace_back(sum, each->first);
      each = sum > 0 ? std::next(each) : here_.erase(each);
    }
  }
  if (all.size() > kMostTold) {
    std::ranges::nth_element(all, all.begin() + kMostTold, std::greater());
    all.resize(kMostTold);
  }
  std::map<std::string, std::uint64_t> told;
  for (auto& [sum, caller] : all) told.emplace(std::move(caller), sum);
  return told;
}

void LetIn::hear(const std::string& gateway,
                 std::map<std::string, std::uint64_t> counts,
                 Nanoseconds now) {
  const std::lock_guard lock(mutex_);
  others_[gateway] = {.counts = std::move(counts), .heard = now};
  std::erase_if(others_,
                [now](const auto& each) { return now - each.second.heard > kGatewayGone; });
}

std::uint64_t LetIn::elsewhere(const std::string& caller, Nanoseconds now) const {
  const std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& [gateway, other] : others_) {
    if (now - other.heard > kGatewayGone) continue;
    const auto found = other.counts.find(caller);
    if (found != other.counts.end()) sum += found->second;
  }
  return sum;
}

}  // namespace belljar::fleet
