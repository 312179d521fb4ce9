#include "app/gateway_main.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <functional>
#include <thread>

#include "api/server.h"
#include "api/service.h"
#include "api/webhook_outbox.h"
#include "app/cells.h"
#include "app/fleet_parts.h"
#include "app/log.h"
#include "app/role.h"
#include "app/service_protocol.h"
#include "app/submission_files.h"
#include "app/supervisor_link.h"
#include "base/id.h"
#include "base/pause.h"
#include "base/sys.h"
#include "base/text.h"
#include "ledger/sqlite_store.h"
#include "screen/parse.h"

namespace belljar::app {
namespace {

struct Sockets {
  Fd listener;
  Fd executor;  // or none
  Fd e2b;       // or none
  std::vector<Fd> pysandbox;
  Fd certificate;  // or none, with the key
  Fd key;
  Fd ledger_password;  // or none
  FleetFiles fleet;
};

// Nothing where the service is to stop before there is one. A server that is away is waited for;
// what else is wrong with the ledger no other start would mend.
Result<std::unique_ptr<ledger::Store>> open_ledger(const api::Settings& settings,
                                                   const FleetParts* fleet,
                                                   int password_fd,
                                                   const sigset_t& stop) {
  if (settings.ledger.empty()) {
    const auto sync = settings.sync == "normal" ? ledger::SqliteOptions::Sync::kNormal
                                                : ledger::SqliteOptions::Sync::kFull;
    TRY_ASSIGN(std::unique_ptr<ledger::Store> store,
               ledger::SqliteStore::open(settings.state_dir + "/ledger.db", {.sync = sync}));
    return store;
  }
  if (fleet == nullptr) return fail(Code::kInternal, "the gateway of a fleet is belljar-fleet");
  std::string password;
  if (password_fd >= 0) {
    TRY_ASSIGN(password, ledger_password(password_fd));
  }
  TRY_ASSIGN(const std::string home, installation(settings.state_dir));
  while (true) {
    auto store = fleet->open(settings, password, home);
    Status good =
        store ? check_open_address(settings, **store) : Status(std::unexpected(store.error()));
    if (good) return store;
    if (good.error().code != Code::kExhausted) {
      log_event("gateway_failed", {{"reason", good.error().message}});
      ::_exit(kGatewayHopeless);
    }
    log_event("ledger_away", {{"reason", good.error().message}});
    constexpr timespec kPause{.tv_sec = 1, .tv_nsec = 0};
    if (::sigtimedwait(&stop, nullptr, &kPause) > 0) return std::unique_ptr<ledger::Store>();
  }
}

// Forgets old runs, now and then.
void prune_for_ever(const api::Settings& settings,
                    ledger::Store& store,
                    const std::stop_token& stop) {
  const ledger::Retention retention{
      .max_age_ms = static_cast<std::int64_t>(settings.keep_days) * ledger::kDayMs,
      .max_bytes = static_cast<std::int64_t>(settings.keep_bytes)};
  do {
    if (const auto pruned = store.prune(retention, unix_ms()); !pruned) {
      log_event("prune_failed", {{"reason", pruned.error().message}});
    }
  } while (pause_unless_stopped(stop, std::chrono::minutes(10)));
}

// Every request, as one line.
api::RequestHandler logged(api::RequestHandler handler) {
  return [handler = std::move(handler)](const api::Request& request, const api::Reply& reply) {
    const std::string id = make_id("req");
    const Nanoseconds since = sys::now();
    const std::string trace(request.header("traceparent").value_or(""));
    handler(request, [id, since, trace, method = request.method, path = request.path,
                      peer = request.peer, reply](api::Response response) {
      const double ms = static_cast<double>((sys::now() - since).count()) / 1e6;
      boost::json::object event{{"request", id},
                                {"method", repair_utf8(method)},
                                {"path", repair_utf8(path)},
                                {"status", response.status},
                                {"ms", ms},
                                {"peer", peer}};
      for (const auto& [name, value] : response.headers) {
        if (name == "Location") event["location"] = value;
      }
      if (!trace.empty()) event["traceparent"] = repair_utf8(trace);
      log_event("request", std::move(event));
      response.headers.emplace_back("X-Request-Id", id);
      reply(std::move(response));
    });
  };
}

// What a gateway has of a fleet. Nothing where the service is to stop before NATS is there; it is
// waited for, as the ledger is.
template <typename Part>
Result<std::unique_ptr<Part>> open_part(
    Result<std::unique_ptr<Part>> (*open)(const api::Settings& settings,
                                          const FleetFiles& files,
                                          const std::string& home),
    const api::Settings& settings,
    const FleetFiles& files,
    const sigset_t& stop) {
  TRY_ASSIGN(const std::string home, installation(settings.state_dir));
  while (true) {
    auto part = open(settings, files, home);
    if (part || part.error().code != Code::kUnavailable) return part;
    log_event("fleet_away", {{"reason", part.error().message}});
    constexpr timespec kPause{.tv_sec = 1, .tv_nsec = 0};
    if (::sigtimedwait(&stop, nullptr, &kPause) > 0) return std::unique_ptr<Part>();
  }
}

Status serve(const api::Settings& settings, Sockets sockets, const FleetParts* fleet) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int each : {SIGTERM, SIGINT}) sigaddset(&signals, each);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // for every thread that comes after

