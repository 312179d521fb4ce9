// Settings: how a service is set up. Plain values; api/settings.cpp reads them from a TOML file,
// the environment and the command line, each over the one before.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "model/policy.h"

namespace belljar::api {

struct Settings {
  // Listening.
  std::string listen = "127.0.0.1:8000";  // ADDRESS:PORT; an IPv6 address in brackets
  std::uint64_t executor_port = 0;        // pysandbox's executor on loopback; 0: none
  std::string pysandbox_ports;            // a cell of pysandbox's each, on loopback; empty: none
  std::uint64_t e2b_port = 0;             // E2B's code interpreter on loopback; 0: none
  bool open_to_all = false;               // another address than loopback without keys
  std::string tls_certificate;            // PEM file, with its chain; empty: no TLS
  std::string tls_key;                    // PEM file
  bool require_key = false;               // on loopback too
  std::string proxies;                    // addresses whose X-Forwarded-For is believed
  std::string hosts;                      // more names that this service may be asked by
  std::string origins;                    // for CORS, separated by commas; empty: none
  std::uint64_t max_body = 16 * kMiB;     // bytes of a request's body
  std::uint64_t max_connections = 1000;
  std::uint64_t max_connections_per_address = 250;  // IPv6 by /64; 0: no cap

  // Running.
  std::string policy = "default";
  std::string screening = "default";  // rules where a request names none; "none": no screening
  std::string runtimes;               // folder of manifests over the built-in ones
  std::uint64_t compile_cache = 256 * kMiB;  // bytes of what was compiled, in memory; 0: none
  std::string headers;  // folder of precompiled headers; empty: the usual one; "none": do without
  std::uint64_t concurrent = 0;             // runs at once; 0: twice the processors
  std::uint64_t concurrent_per_caller = 0;  // 0: no limit of its own
  std::uint64_t memory = 0;  // that runs at once may use together; 0: half of what is there
  std::uint64_t pool = 16;   // finished cells that wait for runs; 0: none
  std::string prewarm =
      "python";  // languages, with commas between, for which cells wait from the beginning
  std::uint64_t queue = 1000;
  std::uint64_t queue_per_caller = 200;
  Nanoseconds queue_wait = std::chrono::seconds(60);
  std::uint64_t rate = 0;  // requests a minute and caller; 0: no limit
  Nanoseconds drain = std::chrono::seconds(30);
  std::uint64_t sessions = 100;  // at once
  std::uint64_t sessions_per_caller = 20;
  std::uint64_t session_spares = 1;                 // that wait for who asks for nothing special
  Nanoseconds session_ttl = std::chrono::hours(4);  // longest life of one
  Nanoseconds session_idle = std::chrono::minutes(30);  // longest time without an execution
  std::string on_restart = "rerun";  // or "lost": what becomes of runs that a crash cut off

  // Recording.
  std::string state_dir;             // where the ledger is, and what is this installation's own
  std::string ledger;                // postgresql://…; empty: the file ledger.db in state_dir
  std::string ledger_password_file;  // of that server
  std::uint64_t ledger_connections = 8;
  Nanoseconds ledger_timeout = std::chrono::seconds(5);  // of one statement of that server
  std::string fleet;  // nats://…,…: runs go to its workers, or come from it; empty: none
  std::string fleet_credentials_file, fleet_ca_file, fleet_certificate_file, fleet_key_file;
  std::string fleet_name = "worker";  // of a worker: the subjects of NATS that are its own
  std::string fleet_pool;             // of a worker: those that can run the same; empty: found out
  std::string fleet_labels;           // of this machine, or of a worker: NAME=VALUE, by commas
  std::uint64_t fleet_replicas = 1;   // of what NATS keeps
  std::uint64_t fleet_streams = 1;    // of work
  std::string sync = "full";          // or "normal": a power cut may lose the last moments
  std::uint64_t keep_days = 30;
  std::uint64_t keep_bytes = 4 * kGiB;

  // Webhooks.
  std::string webhook_ports = "80,443,8080,8443";  // ports and ranges that they may go to
  std::string webhook_allow;  // networks that they may go to besides the public internet
  Nanoseconds webhook_retry = std::chrono::seconds(10);  // before the second attempt
  std::uint64_t webhook_rate = 300;  // attempts a minute to one receiver; 0: no limit
  std::string webhook_dns;           // name servers; empty: the host's
  std::string webhook_ca;            // certificates of authorities, PEM; empty: the host's

  // The gateway's user, when the service is started by root.
  std::string user;

  // secure-sandbox's own, by the names it documents.
  std::uint64_t rate_limit = 10;            // RATE_LIMIT: requests a minute and address
  std::uint64_t execution_timeout = 3;      // EXECUTION_TIMEOUT: seconds
  std::string memory_limit = "100m";        // MEMORY_LIMIT
  std::string cpu_limit = "1";              // CPU_LIMIT
  std::uint64_t pids_limit = 64;            // PIDS_LIMIT
  std::uint64_t max_concurrent = 2;         // MAX_CONCURRENT: runs at once and address
  std::uint64_t max_code_size = 64 * kKiB;  // MAX_CODE_SIZE: bytes
};

// One setting: its names everywhere and its place.
struct SettingField {
  std::string_view name;         // flag --max-body, TOML key max_body
  std::string_view environment;  // BELLJAR_MAX_BODY
  std::string_view help;
  enum class Kind : std::uint8_t { kText, kFlag, kCount, kBytes, kDuration } kind;
  std::string Settings::* text = nullptr;
  bool Settings::* flag = nullptr;
  std::uint64_t Settings::* number = nullptr;
  Nanoseconds Settings::* duration = nullptr;
};
std::span<const SettingField> setting_fields();

// kInvalid names the setting and what it must be.
Status set(Settings& settings, const SettingField& field, std::string_view value);
// A file's text; unknown keys are kInvalid with their line.
Status read_toml(Settings& settings, std::string_view toml, const std::string& where);
// What of `environment` ("NAME=value") is ours; another BELLJAR_ variable is left alone.
Status read_environment(Settings& settings, std::span<const std::string> environment);
// What no single setting can tell: the address, keys on an open address.
Status check(const Settings& settings);

// The ports of pysandbox_ports, in their order. kInvalid says what is wrong with the text.
Result<std::vector<std::uint16_t>> pysandbox_ports(const Settings& settings);
inline constexpr std::size_t kMostPysandboxPorts = 32;

// One line per setting as it is now, for `belljar config check`.
std::string describe(const Settings& settings);

struct Endpoint {
  std::string address;
  std::uint16_t port = 0;
  bool loopback = false;
};
Result<Endpoint> parse_endpoint(std::string_view text);

}  // namespace belljar::api
