#include "api/setting_fields.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "api/webhook_url.h"
#include "base/text.h"
#include "base/toml.h"
#include "model/builtin_policies.h"
#include "model/labels.h"
#include "runtime/catalog.h"

namespace belljar::api {
namespace {

using Kind = SettingField::Kind;
constexpr const auto& kFields = kSettingFields;

std::string toml_name(std::string_view name) {
  std::string text(name);
  std::ranges::replace(text, '-', '_');
  return text;
}

Status wrong(const SettingField& field, std::string_view wanted) {
  return fail(Code::kInvalid, std::string(field.name) + ": must be " + std::string(wanted));
}

Status set_node(Settings& settings, const SettingField& field, const toml::node& node) {
  if (const auto* const value = node.as_string()) return set(settings, field, value->get());
  if (const auto* const value = node.as_integer()) {
    if (field.kind == Kind::kText || field.kind == Kind::kFlag) return wrong(field, "a string");
    return set(settings, field, std::to_string(value->get()));
  }
  if (const auto* const value = node.as_boolean()) {
    if (field.kind != Kind::kFlag) return wrong(field, "no true or false");
    return set(settings, field, value->get() ? "true" : "false");
  }
  return wrong(field, "a string, a number, true or false");
}

}  // namespace

std::span<const SettingField> setting_fields() {
  return kFields;
}

Status set(Settings& settings, const SettingField& field, std::string_view value) {
  switch (field.kind) {
    case Kind::kText:
      settings.*field.text = value;
      return {};
    case Kind::kFlag:
      if (value != "true" && value != "false" && value != "1" && value != "0") {
        return wrong(field, "true or false");
      }
      settings.*field.flag = value == "true" || value == "1";
      return {};
    case Kind::kCount: {
      const auto parsed = parse_count(value);
      if (!parsed) return wrong(field, "a whole number from 0");
      settings.*field.number = *parsed;
      return {};
    }
    case Kind::kBytes: {
      const auto parsed = parse_bytes(value);
      if (!parsed) return wrong(field, "a size such as 64M");
      settings.*field.number = *parsed;
      return {};
    }
    case Kind::kDuration: {
      const auto parsed = parse_duration(value);
      if (!parsed) return wrong(field, "a time such as 30s");
      settings.*field.duration = *parsed;
      return {};
    }
  }
  return {};
}

Status read_toml(Settings& settings, std::string_view toml, const std::string& where) {
  const Result<toml::table> parsed = parse_toml(toml);
  if (!parsed) return std::unexpected(parsed.error().context(where));
  for (const auto& [key, node] : *parsed) {
    const auto field = std::ranges::find_if(
        kFields, [&key](const SettingField& each) { return toml_name(each.name) == key.str(); });
    const std::string line = where + ":" + std::to_string(key.source().begin.line);
    if (field == kFields.end()) {
      return fail(Code::kInvalid, line + ": unknown setting " + quote(key.str()));
    }
    if (const Status done = set_node(settings, *field, node); !done) {
      return std::unexpected(done.error().context(line));
    }
  }
  return {};
}

Status read_environment(Settings& settings, std::span<const std::string> environment) {
  for (const std::string& variable : environment) {
    const std::size_t equals = variable.find('=');
    if (equals == std::string::npos) continue;
    const std::string_view name = std::string_view(variable).substr(0, equals);
    for (const SettingField& field : kFields) {
      if (field.environment != name) continue;
      if (const Status done = set(settings, field, variable.substr(equals + 1)); !done) {
        return std::unexpected(done.error().context(name));
      }
    }
  }
  return {};
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  const auto wrong = [text] {
    return fail(Code::kInvalid, "listen: " + quote(text) +
                                    " must be ADDRESS:PORT, such as 127.0.0.1:8000 or [::1]:8000");
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong();
  Endpoint endpoint;
  std::string_view address = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), endpoint.port);
  if (error != std::errc() || end != digits.end()) return wrong();
  const bool brackets = address.starts_with('[') && address.ends_with(']');
  if (brackets) address = address.substr(1, address.size() - 2);
  endpoint.address = address == "localhost" ? "127.0.0.1" : std::string(address);
  in_addr four{};
  in6_addr six{};
  if (!brackets && ::inet_pton(AF_INET, endpoint.address.c_str(), &four) == 1) {
    endpoint.loopback = (ntohl(four.s_addr) >> 24) == 127;
    return endpoint;
  }
  if (brackets && ::inet_pton(AF_INET6, endpoint.address.c_str(), &six) == 1) {
    endpoint.loopback = IN6_IS_ADDR_LOOPBACK(&six);
    return endpoint;
  }
  return wrong();
}

