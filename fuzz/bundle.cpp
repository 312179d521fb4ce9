// What a cell brings back: a bundle that parses is written again byte for byte.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bundle.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace belljar;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Result<Bundle> bundle = parse_bundle(bytes);
  if (!bundle) return 0;
  std::string again;
  for (const BundleFile& file : bundle->files) append_file(again, file);
  append_end(again, bundle->more);
  CHECK(again.size() == bytes.size());
  CHECK(parse_bundle(again).has_value());
  return 0;
}
