// Which request goes where, who asks, and how often he may.
#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "api/problem.h"
#include "api/service.h"
#include "base/id.h"
#include "base/sys.h"
#include "base/text.h"

namespace belljar::api {
namespace {

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// Whether `path` is of the pattern; fills in what stands for {name}. {name+} takes the whole rest.
bool matches(std::string_view pattern,
             std::string_view path,
             std::map<std::string, std::string, std::less<>>& values) {
  const auto wanted = split(pattern, '/');
  const auto got = split(path, '/');
  values.clear();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (i >= got.size()) return false;
    std::string_view word = wanted[i];
    if (!word.starts_with('{')) {
      if (word != got[i]) return false;
      continue;
    }
    word = word.substr(1, word.size() - 2);
    if (word.ends_with('+')) {
      const auto rest = static_cast<std::size_t>(got[i].data() - path.data());
      values.emplace(word.substr(0, word.size() - 1), path.substr(rest));
      return rest < path.size();
    }
    if (got[i].empty()) return false;
    values.emplace(word, got[i]);
  }
  return got.size() == wanted.size();
}

// A file may have any name, every other part of a path is text.
bool is_text(std::string_view path, const std::map<std::string, std::string, std::less<>>& values) {
  if (is_valid_utf8(path)) return true;
  return values.contains("path") && std::ranges::all_of(values, [](const auto& value) {
           return value.first == "path" || is_valid_utf8(value.second);
         });
}

Response not_text() {
  return problem(400, "The request is not valid",
                 "the request's target holds bytes that no path has");
}

bool listed(std::string_view list, std::string_view value) {
  const auto words = comma_list(list);
  return std::ranges::find(words, value) != words.end();
}

// The nearest address in X-Forwarded-For that is none of our proxies.
std::string client_address(const Request& request, std::string_view proxies) {
  std::string address = request.peer;
  const auto forwarded = request.header("x-forwarded-for");
  if (!forwarded || !listed(proxies, address)) return address;
  auto hops = split(*forwarded, ',');
  std::ranges::reverse(hops);
  for (std::string_view hop : hops) {
    const std::string text(trim_blanks(hop));
    in_addr four{};
    in6_addr six{};
    if (::inet_pton(AF_INET, text.c_str(), &four) != 1 &&
        ::inet_pton(AF_INET6, text.c_str(), &six) != 1) {
      return address;
    }
    address = text;
    if (!listed(proxies, address)) return address;
  }
  return address;
}

std::string_view without_port(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  return colon != std::string_view::npos && !host.ends_with(']') ? host.substr(0, colon) : host;
}

// Whether the host that a request was sent to is this one by a name that no name server gives out.
// A page of evil.example whose name was made to mean 127.0.0.1 is of the same origin as what it
// asks; only the name tells.
bool names_loopback(std::string_view host) {
  const std::string name(without_port(host));
  in_addr four{};
  return name == "localhost" || name == "[::1]" ||
         (::inet_pton(AF_INET, name.c_str(), &four) == 1 && (ntohl(four.s_addr) >> 24) == 127);
}

// A page cannot set headers on a WebSocket; among the protocols that it offers may stand its key.
std::string_view key_of_socket(const Request& request) {
  constexpr std::string_view kKey = "bearer.";
  const auto offered = request.header("sec-websocket-protocol");
  if (!request.upgrade || !offered) return {};
  for (const std::string_view word : comma_list(*offered)) {
    if (word.starts_with(kKey)) return word.substr(kKey.size());
  }
  return {};
}

// A page of another site may make a browser send requests here, and loopback asks for no key.
bool is_of_another_site(const Request& request, std::string_view origins) {
  const auto origin = request.header("origin");
  if (!origin || listed(origins, *origin)) return false;
  const auto host = request.header("host");
  return !host ||
         (*origin != "http://" + std::string(*host) && *origin != "https://" + std::string(*host));
}

}  // namespace

