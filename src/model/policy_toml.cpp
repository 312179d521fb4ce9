#include "base/toml.h"

#include "base/text.h"
#include "model/policy.h"

namespace belljar {
namespace {

using Entry = TomlEntry;

std::unexpected<Error> unknown_key(const Entry& entry, std::string_view known) {
  return fail_at(entry, "unknown key; there are " + std::string(known));
}

Result<const toml::table*> read_table(const Entry& entry) {
  const toml::table* const table = entry.node.as_table();
  if (table == nullptr) return fail_at(entry, "must be a table");
  return table;
}

Status read_bool(const Entry& entry, bool& out) {
  const auto* const value = entry.node.as_boolean();
  if (value == nullptr) return fail_at(entry, "must be true or false");
  out = value->get();
  return {};
}

Status read_why(const Entry& entry) {
  TRY_ASSIGN(const std::string why, read_string(entry));
  if (why.find_first_not_of(" \t\n") == std::string::npos) {
    return fail_at(entry, "must say why in a sentence");
  }
  return {};
}

Status read_limit(const Entry& entry, std::string_view name, LimitOverrides& wanted) {
  std::string value;
  if (const auto* const text = entry.node.as_string(); text != nullptr) {
    value = text->get();
  } else if (const auto* const number = entry.node.as_integer(); number != nullptr) {
    value = std::to_string(number->get());
  } else {
    return fail_at(entry, "must be a string such as \"128M\" or a whole number");
  }
  if (const Status set = set_limit(wanted, name, value); !set) {
    return fail_at(entry, set.error().message);
  }
  return {};
}

Status read_wall(const Entry& entry, WallSet& walls) {
  TRY_ASSIGN(const std::string name, read_string(entry));
  const Result<Wall> wall = parse_wall(name);
  if (!wall) return fail_at(entry, wall.error().message);
  walls.add(*wall);
  return {};
}

Status read_walls(const Entry& entry, WallSet& walls) {
  const toml::array* const names = entry.node.as_array();
  if (names == nullptr) return fail_at(entry, "must be a list of walls");
  for (const toml::node& name : *names) TRY(read_wall({entry.path, name}, walls));
  return {};
}

// What stands in one table of the file, `why` aside. Each function below reads one key.
using ReadKey = Status (*)(const Entry&, std::string_view key, Policy&);

Status read_default(const Entry& entry, std::string_view key, Policy& policy) {
  LimitOverrides wanted;
  TRY(read_limit(entry, key, wanted));
  policy.defaults = apply(policy.defaults, wanted);
  return {};
}

Status read_maximum(const Entry& entry, std::string_view key, Policy& policy) {
  LimitOverrides wanted;
  TRY(read_limit(entry, key, wanted));
  policy.maximum = apply(policy.maximum, wanted);
  if (const Status within = check_within(policy.maximum, highest_limits()); !within) {
    return fail_at(entry, within.error().message);
  }
  return {};
}

Status read_filesystem(const Entry& entry, std::string_view key, Policy& policy) {
  if (key == "writable_box") return read_bool(entry, policy.writable_box);
  if (key == "writable_tmp") return read_bool(entry, policy.writable_tmp);
  return unknown_key(entry, "why, writable_box, writable_tmp");
}

Status read_network(const Entry& entry, std::string_view key, Policy& policy) {
  if (key != "mode") return unknown_key(entry, "why, mode");
  TRY_ASSIGN(const std::string mode, read_string(entry));
  if (mode != "none" && mode != "loopback") {
    return fail_at(entry, "must be \"none\" or \"loopback\"");
  }
  policy.network = mode == "none" ? Network::kNone : Network::kLoopback;
  return {};
}

Status read_output(const Entry& entry, std::string_view key, Policy& policy) {
  if (key != "on_limit") return unknown_key(entry, "why, on_limit");
  TRY_ASSIGN(const std::string on_limit, read_string(entry));
  if (on_limit != "kill" && on_limit != "drain") {
    return fail_at(entry, "must be \"kill\" or \"drain\"");
  }
  policy.on_output_limit = on_limit == "kill" ? OnOutputLimit::kKill : OnOutputLimit::kDrain;
  return {};
}

Status read_guard(const Entry& entry, std::string_view key, Policy& policy) {
  if (key != "python") return unknown_key(entry, "why, python");
  TRY_ASSIGN(const std::string name, read_string(entry));
  for (const Guard guard : {Guard::kNone, Guard::kNameKeeper, Guard::kNameKeeperRefusing}) {
    if (name != to_string(guard)) continue;
    policy.python_guard = guard;
    return {};
  }
  return fail_at(entry, "must be \"none\", \"namekeeper\" or \"namekeeper-refusing\"");
}

Status read_start(const Entry& entry, std::string_view key, Policy& policy) {
  if (key == "warm") return read_bool(entry, policy.warm);
  return unknown_key(entry, "why, warm");
}

Status read_wall_rules(const Entry& entry, std::string_view key, Policy& policy) {
  if (key == "without") return read_walls(entry, policy.without);
  if (key != "require") return unknown_key(entry, "why, without, require");
  const auto* const word = entry.node.as_string();
  if (word == nullptr) return read_walls(entry, policy.require);
  if (word->get() != "FULL") return fail_at(entry, "must be \"FULL\" or a list of walls");
  policy.require = WallSet::full();
  return {};
}

Status read_compile(const Entry& entry, std::string_view key, Policy& policy) {
  if (key != "cache") return unknown_key(entry, "why, cache");
  return read_bool(entry, policy.compile_cache);
}

struct Section {
  std::string_view name;
  ReadKey read;
};
constexpr Section kSections[] = {
    {"defaults", read_default}, {"maximum", read_maximum}, {"filesystem", read_filesystem},
    {"network", read_network},  {"output", read_output},   {"guard", read_guard},
    {"start", read_start},      {"compile", read_compile}, {"walls", read_wall_rules}};

Status read_section(const Entry& entry, const Section& section, Policy& policy) {
  TRY_ASSIGN(const toml::table* const table, read_table(entry));
  const Policy before = policy;
  bool has_why = false;
  for (const auto& [key, node] : *table) {
    const Entry inner{entry.path + "." + std::string(key.str()), node};
    if (key.str() == "why") {
      TRY(read_why(inner));
      has_why = true;
    } else {
      TRY(section.read(inner, key.str(), policy));
    }
  }
  if (!has_why && policy != before) {
    return fail_at(entry, "differs from the default and must say why");
  }
  return {};
}

Status read_key(const Entry& entry, Policy& policy) {
  if (entry.path == "why") return read_why(entry);
  if (entry.path == "name") {
    TRY_ASSIGN(policy.name, read_name(entry));
    return {};
  }
  for (const Section& section : kSections) {
    if (section.name == entry.path) return read_section(entry, section, policy);
  }
  return unknown_key(
      entry,
      "name, why, defaults, maximum, filesystem, network, output, guard, start, compile, walls");
}

Status check_whole(const Policy& policy) {
  if (const Status within = check_within(policy.defaults, policy.maximum); !within) {
    return fail(Code::kInvalid, "defaults: " + within.error().message);
  }
  if (policy.require.minus(policy.without) != policy.require) {
    return fail(Code::kInvalid, "walls: the same wall is required and left out");
  }
  return {};
}

Result<Policy> read_policy(std::string_view text, std::string_view name) {
  TRY_ASSIGN(const toml::table file, parse_toml(text));
  Policy policy;
  policy.name = name;
  for (const auto& [key, node] : file) TRY(read_key({std::string(key.str()), node}, policy));
  if (!file.contains("why")) return fail(Code::kInvalid, "why: a policy must say what it is for");
  TRY(check_whole(policy));
  return policy;
}

}  // namespace

Result<Policy> parse_policy(std::string_view toml, std::string_view name) {
  Result<Policy> policy = read_policy(toml, name);
  if (!policy) return std::unexpected(policy.error().context("policy " + quote(name)));
  return policy;
}

}  // namespace belljar
