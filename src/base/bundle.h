// Bundle: files in a row, as one stream of bytes. The one format in which files enter a cell, leave
// it, and come out of an archive.
//
// The bytes are described in base/bundle_format.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bundle_format.h"  // IWYU pragma: export
#include "base/result.h"

namespace belljar {

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