std::span<const Service::Route> Service::routes() {
  static constexpr std::array kRoutes{
      Route{"POST", "/v1/runs", &Service::create_run, "runs"},
      Route{"GET", "/v1/runs", &Service::list_runs, "runs"},
      Route{"GET", "/v1/runs/interactive", &Service::interact, "runs"},
      Route{"GET", "/v1/runs/{id}", &Service::get_run, "runs"},
      Route{"POST", "/v1/runs/{id}/cancel", &Service::cancel_run, "runs"},
      Route{"GET", "/v1/runs/{id}/events", &Service::run_events, "runs"},
      Route{"GET", "/v1/runs/{id}/request", &Service::run_request, "runs"},
      Route{"GET", "/v1/runs/{id}/artifacts", &Service::list_artifacts, "runs"},
      Route{"GET", "/v1/runs/{id}/artifacts/{path+}", &Service::get_artifact, "runs"},
      Route{"POST", "/v1/batches", &Service::create_batch, "runs"},
      Route{"GET", "/v1/batches/{id}", &Service::get_batch, "runs"},
      Route{"POST", "/v1/sessions", &Service::create_session, "runs"},
      Route{"GET", "/v1/sessions", &Service::list_sessions, "runs"},
      Route{"GET", "/v1/sessions/{id}", &Service::get_session, "runs"},
      Route{"DELETE", "/v1/sessions/{id}", &Service::quit_session, "runs"},
      Route{"POST", "/v1/sessions/{id}/executions", &Service::create_execution, "runs"},
      Route{"GET", "/v1/sessions/{id}/interactive", &Service::interact_in_session, "runs"},
      Route{"GET", "/v1/sessions/{id}/executions", &Service::list_executions, "runs"},
      Route{"GET", "/v1/sessions/{id}/executions/{execution}", &Service::get_execution, "runs"},
      Route{"GET", "/v1/sessions/{id}/executions/{execution}/events", &Service::execution_events,
            "runs"},
      Route{"POST", "/v1/sessions/{id}/interrupt", &Service::interrupt_session, "runs"},
      Route{"POST", "/v1/sessions/{id}/pause", &Service::pause_session, "runs"},
      Route{"POST", "/v1/sessions/{id}/resume", &Service::resume_session, "runs"},
      Route{"GET", "/v1/sessions/{id}/files", &Service::list_session_files, "runs"},
      Route{"GET", "/v1/sessions/{id}/files/{path+}", &Service::get_session_file, "runs"},
      Route{"PUT", "/v1/sessions/{id}/files/{path+}", &Service::put_session_file, "runs"},
      Route{"DELETE", "/v1/sessions/{id}/files/{path+}", &Service::remove_session_file, "runs"},
      Route{"POST", "/v1/sessions/{id}/contexts", &Service::create_context, "runs"},
      Route{"POST", "/v1/sessions/{id}/contexts/{name}/restart", &Service::restart_context, "runs"},
      Route{"DELETE", "/v1/sessions/{id}/contexts/{name}", &Service::remove_context, "runs"},
      Route{"GET", "/v1/languages", &Service::languages, ""},
      Route{"GET", "/v1/policies", &Service::policies, ""},
      Route{"GET", "/v1/walls", &Service::walls, ""},
      Route{"GET", "/v1/system", &Service::system, ""},
      Route{"GET", "/healthz", &Service::health, ""},
      Route{"GET", "/readyz", &Service::ready, ""},
      Route{"GET", "/metrics", &Service::metrics_page, "metrics"},
      Route{"GET", "/openapi.yaml", &Service::contract, ""},
      Route{"GET", "/docs", &Service::page, ""},
      Route{"GET", "/docs/{file}", &Service::page, ""},
      Route{"GET", "/", &Service::playground, ""},
      Route{"GET", "/r/{id}", &Service::playground, ""},
      Route{"GET", "/tests", &Service::playground, ""},
      Route{"GET", "/tests/{id}", &Service::playground, ""},
      Route{"GET", "/notebook", &Service::playground, ""},
      Route{"GET", "/history", &Service::playground, ""},
      Route{"GET", "/compare", &Service::playground, ""},
      Route{"GET", "/status", &Service::playground, ""},
      Route{"GET", "/web/{file}", &Service::playground, ""},
      Route{"POST", "/execute", &Service::secure_sandbox, "runs"},
      Route{"POST", "/run", &Service::safe_code_executor, "runs"},
      Route{"POST", "/pysandbox", &Service::pysandbox, "runs"},
  };
  return kRoutes;
}

