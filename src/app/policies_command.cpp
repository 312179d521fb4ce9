// `belljar policies`: what each built-in policy allows.
#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "app/byte_sink.h"
#include "app/exit_codes.h"
#include "app/invocation.h"
#include "model/builtin_policies.h"
#include "model/json_text.h"

namespace belljar::app {
namespace {

using Kind = LimitField::Kind;

std::string limit_text(const LimitField& field, const Limits& limits) {
  switch (field.kind) {
    case Kind::kDuration:
      return format_duration(limits.*field.duration);
    case Kind::kBytes:
      return format_bytes(limits.*field.number);
    case Kind::kCount:
      return std::to_string(limits.*field.number);
    case Kind::kCpus:
      return fmt::format("{:g}", static_cast<double>(limits.*field.number) / 1000);
  }
  return {};
}

// Named and measured as in the outcome's JSON, see docs/outcome.md.
boost::json::object limits_value(const Limits& limits) {
  boost::json::object all;
  for (const LimitField& field : limit_fields()) {
    const std::string name(field.name);
    switch (field.kind) {
      case Kind::kDuration:
        all[name + "_ms"] = static_cast<double>((limits.*field.duration).count()) / 1e6;
        break;
      case Kind::kBytes:
        all[name + "_bytes"] = limits.*field.number;
        break;
      case Kind::kCount:
        all[name] = limits.*field.number;
        break;
      case Kind::kCpus:
        all[name] = static_cast<double>(limits.*field.number) / 1000;
        break;
    }
  }
  return all;
}

boost::json::array names_value(WallSet walls) {
  const std::vector<std::string> names = walls.names();
  return boost::json::array(names.begin(), names.end());
}

boost::json::object policy_value(const Policy& policy) {
  return {
      {"name", policy.name},
      {"defaults", limits_value(policy.defaults)},
      {"maximum", limits_value(policy.maximum)},
      {"writable_box", policy.writable_box},
      {"writable_tmp", policy.writable_tmp},
      {"network", policy.network == Network::kNone ? "none" : "loopback"},
      {"on_output_limit", policy.on_output_limit == OnOutputLimit::kKill ? "kill" : "drain"},
      {"python_guard", to_string(policy.python_guard)},
      {"warm", policy.warm},
      {"compile_cache", policy.compile_cache},
      {"without", names_value(policy.without)},
      {"require", names_value(policy.require)},
  };
}

std::string table_text(const std::vector<Policy>& policies) {
  std::string text = fmt::format("{:<12}", "limit");
  for (const Policy& policy : policies) text += fmt::format("  {:>20}", policy.name);
  text += "\n";
  for (const LimitField& field : limit_fields()) {
    text += fmt::format("{:<12}", field.name);
    for (const Policy& policy : policies)
      text += fmt::format("  {:>20}", limit_text(field, policy.defaults));
    text += "\n";
  }
  return text +
         "\nThese are the defaults of a run; a language's manifest and --limit may ask for "
         "other values up to\nthe policy's maximum. belljar policies NAME prints all of one "
         "policy with its reasons.\n";
}

}  // namespace

Result<int> policies_command(Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  std::vector<Policy> policies;
  const auto& operands = arguments.operands();
  for (const std::string_view name : operands.empty() ? builtin_policy_names() : operands) {
    TRY_ASSIGN(Policy policy, builtin_policy(name));
    policies.push_back(std::move(policy));
  }
  std::string text;
  if (arguments.has("json")) {
    boost::json::array all;
    for (const Policy& policy : policies) all.push_back(policy_value(policy));
    text = json_text(all) + "\n";
  } else if (!operands.empty()) {
    text = builtin_policy_text(operands.front());
  } else {
    text = table_text(policies);
  }
  TRY(write_patiently(STDOUT_FILENO, text));
  return kExitOk;
}

}  // namespace belljar::app
