// The playground's page and files, and what it tells people that no other route does.
#include <algorithm>
#include <boost/json.hpp>

#include "api/pages.h"
#include "api/problem.h"
#include "api/service.h"
#include "base/text.h"
#include "model/builtin_policies.h"
#include "model/json_text.h"
#include "model/wall.h"

namespace belljar::api {
namespace {

namespace json = boost::json;

// A limit under the name that an outcome gives it, with its unit.
json::object to_value(const Limits& limits) {
  json::object object;
  for (const LimitField& field : limit_fields()) {
    std::string name(field.name);
    switch (field.kind) {
      case LimitField::Kind::kDuration:
        object[name + "_ms"] = static_cast<double>((limits.*field.duration).count()) / 1e6;
        break;
      case LimitField::Kind::kBytes:
        object[name + "_bytes"] = limits.*field.number;
        break;
      case LimitField::Kind::kCount:
        object[name] = limits.*field.number;
        break;
      case LimitField::Kind::kCpus:
        object[name] = static_cast<double>(limits.*field.number) / 1e3;
        break;
    }
  }
  return object;
}

bool takes_gzip(const Request& request) {
  const auto accepted = request.header("accept-encoding");
  if (!accepted) return false;
  const auto words = comma_list(*accepted);
  return std::ranges::any_of(words, [](std::string_view word) {
    return word == "gzip" || (word.starts_with("gzip;") && !word.ends_with("q=0"));
  });
}

}  // namespace

void Service::playground(const Context& context, const Reply& reply) {
  // Every page of the playground is the same file, which reads its own address.
  const auto name = context.path.find("file");
  const bool is_page = name == context.path.end();
  for (const PlaygroundFile& file : playground_files()) {
    if (file.name != (is_page ? "index.html" : name->second)) continue;
    const bool packed = !file.gzip.empty() && takes_gzip(context.request);
    Response response{.type = std::string(file.type),
                      .body = std::string(packed ? file.gzip : file.content)};
    if (packed) response.headers.emplace_back("Content-Encoding", "gzip");
    response.headers.emplace_back("Vary", "Accept-Encoding");
    // The name of a file has a digest of its content in it.
    response.headers.emplace_back("Cache-Control",
                                  is_page ? "no-cache" : "public, max-age=31536000, immutable");
    // The editor and the terminal write style sheets of their own; no script stands in the page.
    response.headers.emplace_back(
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' "
        "'unsafe-inline'; font-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "frame-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    return reply(std::move(response));
  }
  reply(problem(404, "Not found", "there is nothing at this path"));
}

void Service::policies(const Context& /*context*/, const Reply& reply) {
  json::array list;
  for (const std::string_view name : builtin_policy_names()) {
    const auto policy = runs_.policy(std::string(name));
    if (!policy) continue;
    list.push_back({{"name", name},
                    {"default", to_value((*policy)->defaults)},
                    {"maximum", to_value((*policy)->maximum)}});
  }
  reply({.body = json_text(json::object{{"policies", std::move(list)}})});
}

void Service::walls(const Context& /*context*/, const Reply& reply) {
  json::array list;
  for (int number = 0; number < kWallCount; ++number) {
    const auto wall = static_cast<Wall>(number);
    list.push_back({{"name", to_string(wall)}, {"explanation", explain(wall)}});
  }
  reply({.body = json_text(json::object{{"walls", std::move(list)}})});
}

void Service::run_request(const Context& context, const Reply& reply) {
  const auto run = runs_.find(context.caller, context.path.at("id"));
  if (!run) return reply(problem(run.error()));
  const auto request = as_sent(run->submission);
  if (!request) return reply(problem(request.error()));
  reply({.body = *request});
}

}  // namespace belljar::api
