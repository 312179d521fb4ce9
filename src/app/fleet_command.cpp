// `belljar fleet`: who is there and what waits, from what they tell each other over NATS.
#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>

#include "app/byte_sink.h"
#include "app/exit_codes.h"
#include "app/fleet_parts.h"
#include "app/invocation.h"
#include "app/settings_source.h"
#include "base/text.h"
#include "model/json_text.h"

namespace belljar::app {
namespace {

namespace json = boost::json;

std::uint64_t sessions_of(const fleet::Survey& survey, const std::string& worker) {
  const auto found = survey.sessions.find(worker);
  return found == survey.sessions.end() ? 0 : found->second.count();
}

std::string json_page(const fleet::Survey& survey) {
  json::array workers;
  for (const fleet::WorkerState& each : survey.workers) {
    workers.push_back({{"id", each.id},
                       {"pool", each.pool},
                       {"kernel", each.kernel},
                       {"languages", json::value_from(each.languages)},
                       {"labels", json::value_from(each.labels)},
                       {"capacity", each.capacity},
                       {"running", each.running},
                       {"waiting", each.waiting},
                       {"sessions", sessions_of(survey, each.id)},
                       {"draining", each.draining}});
  }
  json::array gateways;
  for (const fleet::GatewayState& each : survey.gateways) {
    std::uint64_t waiting = 0;
    std::uint64_t running = 0;
    for (const fleet::GatewayState::Caller& caller : each.callers) {
      waiting += caller.waiting;
      running += caller.running;
    }
    gateways.push_back({{"id", each.id},
                        {"callers", each.callers.size()},
                        {"waiting", waiting},
                        {"running", running},
                        {"oldest_ms", each.oldest_ms},
                        {"redelivered", each.redelivered}});
  }
  json::array queues;
  for (const fleet::Queue& each : survey.queues) {
    queues.push_back({{"pool", each.pool},
                      {"lane", each.lane},
                      {"waiting", each.waiting},
                      {"out", each.out},
                      {"redelivered", each.redelivered}});
  }
  json::object page{{"workers", std::move(workers)}, {"gateways", std::move(gateways)}};
  if (survey.unknown.empty()) {
    page["queues"] = std::move(queues);
    page["unrecorded_ends"] = survey.unrecorded_ends;
  } else {
    page["queues_unknown"] = survey.unknown;
  }
  return escape_json_for_terminal(json_text(page)) + "\n";
}

// What others say of themselves is shown as text and nothing else.
std::string plain(const std::string& text) {
  const std::string quoted = quote(text);
  return quoted.substr(1, quoted.size() - 2);
}

std::string table(const fleet::Survey& survey) {
  std::string text = fmt::format("{:<44}  {:<32}  {:>9}  {:>9}  {:<8}  {}\n", "worker", "pool",
                                 "running", "sessions", "", "labels");
  for (const fleet::WorkerState& each : survey.workers) {
    text +=
        fmt::format("{:<44}  {:<32}  {:>9}  {:>9}  {:<8}  {}\n", plain(each.id), plain(each.pool),
                    fmt::format("{}/{}", each.running, each.capacity), sessions_of(survey, each.id),
                    each.draining ? "draining" : "", plain(to_string(each.labels)));
  }
  text += fmt::format("\n{:<44}  {:>9}  {:>9}  {:>11}  {:>11}\n", "gateway", "waiting", "running",
                      "oldest", "redelivered");
  for (const fleet::GatewayState& each : survey.gateways) {
    std::uint64_t waiting = 0;
    std::uint64_t running = 0;
    for (const fleet::GatewayState::Caller& caller : each.callers) {
      waiting += caller.waiting;
      running += caller.running;
    }
    text += fmt::format("{:<44}  {:>9}  {:>9}  {:>9.1f} s  {:>11}\n", plain(each.id), waiting,
                        running, static_cast<double>(each.oldest_ms) / 1e3, each.redelivered);
  }
  if (!survey.unknown.empty()) {
    return text + "\nwhat waits in queues is not known: " + plain(survey.unknown) + "\n";
  }
  text += fmt::format("\n{:<32}  {:>4}  {:>9}  {:>9}  {:>11}\n", "queue", "lane", "waiting", "out",
                      "redelivered");
  for (const fleet::Queue& each : survey.queues) {
    text += fmt::format("{:<32}  {:>4}  {:>9}  {:>9}  {:>11}\n", plain(each.pool), each.lane,
                        each.waiting, each.out, each.redelivered);
  }
  return text + fmt::format("\nends that wait for their gateway: {}\n", survey.unrecorded_ends);
}

}  // namespace

Result<int> fleet_command(Invocation& invocation) {
  TRY_ASSIGN(const api::Settings settings, read_settings(invocation.arguments));
  if (settings.fleet.empty()) return fail(Code::kInvalid, "fleet: give --fleet nats://HOST:PORT");
  if (invocation.fleet == nullptr) return become_fleet(invocation.argv);
  TRY_ASSIGN(const fleet::Survey survey,
             invocation.fleet->look(settings, {.credentials = settings.fleet_credentials_file,
                                               .authorities = settings.fleet_ca_file,
                                               .certificate = settings.fleet_certificate_file,
                                               .key = settings.fleet_key_file}));
  TRY(write_patiently(STDOUT_FILENO,
                      invocation.arguments.has("json") ? json_page(survey) : table(survey)));
  return kExitOk;
}

}  // namespace belljar::app
