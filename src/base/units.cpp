#include "base/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

namespace belljar {
namespace {

struct Suffix {
  std::string_view text;
  double factor;
};

std::unexpected<Error> bad(std::string_view what, std::string_view text) {
  return fail(Code::kInvalid, "not " + std::string(what) + ": '" + std::string(text) + "'");
}

}  // namespace

Result<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return bad("a count", text);
  return value;
}

Result<std::uint64_t> parse_bytes(std::string_view text) {
  std::uint64_t value = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value);
  if (error != std::errc{}) return bad("a size", text);
  std::string_view suffix(end, static_cast<std::size_t>(last - end));
  std::uint64_t factor = 1;
  if (!suffix.empty() && suffix != "B") {
    switch (suffix.front() | 0x20) {
      case 'k':
        factor = kKiB;
        break;
      case 'm':
        factor = kMiB;
        break;
      case 'g':
        factor = kGiB;
        break;
      default:
        return bad("a size", text);
    }
    suffix.remove_prefix(1);
    if (!suffix.empty() && suffix != "B" && suffix != "iB") return bad("a size", text);
  }
  if (value > std::numeric_limits<std::uint64_t>::max() / factor) return bad("a size", text);
  return value * factor;
}

Result<Nanoseconds> parse_duration(std::string_view text) {
  double value = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value, std::chars_format::fixed);
  if (error != std::errc{} || !std::isfinite(value) || value < 0) return bad("a duration", text);
  const std::string_view suffix(end, static_cast<std::size_t>(last - end));
  static constexpr std::array<Suffix, 6> kSuffixes{
      {{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}, {"m", 60e9}}};
  for (const Suffix& known : kSuffixes) {
    if (suffix != known.text) continue;
    const double nanoseconds = value * known.factor;
    // A year is far beyond every maximum and far below overflow.
    if (nanoseconds > 365.0 * 86400 * 1e9) return bad("a duration under a year", text);
    return Nanoseconds(std::llround(nanoseconds));
  }
  return bad("a duration", text);
}

std::string format_bytes(std::uint64_t bytes) {
  std::array<char, 32> buffer{};
  if (bytes < kKiB) {
    std::snprintf(buffer.data(), buffer.size(), "%llu B", static_cast<unsigned long long>(bytes));
  } else if (bytes < kMiB) {
    std::snprintf(buffer.data(), buffer.size(), "%.1f KiB", static_cast<double>(bytes) / kKiB);
  } else if (bytes < kGiB) {
    std::snprintf(buffer.data(), buffer.size(), "%.1f MiB", static_cast<double>(bytes) / kMiB);
  } else {
    std::snprintf(buffer.data(), buffer.size(), "%.1f GiB", static_cast<double>(bytes) / kGiB);
  }
  return buffer.data();
}

std::string format_duration(Nanoseconds value) {
  const auto ns = static_cast<double>(value.count());
  std::array<char, 32> buffer{};
  if (ns < 1e6) {
    std::snprintf(buffer.data(), buffer.size(), "%.0f us", ns / 1e3);
  } else if (ns < 1e9) {
    std::snprintf(buffer.data(), buffer.size(), "%.1f ms", ns / 1e6);
  } else {
    std::snprintf(buffer.data(), buffer.size(), "%.2f s", ns / 1e9);
  }
  return buffer.data();
}

}  // namespace belljar
