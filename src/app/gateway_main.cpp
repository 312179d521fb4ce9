#include "app/gateway_main.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <thread>

#include "api/server.h"
#include "api/service.h"
#include "api/webhook_outbox.h"
#include "app/confinement.h"
#include "app/fleet_ledger.h"
#include "app/header_folders.h"
#include "app/log.h"
#include "app/service_protocol.h"
#include "app/submission_files.h"
#include "base/descriptors.h"
#include "base/id.h"
#include "base/sys.h"
#include "base/text.h"
#include "ledger/sqlite_store.h"
#include "model/builtin_policies.h"
#include "screen/parse.h"

namespace belljar::app {
namespace {

constexpr std::size_t kMostSettings = 1 * kMiB;

// The supervisor, whom two threads may ask at once.
class Supervisor {
 public:
  explicit Supervisor(int control) : control_(control) {}

  // A socket to the process that it starts.
  Result<Fd> request(GatewayMessage message) {
    const std::lock_guard lock(mutex_);
    TRY(sys::send_message(control_, {reinterpret_cast<const char*>(&message), sizeof message}, {}));
    TRY_ASSIGN(sys::Message answer, sys::receive_message(control_, 256));
    if (answer.fds.size() != 1) {
      return fail(Code::kUnavailable,
                  answer.bytes.empty() ? "the supervisor is gone" : answer.bytes);
    }
    return std::move(answer.fds.front());
  }

 private:
  int control_;
  std::mutex mutex_;
};

// Where connections to a warden come from: one warden that all share, and another when it is gone.
class Wardens {
 public:
  // `begin` is told of each new warden.
  Wardens(Supervisor& supervisor, api::Metrics& metrics, std::function<void(warden::Client&)> begin)
      : supervisor_(supervisor), metrics_(metrics), begin_(std::move(begin)) {}

  Result<warden::Client> connect() {
    const std::lock_guard lock(mutex_);
    if (first_) {
      if (auto client = first_->connect()) return client;
      first_.reset();
      metrics_.count("belljar_warden_restarts_total", "");
    }
    TRY_ASSIGN(Fd socket, supervisor_.request(GatewayMessage::kWarden));
    TRY_ASSIGN(first_, warden::Client::adopt(std::move(socket)));
    TRY(first_->host());
    begin_(*first_);
    return first_->connect();
  }

 private:
  Supervisor& supervisor_;
  api::Metrics& metrics_;
  std::function<void(warden::Client&)> begin_;
  std::mutex mutex_;
  std::optional<warden::Client> first_;
};

// Its pool begins with what most runs will ask for. A language whose toolchain is missing is told
// when it is asked for.
void fill_pool(warden::Client& warden,
               const api::Settings& settings,
               const runtime::Catalog& catalog) {
  const auto policy = builtin_policy(settings.policy);
  if (!warden.keep(static_cast<std::uint32_t>(settings.pool)) || !policy) return;
  engine::Engine engine(warden, catalog, *policy);
  for (const std::string_view language : comma_list(settings.prewarm)) {
    const auto manifest = catalog.by_name(language);
    if (!manifest) continue;
    const std::string entry = "main" + manifest->extensions.front();
    std::vector<std::string> texts{"\n"};
    // Where some programs begin with modules and some without, of either kind.
    const auto& warm = manifest->run.warm;
    if (warm && !warm->light.empty() && !warm->preload.empty()) {
      texts.push_back("import " + warm->preload.front() + "\n");
    }
    for (const std::string& text : texts) {
      Submission like;
      like.language = manifest->name;
      like.entry = entry;
      like.files.push_back({.path = entry, .content = text, .executable = false});
      (void)engine.expect(like).has_value();
    }
  }
}

struct Sockets {
  Fd listener;
  Fd executor;  // or none
  Fd e2b;       // or none
  std::vector<Fd> pysandbox;
  Fd certificate;  // or none, with the key
  Fd key;
  Fd ledger_password;  // or none
};

// Nothing where the service is to stop before there is one. A server that is away is waited for;
// what else is wrong with the ledger no other start would mend.
Result<std::unique_ptr<ledger::Store>> open_ledger(const api::Settings& settings,
                                                   const FleetLedger* fleet,
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

engine::DispatcherSettings dispatcher_settings(const api::Settings& settings) {
  const long processors = std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN));
  struct sysinfo host{};
  ::sysinfo(&host);
  const std::uint64_t memory = host.totalram * host.mem_unit;
  engine::DispatcherSettings made;
  made.threads =
      settings.concurrent > 0 ? settings.concurrent : static_cast<std::size_t>(2 * processors);
  made.queue = settings.queue;
  made.queue_per_caller = settings.queue_per_caller;
  made.memory = settings.memory > 0 ? settings.memory : memory / 2;
  // A share of processors is a ceiling, not a reservation: how many run at once is `threads`.
  made.cpus_milli = UINT64_MAX / 2;
  return made;
}

// Forgets old runs, now and then.
void prune_for_ever(const api::Settings& settings,
                    ledger::Store& store,
                    const std::stop_token& stop) {
  const ledger::Retention retention{
      .max_age_ms = static_cast<std::int64_t>(settings.keep_days) * ledger::kDayMs,
      .max_bytes = static_cast<std::int64_t>(settings.keep_bytes)};
  std::mutex mutex;
  std::condition_variable_any woken;
  std::unique_lock lock(mutex);
  while (!stop.stop_requested()) {
    if (const auto pruned = store.prune(retention, unix_ms()); !pruned) {
      log_event("prune_failed", {{"reason", pruned.error().message}});
    }
    woken.wait_for(lock, stop, std::chrono::minutes(10), [] { return false; });
  }
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

Status tell_supervisor(GatewayMessage message) {
  return sys::send_message(kGatewayControlFd,
                           {reinterpret_cast<const char*>(&message), sizeof message}, {});
}

Status serve(const api::Settings& settings, Sockets sockets, const FleetLedger* fleet) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int each : {SIGTERM, SIGINT}) sigaddset(&signals, each);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // for every thread that comes after

