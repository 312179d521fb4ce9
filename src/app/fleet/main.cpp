// belljar-fleet: belljar with what a fleet needs, which comes in shared libraries. belljar executes
// it where the settings name a ledger in PostgreSQL or a fleet; cells are made by belljar itself.
#include <algorithm>
#include <utility>

#include "app/fleet_parts.h"
#include "app/program.h"
#include "base/digest.h"
#include "base/id.h"
#include "fleet/fleet_runner.h"
#include "fleet/fleet_session_host.h"
#include "fleet/session_worker.h"
#include "fleet/subjects.h"
#include "fleet/worker.h"
#include "ledger/postgres_store.h"

namespace belljar::app {
namespace {

ledger::postgres::Options options_of(const api::Settings& settings, std::string password) {
  return {.url = settings.ledger,
          .password = std::move(password),
          .waits = settings.sync != "normal",
          .statement_timeout =
              std::chrono::duration_cast<std::chrono::milliseconds>(settings.ledger_timeout),
          .connections = settings.ledger_connections};
}

Result<std::unique_ptr<ledger::Store>> open(const api::Settings& settings,
                                            std::string password,
                                            std::string home) {
  TRY_ASSIGN(std::unique_ptr<ledger::Store> store,
             ledger::PostgresStore::open({.connection = options_of(settings, std::move(password)),
                                          .home = std::move(home)}));
  return store;
}

Result<ledger::Migrated> migrate(const api::Settings& settings, std::string password) {
  return ledger::migrate_postgres(options_of(settings, std::move(password)));
}

Result<std::vector<std::uint16_t>> ports(const api::Settings& settings) {
  std::vector<std::uint16_t> all;
  if (!settings.ledger.empty()) {
    TRY_ASSIGN(all, ledger::postgres::ports(settings.ledger));
  }
  if (!settings.fleet.empty()) {
    TRY_ASSIGN(const std::vector<std::uint16_t> more, fleet::ports_of(settings.fleet));
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

Result<std::unique_ptr<fleet::Connection>> connect(const api::Settings& settings,
                                                   const FleetFiles& files,
                                                   const std::string& name,
                                                   const std::string& inbox) {
  return fleet::Connection::open({.urls = settings.fleet,
                                  .name = name,
                                  .inbox = inbox,
                                  .credentials = files.credentials,
                                  .authorities = files.authorities,
                                  .certificate = files.certificate,
                                  .key = files.key});
}

Result<std::unique_ptr<engine::Runner>> open_runner(const api::Settings& settings,
                                                    const FleetFiles& files,
                                                    const std::string& home) {
  TRY_ASSIGN(std::unique_ptr<fleet::Connection> connection,
             connect(settings, files, home, fleet::kGatewayInbox));
  TRY_ASSIGN(std::unique_ptr<engine::Runner> runner,
             fleet::FleetRunner::open(std::move(connection),
                                      {.id = home,
                                       .queue = settings.queue,
                                       .queue_per_caller = settings.queue_per_caller,
                                       .replicas = settings.fleet_replicas,
                                       .work_streams = settings.fleet_streams}));
  return runner;
}

class Member : public FleetMember {
 public:
  explicit Member(std::unique_ptr<fleet::Worker> worker) : worker_(std::move(worker)) {}
  bool drain(Nanoseconds patience) override { return worker_->drain(patience); }

 private:
  std::unique_ptr<fleet::Worker> worker_;
};

std::string short_digest(const std::vector<std::string_view>& words) {
  constexpr std::size_t kDigits = 12;
  return hex(digest(std::span<const std::string_view>(words))).substr(0, kDigits);
}

// Named by what they can run and how they are labelled, so that work for one is work for the
// others. Labels are part of a name that was given too: work for some of them must not come to
// others.
std::string pool_of(const api::Settings& settings, const WorkerFacts& facts) {
  const std::string labels = to_string(facts.labels);
  if (!settings.fleet_pool.empty()) {
    return settings.fleet_labels.empty() ? settings.fleet_pool
                                         : settings.fleet_pool + "-" + short_digest({labels});
  }
  std::vector<std::string_view> words(facts.languages.begin(), facts.languages.end());
  std::ranges::sort(words);
  words.push_back(labels);
  return short_digest(words);
}

Result<std::unique_ptr<FleetMember>> join(const api::Settings& settings,
                                          const FleetFiles& files,
                                          engine::Runner& local,
                                          WorkerFacts facts) {
  TRY_ASSIGN(std::unique_ptr<fleet::Connection> connection,
             connect(settings, files, facts.id, fleet::worker_inbox(settings.fleet_name)));
  std::string pool = pool_of(settings, facts);
  TRY_ASSIGN(std::unique_ptr<fleet::Worker> worker,
             fleet::Worker::open(std::move(connection), local,
                                 {.id = std::move(facts.id),
                                  .pool = std::move(pool),
                                  .kernel = std::move(facts.kernel),
                                  .languages = std::move(facts.languages),
                                  .labels = std::move(facts.labels),
                                  .capacity = facts.capacity}));
  return std::make_unique<Member>(std::move(worker));
}

Result<std::unique_ptr<engine::SessionHost>> open_sessions(const api::Settings& settings,
                                                           const FleetFiles& files,
                                                           const std::string& home) {
  TRY_ASSIGN(std::unique_ptr<fleet::Connection> connection,
             connect(settings, files, home + " sessions", fleet::kGatewayInbox));
  TRY_ASSIGN(std::unique_ptr<engine::SessionHost> host,
             fleet::FleetSessionHost::open(std::move(connection),
                                           {.id = home,
                                            .most_per_caller = settings.sessions_per_caller,
                                            .queue_wait = settings.queue_wait}));
  return host;
}

class SessionMember : public FleetMember {
 public:
  explicit SessionMember(std::unique_ptr<fleet::SessionWorker> worker)
      : worker_(std::move(worker)) {}
  void begin_drain() override { worker_->begin_drain(); }
  bool drain(Nanoseconds patience) override { return worker_->drain(patience); }

 private:
  std::unique_ptr<fleet::SessionWorker> worker_;
};

Result<std::unique_ptr<FleetMember>> hold_sessions(const api::Settings& settings,
                                                   const FleetFiles& files,
                                                   engine::LocalSessionHost& local,
                                                   const runtime::Catalog& catalog,
                                                   WorkerFacts facts) {
  TRY_ASSIGN(
      std::unique_ptr<fleet::Connection> connection,
      connect(settings, files, facts.id + " sessions", fleet::worker_inbox(settings.fleet_name)));
  std::erase_if(facts.languages, [&catalog](const std::string& language) {
    const auto manifest = catalog.by_name(language);
    return !manifest || manifest->session.empty();
  });
  TRY_ASSIGN(std::unique_ptr<fleet::SessionWorker> worker,
             fleet::SessionWorker::open(std::move(connection), local, catalog,
                                        {.id = std::move(facts.id),
                                         .languages = std::move(facts.languages),
                                         .most = settings.sessions}));
  return std::make_unique<SessionMember>(std::move(worker));
}

Result<fleet::Survey> look(const api::Settings& settings, const FleetFiles& files) {
  TRY_ASSIGN(const std::unique_ptr<fleet::Connection> connection,
             connect(settings, files, "belljar fleet", fleet::kGatewayInbox));
  return fleet::survey(*connection);
}

constexpr FleetParts kFleet{.open = open,
                            .migrate = migrate,
                            .ports = ports,
                            .open_runner = open_runner,
                            .join = join,
                            .open_sessions = open_sessions,
                            .hold_sessions = hold_sessions,
                            .look = look};

}  // namespace
}  // namespace belljar::app

int main(int argc, char** argv) {
  return belljar::app::program_main(argc, argv, &belljar::app::kFleet);
}