Result<std::vector<std::uint16_t>> pysandbox_ports(const Settings& settings) {
  std::vector<std::uint16_t> ports;
  for (const std::string_view part : comma_list(settings.pysandbox_ports)) {
    const auto range = parse_port_range(part);
    if (!range) return std::unexpected(range.error().context("pysandbox-ports"));
    for (std::uint64_t port = range->first; port <= range->last; ++port) {
      if (ports.size() >= kMostPysandboxPorts) {
        return fail(Code::kInvalid, "pysandbox-ports: must be at most " +
                                        std::to_string(kMostPysandboxPorts) + " ports");
      }
      if (std::ranges::find(ports, port) != ports.end()) {
        return fail(Code::kInvalid,
                    "pysandbox-ports: " + std::to_string(port) + " stands there twice");
      }
      ports.push_back(static_cast<std::uint16_t>(port));
    }
  }
  return ports;
}

// What is in the URL is in argv, in the log and in error messages.
Status check_fleet(const Settings& settings) {
  for (const std::string_view each : comma_list(settings.fleet)) {
    const bool known = each.starts_with("nats://") || each.starts_with("tls://");
    if (!known || each.contains('@')) {
      return fail(Code::kInvalid, "fleet: must be nats://HOST:PORT or tls://HOST:PORT, by commas");
    }
  }
  if (settings.fleet_certificate_file.empty() != settings.fleet_key_file.empty()) {
    return fail(Code::kInvalid, "fleet-certificate-file and fleet-key-file: give both or none");
  }
  const auto is_name = [](const std::string& text) {
    constexpr std::size_t kLongest = 32;
    return text.size() <= kLongest && std::ranges::all_of(text, [](char c) {
             return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
           });
  };
  if (!is_name(settings.fleet_pool)) {
    return fail(Code::kInvalid, "fleet-pool: must be at most 32 of a-z, 0-9, - and _");
  }
  if (!is_name(settings.fleet_name) || settings.fleet_name.empty()) {
    return fail(Code::kInvalid, "fleet-name: must be 1 to 32 of a-z, 0-9, - and _");
  }
  if (const auto labels = parse_labels(settings.fleet_labels); !labels) {
    return std::unexpected(labels.error().context("fleet-labels"));
  }
  constexpr std::uint64_t kMostStreams = 8;
  if (settings.fleet_streams == 0 || settings.fleet_streams > kMostStreams) {
    return fail(Code::kInvalid, "fleet-streams: must be 1 to 8");
  }
  if (settings.fleet_replicas == 0 || settings.fleet_replicas > 5) {
    return fail(Code::kInvalid, "fleet-replicas: must be 1 to 5");
  }
  return {};
}

Status check_ledger(const Settings& settings) {
  const std::string& url = settings.ledger;
  if (url.empty()) return {};
  const auto wrong = [](std::string_view wanted) {
    return fail(Code::kInvalid, "ledger: " + std::string(wanted));
  };
  const std::size_t scheme = url.find("://");
  if (!url.starts_with("postgresql://") && !url.starts_with("postgres://")) {
    return wrong("must be postgresql://USER@HOST/DATABASE, or empty");
  }
  std::string_view rest = std::string_view(url).substr(scheme + 3);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  const std::size_t at = authority.rfind('@');
  const bool in_front = at != std::string_view::npos && authority.substr(0, at).contains(':');
  if (in_front || rest.contains("password=")) {
    return wrong("must have no password in it: ledger-password-file names a file with it");
  }
  if (std::ranges::any_of(url,
                          [](char c) { return c <= ' ' || c == 0x7f || c == '"' || c == '\\'; })) {
    return wrong("must have no spaces, quotes, backslashes and controls");
  }
  if (settings.ledger_connections == 0 || settings.ledger_connections > 100) {
    return fail(Code::kInvalid, "ledger-connections: must be 1 to 100");
  }
  if (settings.ledger_timeout < std::chrono::milliseconds(100) ||
      settings.ledger_timeout > std::chrono::minutes(1)) {
    return fail(Code::kInvalid, "ledger-timeout: must be 100ms to 1m");
  }
  return {};
}