Service::Service(const Settings& settings,
                 const runtime::Catalog& catalog,
                 ledger::Store& store,
                 engine::Runner& runner,
                 Metrics& metrics,
                 RunService& runs,
                 SessionService& sessions,
                 HostFacts host)
    : settings_(settings),
      catalog_(catalog),
      store_(store),
      runner_(runner),
      metrics_(metrics),
      runs_(runs),
      sessions_(sessions),
      e2b_(sessions, runs),
      pysandbox_cells_(sessions, pysandbox_ports(settings).value_or(std::vector<std::uint16_t>())),
      host_(std::move(host)) {}

Result<Caller> Service::identify(const Request& request) {
  Caller caller;
  caller.address = address_of(client_address(request, settings_.proxies));
  caller.id = "ip:" + caller.address;
  std::string_view secret;
  if (const auto header = request.header("authorization")) {
    // The scheme's case does not count (RFC 9110, section 11.1).
    constexpr std::string_view kBearer = "bearer ";
    if (ascii_lower(header->substr(0, kBearer.size())) != kBearer) {
      return fail(Code::kDenied, "authorization: must be \"Bearer \" and a key");
    }
    secret = header->substr(kBearer.size());
  }
  if (secret.empty()) secret = key_of_socket(request);
  if (secret.empty()) {
    TRY_ASSIGN(const Endpoint endpoint, parse_endpoint(settings_.listen));
    const bool open = endpoint.loopback ? !settings_.require_key : settings_.open_to_all;
    if (!open) return fail(Code::kDenied, "authorization: a key is needed");
    return caller;
  }
  TRY_ASSIGN(ledger::Key key, store_.check_key(secret, unix_ms()));
  caller.id = key.id;
  caller.key = std::move(key);
  return caller;
}

// A name of somebody else's that leads to a loopback address makes a browser take us for a page of
// theirs (DNS rebinding). Where a key is needed that gains them nothing.
bool Service::knows_host(const Request& request) const {
  const auto host = request.header("host");
  if (!host || request.header("authorization") || settings_.require_key) return true;
  const auto endpoint = parse_endpoint(settings_.listen);
  if (endpoint && !endpoint->loopback) return true;
  return names_loopback(*host) || listed(settings_.hosts, without_port(*host));
}

std::size_t Service::rate_of(const Caller& caller) const {
  if (caller.key && caller.key->limits.requests_per_minute > 0) {
    return static_cast<std::size_t>(caller.key->limits.requests_per_minute);
  }
  return settings_.rate;
}

// Zero where it is let in, else how long to wait. What other gateways let in counts too.
Nanoseconds Service::take_rate(const std::string& who, std::size_t limit, std::size_t count) {
  if (limit == 0 || count == 0) return {};
  const std::size_t elsewhere = runner_.let_in_elsewhere(who);
  Nanoseconds wait{};
  {
    const std::lock_guard lock(mutex_);
    wait = rate_.take(who, limit, sys::now(), count, elsewhere);
  }
  if (wait == Nanoseconds{}) runner_.let_in(who, count);
  return wait;
}

bool Service::admit(const Caller& caller, const Reply& reply) {
  const std::size_t limit = rate_of(caller);
  const Nanoseconds wait = take_rate(caller.id, limit, 1);
  if (wait == Nanoseconds{}) return true;
  metrics_.count("belljar_refusals_total", "reason=\"rate\"");
  reply(retry_later(429, "more than " + std::to_string(limit) + " requests a minute", wait));
  return false;
}

