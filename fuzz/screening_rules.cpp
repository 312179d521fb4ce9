// A rule file: read or refused, and what was read can be used.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "screen/screener.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace belljar;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<screen::RuleSet> rules = screen::parse_rules(text, "fuzz");
  if (!rules) {
    CHECK(!rules.error().message.empty());
    return 0;
  }
  const std::vector<File> files{{.path = "main", .content = "import os\neval('1')\n"}};
  CHECK(screen::screen(*rules, "python", files).has_value());
  return 0;
}
