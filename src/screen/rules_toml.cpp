#define TOML_ENABLE_FORMATTERS 0
#include <algorithm>
#include <array>
#include <functional>
#include <set>

#include "base/glob.h"
#include "base/text.h"
#include "base/toml.h"
#include "screen/language.h"
#include "screen/rules.h"

namespace belljar::screen {
namespace {

constexpr std::size_t kMaxRules = 1000;
constexpr std::size_t kMaxNames = 1000;
constexpr std::size_t kMaxNameBytes = 256;

using Entry = TomlEntry;

Result<std::string> read_sentence(const Entry& entry) {
  TRY_ASSIGN(std::string text, read_string(entry));
  if (text.find_first_not_of(" \t\n") == std::string::npos) {
    return fail_at(entry, "must say something");
  }
  return text;
}

Result<std::vector<std::string>> read_strings(const Entry& entry) {
  const toml::array* const array = entry.node.as_array();
  if (array == nullptr || array->empty() || array->size() > kMaxNames) {
    return fail_at(entry, "must be a list of 1 to 1000 strings");
  }
  std::vector<std::string> strings;
  for (const toml::node& node : *array) {
    TRY_ASSIGN(std::string text, read_string({entry.path, node}));
    if (text.empty() || text.size() > kMaxNameBytes || !is_valid_utf8(text)) {
      return fail_at({entry.path, node}, "must be 1 to 256 bytes");
    }
    strings.push_back(std::move(text));
  }
  return strings;
}

Result<Action> read_action(const Entry& entry) {
  TRY_ASSIGN(const std::string word, read_string(entry));
  if (word == "warn") return Action::kWarn;
  if (word == "refuse") return Action::kRefuse;
  return fail_at(entry, "must be \"warn\" or \"refuse\"");
}

struct KindName {
  std::string_view name;
  RuleKind kind;
};
constexpr std::array kKinds{KindName{"import", RuleKind::kImport},
                            KindName{"call", RuleKind::kCall},
                            KindName{"attribute", RuleKind::kAttribute},
                            KindName{"attribute-on-constant", RuleKind::kAttributeOnConstant},
                            KindName{"name", RuleKind::kName},
                            KindName{"syntax", RuleKind::kSyntax},
                            KindName{"file", RuleKind::kFile}};

Result<RuleKind> read_kind(const Entry& entry) {
  TRY_ASSIGN(const std::string word, read_string(entry));
  const auto* const found = std::ranges::find(kKinds, word, &KindName::name);
  if (found != kKinds.end()) return found->kind;
  return fail_at(entry,
                 "must be one of import, call, attribute, attribute-on-constant, name, syntax, "
                 "file");
}

// A placeholder that nothing fills would reach the client as it stands.
Result<std::string> read_message(const Entry& entry) {
  constexpr std::array<std::string_view, 8> kKnown{"path",  "line",   "column", "offset",
                                                   "place", "reason", "rule",   "text"};
  TRY_ASSIGN(std::string text, read_sentence(entry));
  for (std::size_t at = 0; (at = text.find('{', at)) != std::string::npos; ++at) {
    const std::size_t end = text.find('}', at);
    const std::string_view name =
        end == std::string::npos ? "" : std::string_view(text).substr(at + 1, end - at - 1);
    if (std::ranges::find(kKnown, name) == kKnown.end()) {
      return fail_at(entry,
                     "may use {path}, {line}, {column}, {offset}, {place}, {reason}, {rule} and "
                     "{text} only");
    }
  }
  return text;
}

Status check_language(const Entry& entry, const std::string& name) {
  if (find_language(name) != nullptr) return {};
  std::string known;
  for (const Language& language : languages()) {
    known += (known.empty() ? "" : ", ") + std::string(language.name);
  }
  return fail_at(entry, quote(name) + " has no grammar; there are " + known);
}

bool has_node_type(const Language& language, std::string_view type) {
  const TSLanguage* const grammar = language.grammar();
  const auto length = static_cast<std::uint32_t>(type.size());
  return ts_language_symbol_for_name(grammar, type.data(), length, true) != 0 ||
         ts_language_symbol_for_name(grammar, type.data(), length, false) != 0;
}

Status check_names(const Entry& entry, const Rule& rule) {
  for (const std::string& name : rule.names) {
    if (rule.kind == RuleKind::kFile && name.size() > kMaxGlobLength) {
      return fail_at(entry, "a glob has at most 256 bytes");
    }
    if (rule.kind != RuleKind::kSyntax) continue;
    for (const std::string& language : rule.languages) {
      if (has_node_type(*find_language(language), name)) continue;
      return fail_at(entry, quote(name) + " is no node of the grammar of " + language);
    }
  }
  return {};
}

Status read_rule_key(const Entry& entry, std::string_view key, Rule& rule) {
  if (key == "id") {
    TRY_ASSIGN(rule.id, read_name(entry));
  } else if (key == "languages") {
    TRY_ASSIGN(rule.languages, read_strings(entry));
    for (const std::string& name : rule.languages) TRY(check_language(entry, name));
  } else if (key == "kind") {
    TRY_ASSIGN(rule.kind, read_kind(entry));
  } else if (key == "names") {
    TRY_ASSIGN(rule.names, read_strings(entry));
  } else if (key == "reason") {
    TRY_ASSIGN(rule.reason, read_sentence(entry));
  } else if (key == "message") {
    TRY_ASSIGN(rule.message, read_message(entry));
  } else if (key == "action") {
    TRY_ASSIGN(rule.action, read_action(entry));
  } else {
    return fail_at(entry,
                   "unknown key; there are id, languages, kind, names, reason, message, action");
  }
  return {};
}

Result<Rule> read_rule(const Entry& entry, Action usual) {
  const toml::table* const table = entry.node.as_table();
  if (table == nullptr) return fail_at(entry, "must be a table");
  Rule rule;
  rule.action = usual;
  for (const auto& [key, node] : *table) {
    TRY(read_rule_key({entry.path + "." + std::string(key.str()), node}, key.str(), rule));
  }
  for (const std::string_view key : {"id", "languages", "kind", "reason"}) {
    if (!table->contains(key)) return fail_at(entry, "has no " + std::string(key));
  }
  const bool wants_names = rule.kind != RuleKind::kAttributeOnConstant;
  if (wants_names == rule.names.empty()) {
    return fail_at(entry, wants_names ? "has no names" : "takes no names");
  }
  TRY(check_names({entry.path + ".names", entry.node}, rule));
  return rule;
}

Status read_number(const Entry& entry, std::uint64_t highest, std::uint64_t& out) {
  const auto* const number = entry.node.as_integer();
  if (number == nullptr || number->get() < 1 ||
      static_cast<std::uint64_t>(number->get()) > highest) {
    return fail_at(entry, "must be a whole number from 1 to " + std::to_string(highest));
  }
  out = static_cast<std::uint64_t>(number->get());
  return {};
}

Status read_limits(const Entry& entry, ScreeningLimits& limits) {
  constexpr std::uint64_t kMostBytes = 4 * kMiB;
  const toml::table* const table = entry.node.as_table();
  if (table == nullptr) return fail_at(entry, "must be a table");
  for (const auto& [key, node] : *table) {
    const Entry inner{entry.path + "." + std::string(key.str()), node};
    if (key.str() == "file_bytes") {
      TRY(read_number(inner, kMostBytes, limits.file_bytes));
    } else if (key.str() == "total_bytes") {
      TRY(read_number(inner, kMostBytes, limits.total_bytes));
    } else if (key.str() == "depth") {
      TRY(read_number(inner, 1'000'000, limits.depth));
    } else if (key.str() == "milliseconds") {
      std::uint64_t milliseconds = 0;
      TRY(read_number(inner, 10'000, milliseconds));
      limits.time = std::chrono::milliseconds(milliseconds);
    } else {
      return fail_at(inner, "unknown key; there are file_bytes, total_bytes, depth, milliseconds");
    }
  }
  return {};
}

Status read_rules(const Entry& entry, Action usual, RuleSet& set) {
  const toml::array* const array = entry.node.as_array();
  if (array == nullptr || array->size() > kMaxRules) {
    return fail_at(entry, "must be at most 1000 [[rules]]");
  }
  std::set<std::string, std::less<>> ids;
  std::size_t number = 0;
  for (const toml::node& node : *array) {
    const Entry inner{"rules[" + std::to_string(number++) + "]", node};
    TRY_ASSIGN(Rule rule, read_rule(inner, usual));
    // One id may stand for several languages, each with names of its own.
    for (const std::string& language : rule.languages) {
      if (!ids.insert(rule.id + " " + language).second) {
        return fail_at(inner, "a second rule " + quote(rule.id) + " for " + language);
      }
    }
    set.rules.push_back(std::move(rule));
  }
  return {};
}

Status read_key(const Entry& entry, RuleSet& set) {
  if (entry.path == "name") {
    TRY_ASSIGN(set.name, read_name(entry));
  } else if (entry.path == "why") {
    TRY(read_sentence(entry));
  } else if (entry.path == "message") {
    TRY_ASSIGN(set.message, read_message(entry));
  } else if (entry.path == "syntax_error") {
    TRY_ASSIGN(set.syntax_error, read_action(entry));
  } else if (entry.path == "syntax_error_message") {
    TRY_ASSIGN(set.syntax_error_message, read_message(entry));
  } else if (entry.path == "not_analysed") {
    TRY_ASSIGN(set.not_analysed, read_action(entry));
  } else if (entry.path == "limits") {
    TRY(read_limits(entry, set.limits));
  } else if (entry.path != "finding" && entry.path != "rules") {
    return fail_at(entry,
                   "unknown key; there are name, why, message, finding, syntax_error, "
                   "syntax_error_message, not_analysed, limits, rules");
  }
  return {};
}

Result<RuleSet> read_rule_set(std::string_view text, std::string_view name) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    return fail(Code::kInvalid, "line " + std::to_string(parsed.error().source().begin.line) +
                                    ": " + std::string(parsed.error().description()));
  }
  RuleSet set;
  set.name = name;
  const toml::table& file = parsed.table();
  for (const auto& [key, node] : file) TRY(read_key({std::string(key.str()), node}, set));
  if (!file.contains("why")) return fail(Code::kInvalid, "why: a rule set must say what it is for");
  Action usual = Action::kWarn;
  if (const toml::node* const node = file.get("finding"); node != nullptr) {
    TRY_ASSIGN(usual, read_action({"finding", *node}));
  }
  if (const toml::node* const node = file.get("rules"); node != nullptr) {
    TRY(read_rules({"rules", *node}, usual, set));
  }
  return set;
}

}  // namespace

Result<RuleSet> parse_rules(std::string_view toml, std::string_view name) {
  Result<RuleSet> set = read_rule_set(toml, name);
  if (!set) return std::unexpected(set.error().context("screening rules " + quote(name)));
  return set;
}

}  // namespace belljar::screen
