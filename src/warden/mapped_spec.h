// MappedSpec: a sealed memfd, mapped: its bytes cannot change while they are checked and used.
#pragma once

#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "base/units.h"

namespace belljar::warden {

inline constexpr std::uint64_t kMaxSpecBytes = kGiB;

class MappedSpec {
 public:
  static Result<MappedSpec> open(const Fd& fd);
  MappedSpec(MappedSpec&& other) noexcept;
  MappedSpec& operator=(MappedSpec&&) = delete;
  ~MappedSpec();
  [[nodiscard]] std::string_view bytes() const { return bytes_; }

 private:
  MappedSpec(const char* bytes, std::size_t size) : bytes_(bytes, size) {}
  std::string_view bytes_;
};

}  // namespace belljar::warden
