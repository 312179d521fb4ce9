// Sizes and durations as people write them: "128M", "1.5s", "250ms".
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace belljar {

using Nanoseconds = std::chrono::nanoseconds;

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kGiB = 1024 * kMiB;

// "100", "100K", "64M", "2G" (powers of 1024; an optional "B" or "iB" follows). kInvalid otherwise,
// also for negative, fractional and overflowing values.
Result<std::uint64_t> parse_bytes(std::string_view text);
// "2s", "1.5s", "250ms", "100us", "3m"; a bare number is seconds. kInvalid otherwise; never
// negative.
Result<Nanoseconds> parse_duration(std::string_view text);
// A plain decimal count.
Result<std::uint64_t> parse_count(std::string_view text);

std::string format_bytes(std::uint64_t bytes);   // "1.5 MiB"
std::string format_duration(Nanoseconds value);  // "12.3 ms"

}  // namespace belljar