  TRY_ASSIGN(const runtime::Catalog catalog, runtime::Catalog::open(settings.runtimes));
  TRY_ASSIGN(const auto store,
             open_ledger(settings, fleet, sockets.ledger_password.get(), signals));
  if (!store) return {};
  sockets.ledger_password.reset();
  api::Metrics metrics;
  Supervisor supervisor(kGatewayControlFd);
  Wardens wardens(supervisor, metrics,
                  [&](warden::Client& warden) { fill_pool(warden, settings, catalog); });
  TRY_ASSIGN(warden::Client first, wardens.connect());
  TRY_ASSIGN(const HostFacts host, first.host());

  // Before the dispatcher, whose jobs use them.
  const engine::HeaderStore headers(folders_of(settings.headers));
  engine::CompileCache compiled(settings.compile_cache, [&metrics](bool hit) {
    metrics.count("belljar_compile_cache_total", hit ? "result=\"hit\"" : "result=\"miss\"");
  });
  engine::VersionCache versions;
  const engine::DispatcherSettings limits = dispatcher_settings(settings);
  std::optional<engine::Dispatcher> dispatcher(std::in_place, limits,
                                               [&wardens] { return wardens.connect(); });
  api::Journal journal(*store);
  api::RunService runs(settings, catalog, *store, journal, *dispatcher, metrics,
                       {.versions = &versions,
                        .cache = settings.compile_cache > 0 ? &compiled : nullptr,
                        .tenant = {},
                        .headers = &headers});
  TRY(runs.recover());
  api::SessionService sessions(settings, catalog, *store, journal, *dispatcher, metrics, runs,
                               limits.memory);
  sessions.adopt([&wardens] { return wardens.connect(); });
  TRY(sessions.recover());
  api::Service service(settings, catalog, *store, *dispatcher, metrics, runs, sessions, host);
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
    runs.adopt_for_ever(stop, [&sessions](const ledger::Run& run) {
      (void)sessions.end_abandoned(run).has_value();
    });
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
    drained = dispatcher->drain(settings.drain);
    server.stop(drained ? std::chrono::seconds(5) : std::chrono::seconds(0));
  });
  TRY(tell_supervisor(GatewayMessage::kReady));
  log_event(
      "ready",
      {{"kernel", host.kernel}, {"cgroup_mode", host.cgroup_mode}, {"concurrent", limits.threads}});
  server.serve();
  if (!drained) {
    // What still runs is in the ledger, and the next start runs it again; its cells end with us.
    log_event("stopped", {{"unfinished", dispatcher->state().running}});
    ::_exit(0);
  }
  adopter.request_stop();
  adopter.join();
  sessions.close();
  // Before what its jobs use goes away.
  dispatcher.reset();
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
  int after = kGatewayPysandboxFd;
  for (; ::fcntl(after, F_GETFD) >= 0; ++after) sockets.pysandbox.push_back(Fd::adopt(after));
  for (int fd = kGatewayControlFd; fd < after; ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  return sockets;
}

Status run(uid_t uid, Sockets sockets, const FleetLedger* fleet) {
  TRY_ASSIGN(const std::string text, sys::read_file("/proc/self/fd/4", kMostSettings));
  ::close(kGatewaySettingsFd);
  api::Settings settings;
  TRY(api::read_toml(settings, text, "settings"));
  // Its own, not those of whoever started the service.
  ::setenv("HOME", settings.state_dir.c_str(), 1);
  ::setenv("XDG_CACHE_HOME", settings.state_dir.c_str(), 1);
  ::umask(077);
  take_all_descriptors();
  std::vector<std::uint16_t> ports;
  if (!settings.ledger.empty() && fleet != nullptr) {
    TRY_ASSIGN(ports, fleet->ports(settings));
    ports.push_back(53);  // names whose answers are too long for UDP
  }
  TRY(confine_gateway(uid, settings.state_dir, ports));
  // A gateway that nobody looks after would keep the port and the ledger from the next one. Set
  // after the change of uid, which clears it; a supervisor that has gone before gives no warden.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return fail_errno("PR_SET_PDEATHSIG");
  return serve(settings, std::move(sockets), fleet);
}

// Many threads that each hand what they made to another one: with an arena for each, every one of
// them keeps its own high-water mark, and memory creeps up for thousands of runs. Few arenas, and
// large blocks always mapped by themselves, so that one of them that lives does not hold a hole.
void bound_the_heap() {
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
}

}  // namespace

int gateway_main(int argc, char** argv, const FleetLedger* fleet) {
  bound_the_heap();
  ::signal(SIGPIPE, SIG_IGN);
  const auto uid = argc > 2 ? parse_count(argv[2]) : fail(Code::kInvalid, "no uid");
  const Status status =
      uid ? run(static_cast<uid_t>(*uid), inherit(), fleet) : Status(std::unexpected(uid.error()));
  if (status) return 0;
  log_event("gateway_failed", {{"reason", status.error().message}});
  return 1;
}

}  // namespace belljar::app
