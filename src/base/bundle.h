// Bundle: files in a row, as one stream of bytes. The one format in which files enter a cell, leave
// it, and come out of an archive.
//
// Per file: u32 magic, u32 flags (bit 0: executable), u32 path bytes, u64 content bytes, path,
// content; integers little-endian. After the last file: u32 end magic, u32 flags (bit 0: there was
// more than the limits allow).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

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

struct BundleFile {
  std::string_view path;
  std::string_view content;
  bool executable = false;
};
struct Bundle {
  std::vector<BundleFile> files;  // views into the parsed bytes
  bool more = false;
};

void append_file(std::string& out, const BundleFile& file);
void append_end(std::string& out, bool more);
// Total over any bytes: kInvalid for a bad magic, a size beyond the input or bytes after the end.
Result<Bundle> parse_bundle(std::string_view bytes);

}  // namespace belljar
