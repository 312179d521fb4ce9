#include "app/worker_main.h"

#include <signal.h>

#include <boost/json.hpp>
#include <functional>

#include "app/cells.h"
#include "app/fleet_parts.h"
#include "app/log.h"
#include "app/role.h"
#include "app/supervisor_link.h"
#include "base/id.h"
#include "base/sys.h"
#include "base/text.h"
#include "base/units.h"

namespace belljar::app {
namespace {

// Nothing where it is to stop before NATS is there.
Result<std::unique_ptr<FleetMember>> join(
    const std::function<Result<std::unique_ptr<FleetMember>>()>& attempt, const sigset_t& stop) {
  while (true) {
    auto member = attempt();
    if (member || member.error().code != Code::kUnavailable) return member;
    log_event("fleet_away", {{"reason", member.error().message}});
    constexpr timespec kPause{.tv_sec = 1, .tv_nsec = 0};
    if (::sigtimedwait(&stop, nullptr, &kPause) > 0) return std::unique_ptr<FleetMember>();
  }
}

Status work(const api::Settings& settings, const FleetParts* fleet) {
  if (fleet == nullptr) return fail(Code::kInternal, "a worker of a fleet is belljar-fleet");
  sigset_t signals;
  sigemptyset(&signals);
  for (const int each : {SIGTERM, SIGINT}) sigaddset(&signals, each);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // for every thread that comes after

  TRY_ASSIGN(const runtime::Catalog catalog, runtime::Catalog::open(settings.runtimes));
  api::Metrics metrics;
  SupervisorLink supervisor(kGatewayControlFd);
  TRY_ASSIGN(const std::unique_ptr<Cells> cells,
             Cells::open(settings, catalog, supervisor, metrics));
  TRY_ASSIGN(Labels labels, parse_labels(settings.fleet_labels));
  // Sessions of a worker end with it: nobody would find them under another worker's name.
  engine::SessionSettings session_settings = cells->session_settings();
  session_settings.keeps = false;
  engine::LocalSessionHost session_host(cells->dispatcher(), session_settings);
  // Its name, and what no other process has: whoever dies is missed by it.
  WorkerFacts facts{.id = settings.fleet_name + "." + make_id("worker"),
                    .languages = {},
                    .kernel = cells->host().kernel,
                    .labels = labels_here(std::move(labels)),
                    .capacity = cells->limits().threads};
  for (const std::string& name : catalog.names()) {
    const auto manifest = catalog.by_name(name);
    if (manifest && catalog.toolchain(*manifest)) facts.languages.push_back(name);
  }
  const FleetFiles files = fleet_files();
  TRY_ASSIGN(const std::unique_ptr<FleetMember> member,
             join([&] { return fleet->join(settings, files, cells->runner(), facts); }, signals));
  if (!member) return {};
  TRY_ASSIGN(
      const std::unique_ptr<FleetMember> sessions,
      join([&] { return fleet->hold_sessions(settings, files, session_host, catalog, facts); },
           signals));
  if (!sessions) return {};
  TRY(supervisor.tell(GatewayMessage::kReady));
  log_event("ready", {{"worker", facts.id},
                      {"kernel", facts.kernel},
                      {"concurrent", facts.capacity},
                      {"languages", facts.languages.size()}});
  int signal = 0;
  ::sigwait(&signals, &signal);
  log_event("stopping", {{"signal", signal_name(signal)}});
  const Nanoseconds until = sys::now() + settings.drain;
  sessions->begin_drain();
  const bool runs = member->drain(settings.drain);
  if (!sessions->drain(std::max(until - sys::now(), Nanoseconds{})) || !runs) {
    // What still runs is redelivered to another worker; its cells end with us.
    log_event("stopped", {{"unfinished", cells->runner().state().running}});
    ::_exit(0);
  }
  // Its threads use what the member has.
  cells->stop();
  return {};
}

}  // namespace

int worker_main(int argc, char** argv, const FleetParts* fleet) {
  return role_main(argc, argv, fleet, "worker_failed",
                   [fleet](const api::Settings& settings) { return work(settings, fleet); });
}

}  // namespace belljar::app
