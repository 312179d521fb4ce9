#include "syscall_policy.h"

#include <seccomp.h>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <limits>
#include <set>

#include "syscall_constants.h"

#include "base/toml.h"

namespace belljar::tools {
namespace {

constexpr int kMaxNumber = 4095;  // far above every number there is, far below the x32 ABI

std::unexpected<Error> wrong(std::string_view where, std::string_view what) {
  return fail(Code::kInvalid, std::string(where) + ": " + std::string(what));
}

Status check_keys(const toml::table& table,
                  std::initializer_list<std::string_view> known,
                  std::string_view where) {
  for (const auto& [key, value] : table) {
    if (std::ranges::find(known, key.str()) == known.end()) {
      return wrong(where, "unknown key \"" + std::string(key.str()) + "\"");
    }
  }
  return {};
}

Result<std::string> text_of(const toml::table& table,
                            std::string_view key,
                            std::string_view where) {
  const auto* text = table.get_as<std::string>(key);
  if (text == nullptr || text->get().empty()) {
    return wrong(where, "needs a text \"" + std::string(key) + "\"");
  }
  return text->get();
}

Result<const toml::array*> list_of(const toml::table& table,
                                   std::string_view key,
                                   std::string_view where) {
  const auto* list = table.get_as<toml::array>(key);
  if (list == nullptr || list->empty()) {
    return wrong(where, "needs a list \"" + std::string(key) + "\" that is not empty");
  }
  return list;
}

Result<std::uint64_t> number_of(const toml::node& node, std::string_view where) {
  if (const auto* number = node.as_integer(); number != nullptr && number->get() >= 0) {
    return static_cast<std::uint64_t>(number->get());
  }
  if (const auto* name = node.as_string()) {
    if (const auto value = find_constant(name->get())) return *value;
    return wrong(where, "unknown constant \"" + name->get() + "\"");
  }
  return wrong(where, "holds something that is neither a number from 0 up nor a name");
}

Result<std::uint64_t> bits_of(const toml::table& table,
                              std::string_view key,
                              std::string_view where) {
  TRY_ASSIGN(const toml::array* list, list_of(table, key, where));
  std::uint64_t bits = 0;
  for (const toml::node& node : *list) {
    TRY_ASSIGN(const std::uint64_t value, number_of(node, where));
    bits |= value;
  }
  return bits;
}

Result<Condition> parse_condition(const toml::table& table, std::string_view where) {
  TRY(check_keys(table, {"argument", "width", "mask", "ignore", "equals"}, where));
  Condition condition;
  const auto* argument = table.get_as<std::int64_t>("argument");
  if (argument == nullptr || argument->get() < 0 || argument->get() > 5) {
    return wrong(where, "needs \"argument\" from 0 to 5");
  }
  condition.argument = static_cast<int>(argument->get());

  if (const toml::node* width = table.get("width")) {
    const auto bits = width->value<std::int64_t>().value_or(0);
    if (bits != 32 && bits != 64) return wrong(where, "\"width\" is 32 or 64");
    condition.wide = bits == 64;
  }
  const std::uint64_t all = condition.wide ? std::numeric_limits<std::uint64_t>::max()
                                           : std::numeric_limits<std::uint32_t>::max();
  condition.mask = all;
  if (table.contains("mask") && table.contains("ignore")) {
    return wrong(where, "has both \"mask\" and \"ignore\"");
  }
  if (table.contains("mask")) {
    TRY_ASSIGN(condition.mask, bits_of(table, "mask", where));
  }
  if (table.contains("ignore")) {
    TRY_ASSIGN(const std::uint64_t ignored, bits_of(table, "ignore", where));
    condition.mask = all & ~ignored;
  }
  if (condition.mask == 0 || (condition.mask & ~all) != 0) {
    return wrong(where, "its mask is empty or wider than the argument");
  }

  TRY_ASSIGN(const toml::array* values, list_of(table, "equals", where));
  for (const toml::node& node : *values) {
    TRY_ASSIGN(const std::uint64_t value, number_of(node, where));
    if ((value & ~condition.mask) != 0)
      return wrong(where, "compares with a value outside the mask");
    if (std::ranges::find(condition.equals, value) != condition.equals.end()) {
      return wrong(where, "compares with " + std::to_string(value) + " twice");
    }
    condition.equals.push_back(value);
  }
  return condition;
}

Result<int> errno_of(const toml::table& table, std::string_view where) {
  TRY_ASSIGN(const std::string name, text_of(table, "errno", where));
  const auto error = find_errno(name);
  if (!error) return wrong(where, "unknown errno \"" + name + "\"");
  return *error;
}

Result<Action> parse_action(const toml::table& table, std::string_view where) {
  TRY_ASSIGN(const std::string kind, text_of(table, "action", where));
  if (kind == "errno") {
    TRY_ASSIGN(const int error, errno_of(table, where));
    const auto* count = table.get_as<bool>("count");
    if (count == nullptr) return wrong(where, "needs \"count\": true or false");
    return Action{.kind = Action::Kind::kErrno, .error = error, .counted = count->get()};
  }
  if (table.contains("errno") || table.contains("count")) {
    return wrong(where, "\"errno\" and \"count\" belong to the action \"errno\"");
  }
  if (kind == "allow") return Action{.kind = Action::Kind::kAllow};
  if (kind == "skip") return Action{.kind = Action::Kind::kSkip};
  return wrong(where, "unknown action \"" + kind + "\"");
}

Result<int> resolve(const SyscallPolicy& policy, const std::string& call, std::string_view where) {
  const auto named =
      std::ranges::find_if(policy.names, [&](const auto& entry) { return entry.second == call; });
  if (named != policy.names.end()) return named->first;
  const int number = seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, call.c_str());
  // Negative numbers are libseccomp's stand-ins for calls of other architectures.
  if (number < 0 || number > kMaxNumber)
    return wrong(where, "unknown system call \"" + call + "\"");
  return number;
}

Result<Rule> parse_rule(const SyscallPolicy& policy, const toml::table& table) {
  TRY_ASSIGN(std::string name, text_of(table, "name", "a rule"));
  const std::string where = "rule \"" + name + "\"";
  TRY(check_keys(table, {"name", "why", "action", "errno", "count", "calls", "when"}, where));
  TRY(text_of(table, "why", where));
  Rule rule{.name = std::move(name), .action = {}, .numbers = {}, .when = {}};
  TRY_ASSIGN(rule.action, parse_action(table, where));

  TRY_ASSIGN(const toml::array* calls, list_of(table, "calls", where));
  for (const toml::node& node : *calls) {
    const auto* call = node.as_string();
    if (call == nullptr) return wrong(where, "\"calls\" holds something that is not a name");
    TRY_ASSIGN(const int number, resolve(policy, call->get(), where));
    if (std::ranges::find(rule.numbers, number) != rule.numbers.end()) {
      return wrong(where, "names " + call->get() + " twice");
    }
    rule.numbers.push_back(number);
  }

  if (!table.contains("when")) return rule;
  TRY_ASSIGN(const toml::array* conditions, list_of(table, "when", where));
  for (const toml::node& node : *conditions) {
    const auto* condition = node.as_table();
    if (condition == nullptr) return wrong(where, "\"when\" holds something that is not a table");
    TRY_ASSIGN(rule.when.emplace_back(), parse_condition(*condition, where));
  }
  return rule;
}

Status parse_numbers(SyscallPolicy& policy, const toml::table& table) {
  for (const auto& [key, value] : table) {
    const std::string name(key.str());
    const auto number = value.value<std::int64_t>().value_or(-1);
    if (number < 0 || number > kMaxNumber)
      return wrong("numbers." + name, "is no system call number");
    const int wanted = static_cast<int>(number);
    const int known = seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, name.c_str());
    const std::string other = library_name(wanted);
    if ((known >= 0 && known != wanted) || (!other.empty() && other != name)) {
      return wrong("numbers." + name, "libseccomp knows it otherwise");
    }
    if (!policy.names.emplace(wanted, name).second) {
      return wrong("numbers." + name, "the number has another name already");
    }
  }
  return {};
}