Status check(const Settings& settings) {
  TRY_ASSIGN(const Endpoint endpoint, parse_endpoint(settings.listen));
  if (settings.executor_port > 65535)
    return fail(Code::kInvalid, "executor-port: must be at most 65535");
  TRY(pysandbox_ports(settings));
  if (settings.e2b_port > 65535) return fail(Code::kInvalid, "e2b-port: must be at most 65535");
  if (settings.tls_certificate.empty() != settings.tls_key.empty()) {
    return fail(Code::kInvalid, "tls-certificate and tls-key: give both or none");
  }
  if (settings.on_restart != "rerun" && settings.on_restart != "lost") {
    return fail(Code::kInvalid, "on-restart: must be rerun or lost");
  }
  if (settings.sync != "full" && settings.sync != "normal") {
    return fail(Code::kInvalid, "sync: must be full or normal");
  }
  TRY(check_ledger(settings));
  TRY(check_fleet(settings));
  TRY(webhook_rules(settings));
  if (settings.webhook_retry < std::chrono::milliseconds(1) ||
      settings.webhook_retry > std::chrono::hours(1)) {
    return fail(Code::kInvalid, "webhook-retry: must be 1ms to 60m");
  }
  if (settings.max_body == 0 || settings.max_body > kGiB) {
    return fail(Code::kInvalid, "max-body: must be 1 byte to 1 GiB");
  }
  const auto catalog = runtime::Catalog::open(settings.runtimes);
  if (!catalog) return std::unexpected(catalog.error().context("runtimes"));
  for (const std::string_view each : comma_list(settings.prewarm)) {
    const auto known = catalog->by_name(each);
    if (!known) return std::unexpected(known.error().context("prewarm"));
  }
  if (settings.pool > 256) return fail(Code::kInvalid, "pool: must be at most 256");
  if (settings.concurrent > 1000) return fail(Code::kInvalid, "concurrent: must be at most 1000");
  if (!parse_bytes(settings.memory_limit)) {
    return fail(Code::kInvalid,
                "secure-sandbox-memory (MEMORY_LIMIT): must be a size such as 100m");
  }
  LimitOverrides limits;
  if (const Status cpus = set_limit(limits, "cpus", settings.cpu_limit); !cpus) {
    return std::unexpected(cpus.error().context("secure-sandbox-cpus (CPU_LIMIT)"));
  }
  if (settings.execution_timeout == 0) {
    return fail(Code::kInvalid, "secure-sandbox-timeout (EXECUTION_TIMEOUT): must be at least 1");
  }
  // What no run of POST /execute could have would make each of them fail.
  TRY_ASSIGN(const Policy policy, builtin_policy("secure-sandbox"));
  limits.wall = std::chrono::seconds(settings.execution_timeout);
  limits.memory = *parse_bytes(settings.memory_limit);
  limits.processes = settings.pids_limit;
  if (const Status within = check_within(apply(policy.defaults, limits), policy.maximum); !within) {
    return std::unexpected(
        within.error().context("secure-sandbox (EXECUTION_TIMEOUT, MEMORY_LIMIT, PIDS_LIMIT)"));
  }
  return {};
}

std::string describe(const Settings& settings) {
  std::string page;
  for (const SettingField& field : kFields) {
    page += toml_name(field.name) + " = ";
    switch (field.kind) {
      case Kind::kText:
        page += '"' + escape_for_terminal(settings.*field.text) + '"';
        break;
      case Kind::kFlag:
        page += settings.*field.flag ? "true" : "false";
        break;
      case Kind::kCount:
      case Kind::kBytes:
        page += std::to_string(settings.*field.number);
        break;
      case Kind::kDuration:
        page += '"' + std::to_string((settings.*field.duration).count() / 1'000'000) + "ms\"";
        break;
    }
    page += "  # " + std::string(field.help) + "\n";
  }
  return page;
}

}  // namespace belljar::api