  TRY_ASSIGN(const runtime::Catalog catalog,
             runtime::Catalog::open(settings.runtimes, settings.fleet.empty()
                                                           ? runtime::Toolchains::kHere
                                                           : runtime::Toolchains::kElsewhere));
  TRY_ASSIGN(const auto store,
             open_ledger(settings, fleet, sockets.ledger_password.get(), signals));
  if (!store) return {};
  sockets.ledger_password.reset();
  api::Metrics metrics;
  SupervisorLink supervisor(kGatewayControlFd);
  std::unique_ptr<Cells> cells;
  std::unique_ptr<engine::Runner> workers;
  std::unique_ptr<engine::LocalSessionHost> sessions_here;
  std::unique_ptr<engine::SessionHost> sessions_there;
  if (settings.fleet.empty()) {
    TRY_ASSIGN(cells, Cells::open(settings, catalog, supervisor, metrics));
    sessions_here =
        std::make_unique<engine::LocalSessionHost>(cells->dispatcher(), cells->session_settings());
  } else {
    if (fleet == nullptr) return fail(Code::kInternal, "the gateway of a fleet is belljar-fleet");
    TRY_ASSIGN(workers, open_part(fleet->open_runner, settings, sockets.fleet, signals));
    if (!workers) return {};
    TRY_ASSIGN(sessions_there, open_part(fleet->open_sessions, settings, sockets.fleet, signals));
    if (!sessions_there) return {};
  }
  engine::Runner& runner = cells ? cells->runner() : *workers;
  const HostFacts host = cells ? cells->host() : HostFacts();
  api::Journal journal(*store);
  api::RunService runs(settings, catalog, *store, journal, runner, metrics);
  TRY(runs.recover());
  engine::SessionHost& session_host = sessions_here ? *sessions_here : *sessions_there;
  api::SessionService sessions(settings, catalog, *store, journal, session_host, metrics, runs);
  if (sessions_here) {
    sessions_here->adopt([&cells] { return cells->connect(); }, catalog,
                         [&runs](const std::string& name) { return runs.policy(name); },
                         [&sessions](const engine::SessionView* each) { sessions.adopt(each); });
  }
  TRY(sessions.recover());
  api::Service service(settings, catalog, *store, runner, metrics, runs, sessions, host);
  const std::vector<std::string_view> proxies = comma_list(settings.proxies);
  // Its threads screen what comes.
  TRY(screen::give_threads_parser_stack(api::ServerSettings().handler_threads));
  api::Server server({.max_body = settings.max_body,
                      .max_connections = settings.max_connections,
                      .max_connections_per_address = settings.max_connections_per_address,
                      .proxies = {proxies.begin(), proxies.end()},
                      .turned_away = [&metrics] {
                        metrics.count("belljar_refusals_total", "reason=\"connections\"");
                      }});
  if (sockets.key.valid()) {
    TRY_ASSIGN(const std::string certificates,
               read_whole(sockets.certificate.get(), "tls-certificate", kMiB));
    TRY_ASSIGN(const std::string key, read_whole(sockets.key.get(), "tls-key", kMiB));
    TRY(server.use_tls(certificates, key));
  }
  const auto listen = [&](Fd& socket, auto handle, bool plain = false) -> Status {
    if (!socket.valid()) return {};
    return server.listen(
        std::move(socket),
        logged([&service, handle](const api::Request& request, const api::Reply& reply) {
          std::invoke(handle, service, request, reply);
        }),
        plain);
  };
  TRY(listen(sockets.listener, &api::Service::handle));
  TRY(listen(sockets.executor, &api::Service::handle_executor));
  // What speaks the protocol to localhost speaks it without TLS.
  TRY(listen(sockets.e2b, &api::Service::handle_e2b, true));
  for (std::size_t cell = 0; cell < sockets.pysandbox.size(); ++cell) {
    const auto handle = [cell](api::Service& each, const api::Request& request,
                               const api::Reply& reply) {
      each.handle_pysandbox(cell, request, reply);
    };
    TRY(listen(sockets.pysandbox[cell], handle, true));
  }
  const std::jthread pruner(
      [&settings, &store](const std::stop_token& stop) { prune_for_ever(settings, *store, stop); });
  std::jthread adopter([&runs, &sessions](const std::stop_token& stop) {
    runs.adopt_for_ever(
        stop, [&sessions](const ledger::Run& run) { (void)sessions.look_after(run).has_value(); });
  });
  TRY_ASSIGN(api::WebhookRules webhook_rules, api::webhook_rules(settings));
  TRY_ASSIGN(std::vector<std::string> secrets, api::webhook_secrets(settings.state_dir));
  api::WebhookOutbox outbox(
      settings, *store, metrics, std::move(webhook_rules), std::move(secrets),
      [&supervisor] { return supervisor.request(GatewayMessage::kSender); }, log_event);
  const std::jthread webhooks([&outbox](const std::stop_token& stop) { outbox.run(stop); });
  std::atomic<bool> drained = true;
  const std::jthread stopper([&] {
    int signal = 0;
    ::sigwait(&signals, &signal);
    log_event("stopping", {{"signal", signal_name(signal)}});
    service.close();
    adopter.request_stop();
    // What was taken is finished first, so that who waits for it still gets its answer.
    drained = runner.drain(settings.drain);
    server.stop(drained ? std::chrono::seconds(5) : std::chrono::seconds(0));
  });
  TRY(supervisor.tell(GatewayMessage::kReady));
  log_event("ready", {{"kernel", host.kernel},
                      {"cgroup_mode", host.cgroup_mode},
                      {"concurrent", runner.state().capacity}});
  server.serve();
  if (!drained) {
    // What still runs is in the ledger, and the next start runs it again; its cells end with us.
    log_event("stopped", {{"unfinished", runner.state().running}});
    ::_exit(0);
  }
  adopter.request_stop();
  adopter.join();
  session_host.close();
  // Before what its jobs use goes away.
  if (cells) cells->stop();
  return {};
}

