// What the service says about itself.
#include <boost/json.hpp>

#include "api/pages.h"
#include "api/problem.h"
#include "api/service.h"
#include "model/builtin_policies.h"
#include "model/json_text.h"

namespace belljar::api {

namespace json = boost::json;

namespace {

// #embed is of C23 and C++26; this compiler has it in C++23 as an extension.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wc23-extensions"
// clang-format off: it would put spaces into the name
constexpr char kContract[] = {
#embed <openapi.yaml>
};
// clang-format on
#pragma clang diagnostic pop

}  // namespace

void Service::languages(const Context& /*context*/, const Reply& reply) {
  json::array list;
  for (const std::string& name : catalog_.names()) {
    const auto manifest = catalog_.by_name(name);
    if (!manifest) continue;
    json::object language{
        {"name", manifest->name},
        {"title", manifest->title},
        {"aliases", json::array(manifest->aliases.begin(), manifest->aliases.end())},
        {"extensions", json::array(manifest->extensions.begin(), manifest->extensions.end())},
        {"compiled", manifest->compile.has_value()},
        {"sessions", !manifest->session.empty()},
        {"available", runner_.has(*manifest)},
        {"package", manifest->package},
        {"hello", {{"file", manifest->hello.file}, {"source", manifest->hello.source}}}};
    list.push_back(std::move(language));
  }
  reply({.body = json_text(json::object{{"languages", std::move(list)}})});
}

void Service::health(const Context& /*context*/, const Reply& reply) {
  reply({.body = R"({"status":"ok"})"});
}

void Service::ready(const Context& /*context*/, const Reply& reply) {
  if (closing_) return reply(problem(503, "Not available now", "the service is shutting down"));
  // A ledger that cannot be read takes no submission either.
  if (const auto bytes = store_.bytes(); !bytes) {
    return reply(problem(503, "Not available now", "the ledger does not answer"));
  }
  if (const Status there = runner_.ready(); !there) {
    return reply(problem(503, "Not available now", there.error().message));
  }
  reply({.body = R"({"status":"ready"})"});
}

void Service::system(const Context& /*context*/, const Reply& reply) {
  const engine::RunnerState state = runner_.state();
  json::array policies;
  for (const std::string_view name : builtin_policy_names()) policies.emplace_back(name);
  json::object object{
      {"version", BELLJAR_VERSION},
      {"kernel", host_.kernel},
      {"cgroup_mode", host_.cgroup_mode},
      {"landlock_abi", host_.landlock_abi},
      {"rootless", host_.rootless},
      {"policies", std::move(policies)},
      {"default_policy", settings_.policy},
      {"runs",
       {{"running", state.running},
        {"waiting", state.waiting},
        {"concurrent", state.capacity},
        {"queue", settings_.queue}}},
  };
  reply({.body = json_text(object)});
}

void Service::metrics_page(const Context& /*context*/, const Reply& reply) {
  const engine::RunnerState state = runner_.state();
  Response response{.type = "text/plain; version=0.0.4; charset=utf-8"};
  std::vector<Metrics::Gauge> gauges{{"belljar_runs_waiting", static_cast<double>(state.waiting)},
                                     {"belljar_runs_running", static_cast<double>(state.running)},
                                     {"belljar_sessions", static_cast<double>(sessions_.count())},
                                     {"belljar_ready", closing_ ? 0.0 : 1.0}};
  for (const engine::Gauge& each : runner_.gauges()) {
    gauges.push_back({each.name, each.value, each.labels});
  }
  response.body = metrics_.text(gauges);
  reply(std::move(response));
}

void Service::contract(const Context& /*context*/, const Reply& reply) {
  reply({.type = "application/yaml", .body = std::string(kContract, sizeof kContract)});
}

void Service::page(const Context& context, const Reply& reply) {
  const auto name = context.path.find("file");
  for (const PageFile& file : documentation_files()) {
    if (file.name != (name == context.path.end() ? "" : name->second)) continue;
    Response response{.type = std::string(file.type), .body = std::string(file.content)};
    response.headers.emplace_back("Cache-Control", "no-cache");
    // The viewer sets styles on its elements.
    response.headers.emplace_back("Content-Security-Policy",
                                  "default-src 'none'; script-src 'self'; style-src 'self' "
                                  "'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
                                  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    return reply(std::move(response));
  }
  reply(problem(404, "Not found", "there is nothing at this path"));
}

}  // namespace belljar::api
