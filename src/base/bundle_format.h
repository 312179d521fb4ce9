// The bytes of a bundle (base/bundle.h), in a form that freestanding code can include.
//
// Per file: u32 magic, u32 flags (bit 0: executable), u32 path bytes, u32 reserved, u64 content
// bytes, path, content; integers little-endian. After the last file: u32 end magic, u32 flags (bit
// 0: there was more than the limits allow).
#pragma once

#include <cstdint>

namespace belljar {

inline constexpr std::uint32_t kBundleFileMagic = 0x464a4c42;  // "BLJF"
inline constexpr std::uint32_t kBundleEndMagic = 0x454a4c42;   // "BLJE"

struct BundleFileHeader {
  std::uint32_t magic = kBundleFileMagic;
  std::uint32_t flags = 0;
  std::uint32_t path_bytes = 0;
  std::uint32_t reserved = 0;
  std::uint64_t content_bytes = 0;
};
struct BundleEnd {
  std::uint32_t magic = kBundleEndMagic;
  std::uint32_t flags = 0;
};
inline constexpr std::uint32_t kBundleExecutable = 1;
inline constexpr std::uint32_t kBundleMore = 1;

}  // namespace belljar
