// SyscallPolicy: what policies/syscalls/*.toml says, checked; read at build time only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace belljar::tools {

struct Action {
  enum class Kind : std::uint8_t { kAllow, kErrno, kSkip } kind = Kind::kErrno;
  int error = 0;         // kErrno only
  bool counted = false;  // kErrno only: the warden is told

  bool operator==(const Action&) const = default;
};

// (argument & mask) is one of `equals`.
struct Condition {
  int argument = 0;
  bool wide = false;  // compares 64 bits, else the low 32
  std::uint64_t mask = 0;
  std::vector<std::uint64_t> equals;

  bool operator==(const Condition&) const = default;
};

struct Rule {
  std::string name;
  Action action;
  std::vector<int> numbers;     // of the calls it is about
  std::vector<Condition> when;  // all must hold; none: always

  bool operator==(const Rule&) const = default;
};

struct SyscallPolicy {
  std::string name;
  Action fallback;                   // of calls without a rule
  std::vector<Rule> rules;           // first match decides
  std::map<int, std::string> names;  // of [numbers]
};

// kInvalid names the rule. Every call that has conditions is closed by a rule without.
Result<SyscallPolicy> parse_syscall_policy(std::string_view toml, std::string_view name);

// The name that libseccomp has for a number, or "".
std::string library_name(int number);

}  // namespace belljar::tools