// What no single rule can show: rules that never decide, calls left open, two errnos to answer
// with.
Status check_rules(const SyscallPolicy& policy) {
  std::set<std::string> names;
  std::map<int, std::vector<const Rule*>> by_number;
  std::map<int, int> counted;
  for (const Rule& rule : policy.rules) {
    const std::string where = "rule \"" + rule.name + "\"";
    if (!names.insert(rule.name).second) return wrong(where, "there are two of that name");
    for (const int number : rule.numbers) {
      const std::string call =
          "system call " + std::to_string(number) + " (" + library_name(number) + ")";
      auto& earlier = by_number[number];
      for (const Rule* other : earlier) {
        if (other->when.empty() || other->when == rule.when) {
          return wrong(where, "\"" + other->name + "\" has decided " + call + " already");
        }
      }
      earlier.push_back(&rule);
      if (!rule.action.counted) continue;
      const int error = rule.action.error;
      if (counted.emplace(number, error).first->second != error) {
        return wrong(where, "another counted rule answers " + call + " with another errno");
      }
    }
  }
  for (const auto& [number, rules] : by_number) {
    if (!rules.back()->when.empty()) {
      return wrong("rule \"" + rules.back()->name + "\"",
                   "system call " + std::to_string(number) + " (" + library_name(number) +
                       ") needs a last rule without \"when\"");
    }
  }
  return {};
}

}  // namespace

std::string library_name(int number) {
  char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, number);
  std::string text = name == nullptr ? "" : name;
  std::free(name);
  return text;
}

Result<SyscallPolicy> parse_syscall_policy(std::string_view toml, std::string_view name) {
  TRY_ASSIGN(const toml::table table, parse_toml(toml));
  TRY(check_keys(table, {"default", "numbers", "rule"}, "the file"));

  SyscallPolicy policy;
  policy.name = name;
  const auto* fallback = table.get_as<toml::table>("default");
  if (fallback == nullptr) return wrong("the file", "needs a table [default]");
  TRY(check_keys(*fallback, {"action", "errno", "why"}, "default"));
  TRY(text_of(*fallback, "why", "default"));
  if (fallback->contains("errno")) {
    TRY_ASSIGN(policy.fallback.error, errno_of(*fallback, "default"));
  } else {
    TRY_ASSIGN(const std::string action, text_of(*fallback, "action", "default"));
    if (action != "allow") return wrong("default", "needs an errno, or the action \"allow\"");
    policy.fallback.kind = Action::Kind::kAllow;
  }

  if (table.contains("numbers")) {
    const auto* numbers = table.get_as<toml::table>("numbers");
    if (numbers == nullptr) return wrong("numbers", "is not a table");
    TRY(parse_numbers(policy, *numbers));
  }
  TRY_ASSIGN(const toml::array* rules, list_of(table, "rule", "the file"));
  for (const toml::node& node : *rules) {
    const auto* rule = node.as_table();
    if (rule == nullptr) return wrong("rule", "is not a table");
    TRY_ASSIGN(policy.rules.emplace_back(), parse_rule(policy, *rule));
  }
  TRY(check_rules(policy));
  return policy;
}

}  // namespace belljar::tools
