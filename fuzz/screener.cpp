// A source in any language: judged within bounds, the same way each time, and every finding lies in
// the file and can be shown.
#include "screen/screener.h"

#include <algorithm>
#include <cstdint>

#include "base/check.h"
#include "base/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace belljar;
  using namespace belljar::screen;
  constexpr std::string_view kLanguages[] = {"python", "javascript", "c", "cpp", "java"};
  if (size == 0) return 0;
  static const Screener screener = [] {
    RuleSet set = *builtin_rules("default");
    const RuleSet python = *builtin_rules("pysandbox");
    set.rules.insert(set.rules.end(), python.rules.begin(), python.rules.end());
    return Screener(std::move(set));
  }();
  const std::string_view source(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::vector<File> files{{.path = "main", .content = std::string(source)}};
  const Result<Verdict> verdict = screener.screen(kLanguages[data[0] % 5U], files);
  CHECK(verdict.has_value());
  const auto lines = std::ranges::count(source, '\n') + std::ranges::count(source, '\r') + 1;
  for (const auto* list : {&verdict->findings, &verdict->syntax_errors, &verdict->not_analysed}) {
    CHECK(list->size() <= kMaxFindings);
    for (const Finding& finding : *list) {
      CHECK(finding.line <= static_cast<std::size_t>(lines));
      CHECK(is_valid_utf8(finding.text) && is_valid_utf8(finding.message));
      CHECK(!finding.rule.empty() && !finding.message.empty());
    }
  }
  return 0;
}