// Each run of a batch costs what it would cost by itself: who is held to ten requests a minute is
// not given a thousand runs by asking for them at once.
bool Service::admit_batch(const Caller& caller,
                          std::string_view field,
                          std::size_t count,
                          const Reply& reply) {
  const std::size_t limit = rate_of(caller);
  if (limit == 0) return true;
  if (count > limit) {
    reply(problem(400, "The request is not valid",
                  std::string(field) + ": must be at most " + std::to_string(limit) +
                      ", the requests a minute that you may make; each run counts as one"));
    return false;
  }
  const Nanoseconds wait = take_rate(caller.id, limit, count - 1);
  if (wait == Nanoseconds{}) return true;
  metrics_.count("belljar_refusals_total", "reason=\"rate\"");
  reply(retry_later(429,
                    "each run of a batch counts as a request: with these " + std::to_string(count) +
                        " it were more than " + std::to_string(limit) + " a minute",
                    wait));
  return false;
}

Reply Service::measured(const Request& request, std::string_view route, const Reply& reply) {
  static constexpr std::array<std::string_view, 6> kMethods{"GET",  "POST",    "PUT",
                                                            "HEAD", "OPTIONS", "DELETE"};
  const std::string method(std::ranges::find(kMethods, request.method) != kMethods.end()
                               ? std::string_view(request.method)
                               : "other");
  return [this, method, route = std::string(route), since = sys::now(), reply](Response response) {
    const std::string labels = "route=\"" + route + "\",method=\"" + method + "\"";
    metrics_.count("belljar_http_requests_total",
                   labels + ",status=\"" + std::to_string(response.status) + "\"");
    metrics_.observe("belljar_http_request_seconds", labels, sys::now() - since);
    reply(std::move(response));
  };
}

// Headers that every answer has.
Reply Service::with_headers(const Request& request, const Reply& reply) const {
  std::string origin;
  if (const auto from = request.header("origin"); from && listed(settings_.origins, *from)) {
    origin = *from;
  }
  std::string trace;
  if (const auto parent = request.header("traceparent")) trace = cut_utf8(*parent, 128);
  return [origin, trace, reply](Response response) {
    response.headers.emplace_back("X-Content-Type-Options", "nosniff");
    response.headers.emplace_back("Referrer-Policy", "no-referrer");
    response.headers.emplace_back("Cross-Origin-Resource-Policy",
                                  origin.empty() ? "same-origin" : "cross-origin");
    if (std::ranges::none_of(response.headers,
                             [](const auto& each) { return each.first == "Cache-Control"; })) {
      response.headers.emplace_back("Cache-Control", "no-store");
    }
    if (std::ranges::none_of(response.headers, [](const auto& each) {
          return each.first == "Content-Security-Policy";
        })) {
      response.headers.emplace_back("Content-Security-Policy",
                                    "default-src 'none'; frame-ancestors 'none'");
    }
    if (!origin.empty()) {
      response.headers.emplace_back("Access-Control-Allow-Origin", origin);
      response.headers.emplace_back("Vary", "Origin");
    }
    if (!trace.empty()) response.headers.emplace_back("Traceparent", trace);
    reply(std::move(response));
  };
}

