// The table of settings: the file, the environment, the command line, the help text and
// `belljar config` all walk it, so none of them can drift from another.
#pragma once

#include <array>

#include "api/settings.h"

namespace belljar::api {

constexpr SettingField text_setting(std::string_view name,
                            std::string_view environment,
                            std::string Settings::* place,
                            std::string_view help) {
  return {.name = name, .environment = environment, .help = help, .kind = SettingField::Kind::kText, .text = place};
}
constexpr SettingField flag_setting(std::string_view name,
                            std::string_view environment,
                            bool Settings::* place,
                            std::string_view help) {
  return {.name = name, .environment = environment, .help = help, .kind = SettingField::Kind::kFlag, .flag = place};
}
constexpr SettingField number_setting(std::string_view name,
                              std::string_view environment,
                              std::uint64_t Settings::* place,
                              std::string_view help,
                              SettingField::Kind kind = SettingField::Kind::kCount) {
  return {.name = name, .environment = environment, .help = help, .kind = kind, .number = place};
}
constexpr SettingField duration_setting(std::string_view name,
                                std::string_view environment,
                                Nanoseconds Settings::* place,
                                std::string_view help) {
  return {
      .name = name, .environment = environment, .help = help, .kind = SettingField::Kind::kDuration, .duration = place};
}

inline constexpr std::array kSettingFields{
    text_setting("listen", "BELLJAR_LISTEN", &Settings::listen, "ADDRESS:PORT to listen on"),
    number_setting("executor-port", "EXECUTOR_PORT", &Settings::executor_port,
           "also listen here as pysandbox's executor, on loopback; 0: do not"),
    flag_setting("open-to-all", "BELLJAR_OPEN_TO_ALL", &Settings::open_to_all,
         "listen on another address than loopback without keys"),
    flag_setting("require-key", "BELLJAR_REQUIRE_KEY", &Settings::require_key,
         "ask for a key on loopback too"),
    text_setting("proxies", "BELLJAR_PROXIES", &Settings::proxies,
         "addresses, by commas, whose X-Forwarded-For is believed"),
    text_setting("hosts", "BELLJAR_HOSTS", &Settings::hosts,
                 "names, by commas, besides localhost by which loopback may be asked"),
    text_setting("origins", "BELLJAR_ORIGINS", &Settings::origins,
         "origins, by commas, whose pages may ask (CORS)"),
    number_setting("max-body", "BELLJAR_MAX_BODY", &Settings::max_body, "longest body of a request",
           SettingField::Kind::kBytes),
    number_setting("max-connections", "BELLJAR_MAX_CONNECTIONS", &Settings::max_connections,
           "connections at once"),
    text_setting("policy", "BELLJAR_POLICY", &Settings::policy, "the policy where a request names none"),
    text_setting("screening", "BELLJAR_SCREENING", &Settings::screening,
                 "the screening rules where a request names none; none: no screening"),
    text_setting("runtimes", "BELLJAR_RUNTIMES", &Settings::runtimes,
         "folder of manifests that add or replace languages"),
    number_setting("concurrent", "BELLJAR_CONCURRENT", &Settings::concurrent,
           "runs at once; 0: twice the processors"),
    number_setting("concurrent-per-caller", "BELLJAR_CONCURRENT_PER_CALLER",
           &Settings::concurrent_per_caller, "runs at once of one caller; 0: no limit of its own"),
    number_setting("memory", "BELLJAR_MEMORY", &Settings::memory,
           "memory that runs at once may use together; 0: half of this host's", SettingField::Kind::kBytes),
    number_setting("queue", "BELLJAR_QUEUE", &Settings::queue, "runs that wait, of all callers"),
    number_setting("queue-per-caller", "BELLJAR_QUEUE_PER_CALLER", &Settings::queue_per_caller,
           "runs that wait, of one caller"),
    duration_setting("queue-wait", "BELLJAR_QUEUE_WAIT", &Settings::queue_wait,
             "longest time a run waits for its turn"),
    number_setting("rate", "BELLJAR_RATE", &Settings::rate,
           "requests a minute of one caller; 0: no limit"),
    duration_setting("drain", "BELLJAR_DRAIN", &Settings::drain,
             "how long SIGTERM waits for what runs"),
    text_setting("on-restart", "BELLJAR_ON_RESTART", &Settings::on_restart,
         "what becomes of accepted runs that a crash cut off: rerun or lost"),
    text_setting("state-dir", "BELLJAR_STATE_DIR", &Settings::state_dir, "folder of the ledger"),
    text_setting("sync", "BELLJAR_SYNC", &Settings::sync,
         "full: an accepted run survives a power cut; normal: a crash of the service only"),
    number_setting("keep-days", "BELLJAR_KEEP_DAYS", &Settings::keep_days,
           "days that ended runs are kept; 0: for ever"),
    number_setting("keep-bytes", "BELLJAR_KEEP_BYTES", &Settings::keep_bytes,
           "size of the ledger over which the oldest runs are forgotten; 0: no limit",
           SettingField::Kind::kBytes),
    text_setting("webhook-ports", "BELLJAR_WEBHOOK_PORTS", &Settings::webhook_ports,
         "ports, by commas, ranges too (1024-65535), that webhooks may go to"),
    text_setting("webhook-allow", "BELLJAR_WEBHOOK_ALLOW", &Settings::webhook_allow,
         "networks, by commas (10.1.0.0/16), that webhooks may go to besides the public internet"),
    duration_setting("webhook-retry", "BELLJAR_WEBHOOK_RETRY", &Settings::webhook_retry,
             "wait after the first failed attempt of a webhook; each later one is four times as long"),
    text_setting("webhook-dns", "BELLJAR_WEBHOOK_DNS", &Settings::webhook_dns,
         "name servers for webhooks, by commas, ADDRESS or ADDRESS:PORT; empty: the host's"),
    text_setting("webhook-ca", "BELLJAR_WEBHOOK_CA", &Settings::webhook_ca,
         "file of the authorities (PEM) that webhooks trust; empty: the host's"),
    text_setting("user", "BELLJAR_USER", &Settings::user,
         "user of the gateway when root starts the service; empty: belljar, or a number nobody has"),
    number_setting("secure-sandbox-rate", "RATE_LIMIT", &Settings::rate_limit,
           "POST /execute: requests a minute of one address"),
    number_setting("secure-sandbox-timeout", "EXECUTION_TIMEOUT", &Settings::execution_timeout,
           "POST /execute: seconds"),
    text_setting("secure-sandbox-memory", "MEMORY_LIMIT", &Settings::memory_limit,
         "POST /execute: memory"),
    text_setting("secure-sandbox-cpus", "CPU_LIMIT", &Settings::cpu_limit, "POST /execute: processors"),
    number_setting("secure-sandbox-processes", "PIDS_LIMIT", &Settings::pids_limit,
           "POST /execute: processes"),
    number_setting("secure-sandbox-concurrent", "MAX_CONCURRENT", &Settings::max_concurrent,
           "POST /execute: runs at once of one address"),
    number_setting("secure-sandbox-code", "MAX_CODE_SIZE", &Settings::max_code_size,
           "POST /execute: bytes of code"),
};

}  // namespace belljar::api
