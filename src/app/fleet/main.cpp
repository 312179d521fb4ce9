// belljar-fleet: belljar with what a fleet needs, which comes in shared libraries. belljar executes
// it where the settings name a ledger in PostgreSQL; cells are made by belljar itself.
#include <utility>

#include "app/fleet_ledger.h"
#include "app/program.h"
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
  return ledger::postgres::ports(settings.ledger);
}

constexpr FleetLedger kFleet{.open = open, .migrate = migrate, .ports = ports};

}  // namespace
}  // namespace belljar::app

int main(int argc, char** argv) {
  return belljar::app::program_main(argc, argv, &belljar::app::kFleet);
}
