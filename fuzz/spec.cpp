// The warden's door: a spec and its files as a client sends them. What is accepted keeps every
// limit.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "cell/spec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace belljar;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Result<cell::DecodedSpec> decoded = cell::decode(bytes);
  if (!decoded) return 0;
  const Result<Bundle> files = parse_bundle(decoded->bundle);
  if (!files || !cell::check_spec(decoded->spec, *files, highest_limits())) return 0;
  CHECK(check_within(decoded->spec.limits, highest_limits()).has_value());
  CHECK(decoded->spec.argv.front().starts_with('/'));
  for (const BundleFile& file : files->files) CHECK(!file.path.starts_with('/'));
  return 0;
}
