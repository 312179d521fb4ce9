#include "app/worker_main.h"

#include <signal.h>

#include <boost/json.hpp>

#include "app/cells.h"
#include "app/fleet_parts.h"
#include "app/log.h"
#include "app/role.h"
#include "app/supervisor_link.h"
#include "base/text.h"
#include "base/units.h"

namespace belljar::app {
namespace {

// Nothing where it is to stop before NATS is there.
Result<std::unique_ptr<FleetMember>> join(const api::Settings& settings,
                                          const FleetParts& fleet,
                                          const FleetFiles& files,
                                          engine::Runner& local,
                                          const WorkerFacts& facts,
                                          const sigset_t& stop) {
  while (true) {
    auto member = fleet.join(settings, files, local, facts);
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
  WorkerFacts facts{.languages = {},
                    .kernel = cells->host().kernel,
                    .labels = labels_here(std::move(labels)),
                    .capacity = cells->limits().threads};
  for (const std::string& name : catalog.names()) {
    const auto manifest = catalog.by_name(name);
    if (manifest && catalog.toolchain(*manifest)) facts.languages.push_back(name);
  }
  TRY_ASSIGN(std::unique_ptr<FleetMember> member,
             join(settings, *fleet, fleet_files(), cells->runner(), facts, signals));
  if (!member) return {};
  TRY(supervisor.tell(GatewayMessage::kReady));
  log_event("ready", {{"kernel", facts.kernel},
                      {"concurrent", facts.capacity},
                      {"languages", facts.languages.size()}});
  int signal = 0;
  ::sigwait(&signals, &signal);
  log_event("stopping", {{"signal", signal_name(signal)}});
  const bool finished = member->drain(settings.drain);
  if (!finished) {
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
