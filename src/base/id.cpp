#include "base/id.h"

#include <sys/random.h>

#include <array>
#include <cstdlib>
#include <ctime>

namespace belljar {

std::int64_t unix_ms() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1000 + time.tv_nsec / 1'000'000;
}

std::string format_time(std::int64_t unix_milliseconds) {
  const std::time_t seconds = unix_milliseconds / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  const std::string fraction = std::to_string(1000 + unix_milliseconds % 1000).substr(1);
  return std::string(text.data(), size) + "." + fraction + "Z";
}

std::string make_id(std::string_view prefix) {
  constexpr std::string_view kDigits = "0123456789abcdefghjkmnpqrstvwxyz";
  constexpr int kTimeDigits = 10;
  std::string id(prefix);
  id += '_';
  const auto time = static_cast<std::uint64_t>(unix_ms());
  for (int digit = kTimeDigits - 1; digit >= 0; --digit) {
    id += kDigits[(time >> (5 * digit)) & 31];
  }
  std::array<unsigned char, 26> random{};  // five bits of each
  // At most 256 bytes come whole once the kernel's pool is ready, getrandom(2).
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
    std::abort();
  }
  for (const unsigned char byte : random) id += kDigits[byte & 31];
  return id;
}

}  // namespace belljar