// What the supervisor gave, taken over before anything else can get these numbers.
Sockets inherit() {
  Sockets sockets{.listener = Fd::adopt(kGatewayListenFd)};
  if (::fcntl(kGatewayExecutorFd, F_GETFD) >= 0) sockets.executor = Fd::adopt(kGatewayExecutorFd);
  if (::fcntl(kGatewayE2bFd, F_GETFD) >= 0) sockets.e2b = Fd::adopt(kGatewayE2bFd);
  if (::fcntl(kGatewayKeyFd, F_GETFD) >= 0) {
    sockets.certificate = Fd::adopt(kGatewayCertificateFd);
    sockets.key = Fd::adopt(kGatewayKeyFd);
  }
  if (::fcntl(kGatewayLedgerPasswordFd, F_GETFD) >= 0) {
    sockets.ledger_password = Fd::adopt(kGatewayLedgerPasswordFd);
  }
  sockets.fleet = fleet_files();
  int after = kGatewayPysandboxFd;
  for (; ::fcntl(after, F_GETFD) >= 0; ++after) sockets.pysandbox.push_back(Fd::adopt(after));
  return sockets;
}

}  // namespace

int gateway_main(int argc, char** argv, const FleetParts* fleet) {
  Sockets sockets = inherit();
  return role_main(argc, argv, fleet, "gateway_failed", [&](const api::Settings& settings) {
    return serve(settings, std::move(sockets), fleet);
  });
}

}  // namespace belljar::app
