#include "model/builtin_policies.h"

#include <utility>

#include "base/text.h"

namespace belljar {
namespace {

struct PolicyFile {
  std::string_view name;
  std::string_view text;
};

constexpr PolicyFile kFiles[] = {
#include "generated/policies.inc"
};

}  // namespace

Result<Policy> builtin_policy(std::string_view name) {
  if (name == "default") return Policy{};
  std::string known;
  for (const PolicyFile& file : kFiles) {
    if (file.name == name) return parse_policy(file.text, file.name);
    if (!known.empty()) known += ", ";
    known += file.name;
  }
  return fail(Code::kNotFound, "no policy is called " + quote(name) + "; there are " + known);
}

const std::map<std::string, Policy, std::less<>>& builtin_policies() {
  static const auto all = [] {
    std::map<std::string, Policy, std::less<>> made;
    for (const PolicyFile& file : kFiles) {
      if (auto policy = builtin_policy(file.name)) made.emplace(file.name, *std::move(policy));
    }
    return made;
  }();
  return all;
}

std::vector<std::string_view> builtin_policy_names() {
  std::vector<std::string_view> names;
  for (const PolicyFile& file : kFiles) names.push_back(file.name);
  return names;
}

std::string_view builtin_policy_text(std::string_view name) {
  for (const PolicyFile& file : kFiles) {
    if (file.name == name) return file.text;
  }
  return {};
}

}  // namespace belljar
