// The bytes of an archive, as the unpacker reads them in its cell: whatever comes out is a bundle
// of files with names that can be made, each once, and no more than was allowed.
#include <cstdint>
#include <set>
#include <string_view>

#include "base/bundle.h"
#include "base/check.h"
#include "engine/unpack_main.h"
#include "model/submission.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace belljar;
  constexpr std::size_t kMost = 256 * kKiB;
  const auto bundle = engine::unpack_archive({reinterpret_cast<const char*>(data), size}, kMost);
  if (!bundle) {
    CHECK(!bundle.error().message.empty());
    return 0;
  }
  const auto parsed = parse_bundle(*bundle);
  CHECK(parsed.has_value() && !parsed->files.empty() && parsed->files.size() <= kMaxFiles);
  std::set<std::string_view> names;
  std::size_t total = 0;
  for (const BundleFile& file : parsed->files) {
    CHECK(check_path(file.path).has_value());
    CHECK(names.insert(file.path).second);
    total += file.content.size();
  }
  CHECK(total <= kMost);
  return 0;
}
