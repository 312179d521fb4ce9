// What opens a ledger that several gateways share. Only belljar-fleet has one: belljar is static,
// and PostgreSQL's library is not (docs/decisions/0019-a-second-file-for-the-fleet.md).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "api/settings.h"
#include "ledger/migrations.h"
#include "ledger/store.h"

namespace belljar::app {

struct FleetLedger {
  // `home`: as PostgresOptions has it.
  Result<std::unique_ptr<ledger::Store>> (*open)(const api::Settings& settings,
                                                 std::string password,
                                                 std::string home);
  Result<ledger::Migrated> (*migrate)(const api::Settings& settings, std::string password);
  // Of TCP, that the URL leads to; none for a socket of this host.
  Result<std::vector<std::uint16_t>> (*ports)(const api::Settings& settings);
};

// The file of belljar-fleet, which is beside this one. kUnavailable where it is not there.
Result<std::string> fleet_program();

// The first line of settings.ledger_password_file; empty where none is named.
Result<std::string> ledger_password(const api::Settings& settings);
Result<std::string> ledger_password(int fd);

// kDenied where the service listens to everybody and nobody has a key.
Status check_open_address(const api::Settings& settings, ledger::Store& store);

// Names this installation, whichever process of it asks; made in `state_dir` at the first time.
Result<std::string> installation(const std::string& state_dir);

}  // namespace belljar::app
