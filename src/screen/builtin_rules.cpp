#include "base/text.h"
#include "screen/rules.h"

namespace belljar::screen {
namespace {

struct RuleFile {
  std::string_view name;
  std::string_view text;
};

constexpr RuleFile kFiles[] = {
#include "generated/screening.inc"
};

}  // namespace

Result<RuleSet> builtin_rules(std::string_view name) {
  std::string known;
  for (const RuleFile& file : kFiles) {
    if (file.name == name) return parse_rules(file.text, file.name);
    if (!known.empty()) known += ", ";
    known += file.name;
  }
  return fail(Code::kNotFound, "no rule set is called " + quote(name) + "; there are " + known);
}

std::vector<std::string_view> builtin_rules_names() {
  std::vector<std::string_view> names;
  for (const RuleFile& file : kFiles) names.push_back(file.name);
  return names;
}

std::string_view builtin_rules_text(std::string_view name) {
  for (const RuleFile& file : kFiles) {
    if (file.name == name) return file.text;
  }
  return {};
}

}  // namespace belljar::screen
