// Screening rules: data with a reason per rule; read from policies/screening/*.toml or from an
// operator's file of the same form. docs/screening.md says how to write one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace belljar::screen {

enum class RuleKind : std::uint8_t {
  kImport,               // a module, package or header, or what lies below it; "*": any
  kCall,                 // of a function by its full name; "subprocess.*": of any below a name
  kAttribute,            // a member by its own name, whatever it is a member of
  kAttributeOnConstant,  // any member of a literal
  kName,                 // any mention of a name
  kSyntax,               // a kind of node of the language's grammar
  kFile,                 // a file whose path matches a glob, see base/glob.h
};

enum class Action : std::uint8_t {
  kWarn,    // reported
  kRefuse,  // reported, and the submission is not run
};

struct Rule {
  std::string id;
  std::vector<std::string> languages;  // runtimes' names
  RuleKind kind = RuleKind::kImport;
  std::vector<std::string> names;
  std::string reason;
  std::string message;  // for the client, see Finding::message; empty: the rule set's
  Action action = Action::kWarn;

  bool operator==(const Rule&) const = default;
};

// What can be said of a file before and beside its rules. Files and trees above these are not
// analysed.
struct ScreeningLimits {
  std::uint64_t file_bytes = 256 * kKiB;
  std::uint64_t total_bytes = 1 * kMiB;  // of all sources together
  std::uint64_t depth = 5000;            // of the syntax tree
  Nanoseconds time = std::chrono::seconds(1);

  bool operator==(const ScreeningLimits&) const = default;
};

struct RuleSet {
  std::string name;
  std::vector<Rule> rules;
  std::string message = "{place}: {reason} ({rule})";
  // What follows from a source that does not parse, and from one that could not be analysed.
  Action syntax_error = Action::kWarn;
  std::string syntax_error_message = "{place}: {reason}";
  Action not_analysed = Action::kWarn;
  ScreeningLimits limits;

  bool operator==(const RuleSet&) const = default;
};

// Reads a rule file; `name` is used where the text has none. Errors name the field and the line.
Result<RuleSet> parse_rules(std::string_view toml, std::string_view name);

// The files of policies/screening, whose text is part of the program.
Result<RuleSet> builtin_rules(std::string_view name);  // kNotFound lists the names that are there
std::vector<std::string_view> builtin_rules_names();   // sorted
std::string_view builtin_rules_text(std::string_view name);  // empty where there is none

}  // namespace belljar::screen