void Service::handle(const Request& request, const Reply& plain_reply) {
  const Reply outer = with_headers(request, plain_reply);
  Context context{.request = request, .caller = {}, .path = {}};
  std::string allowed;
  const Route* route = nullptr;
  const std::string_view method =
      request.method == "HEAD" ? "GET" : std::string_view(request.method);
  for (const Route& each : routes()) {
    std::map<std::string, std::string, std::less<>> values;
    if (!matches(each.pattern, request.path, values)) continue;
    if (each.method != method) {
      allowed += (allowed.empty() ? "" : ", ") + std::string(each.method);
      continue;
    }
    if (route == nullptr) {
      route = &each;
      context.path = std::move(values);
    }
  }
  const Reply reply = measured(request, route != nullptr ? route->pattern : "none", outer);
  if (!is_text(request.path, context.path)) return reply(not_text());
  if (route == nullptr) {
    if (allowed.empty()) return reply(problem(404, "Not found", "there is nothing at this path"));
    if (request.method == "OPTIONS") {
      Response response{.status = 204};
      response.headers.emplace_back("Allow", allowed + ", OPTIONS");
      response.headers.emplace_back("Access-Control-Allow-Methods", allowed);
      response.headers.emplace_back("Access-Control-Allow-Headers",
                                    "authorization, content-type, idempotency-key, last-event-id");
      return reply(std::move(response));
    }
    Response response = problem(405, "Method not allowed", "this path answers " + allowed);
    response.headers.emplace_back("Allow", allowed);
    return reply(std::move(response));
  }
  if (!route->scope.empty()) {
    if (is_of_another_site(request, settings_.origins)) {
      metrics_.count("belljar_refusals_total", "reason=\"origin\"");
      return reply(
          problem(403, "Not allowed",
                  "origin: pages of " + quote(*request.header("origin")) + " may not ask"));
    }
    if (!knows_host(request)) {
      metrics_.count("belljar_refusals_total", "reason=\"host\"");
      return reply(problem(403, "Not allowed", "host: this service is not known by that name"));
    }
    Result<Caller> caller = identify(request);
    if (!caller) {
      metrics_.count("belljar_refusals_total", "reason=\"key\"");
      Response response = caller.error().code == Code::kDenied
                              ? problem(401, "Not authorized", caller.error().message)
                              : problem(caller.error());
      if (response.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
      return reply(std::move(response));
    }
    context.caller = *std::move(caller);
    if (!context.caller.may(route->scope)) {
      return reply(problem(403, "Not allowed", "this key is not for " + std::string(route->scope)));
    }
    if (!admit(context.caller, reply)) return;
  }
  (this->*route->handler)(context, reply);
}

bool Service::refuse_page(const Request& request, const Reply& reply) {
  const auto host = request.header("host");
  if (!is_of_another_site(request, "") && (!host || names_loopback(*host))) return false;
  metrics_.count("belljar_refusals_total", "reason=\"origin\"");
  reply(problem(403, "Not allowed", "origin: pages may not ask here"));
  return true;
}

bool Service::refuse_for_executor(const Request& request, const Reply& reply) {
  if (request.method == "POST") return refuse_page(request, reply);
  Response response = problem(405, "Method not allowed", "this port answers POST");
  response.headers.emplace_back("Allow", "POST");
  reply(std::move(response));
  return true;
}

void Service::handle_pysandbox(std::size_t cell, const Request& request, const Reply& plain_reply) {
  const Reply reply = measured(request, "pysandbox", with_headers(request, plain_reply));
  if (!refuse_for_executor(request, reply)) pysandbox_cells_.handle(cell, request, reply);
}

void Service::handle_executor(const Request& request, const Reply& plain_reply) {
  const Reply reply = measured(request, "executor", with_headers(request, plain_reply));
  if (refuse_for_executor(request, reply)) return;
  Context context{.request = request, .caller = {}, .path = {}};
  context.caller.address = address_of(request.peer);
  context.caller.id = "ip:" + context.caller.address;
  pysandbox(context, reply);
}

void Service::handle_e2b(const Request& request, const Reply& plain_reply) {
  const Reply reply = measured(request, "e2b", with_headers(request, plain_reply));
  if (refuse_page(request, reply)) return;
  if (!is_text(request.path, {})) return reply(not_text());
  // Which to the package is a sandbox that has ended.
  if (closing_) return reply(problem(502, "Not available now", "the service is shutting down"));
  e2b_.handle(request, reply);
}

}  // namespace belljar::api
