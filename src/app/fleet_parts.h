// What a fleet needs besides: a ledger that several gateways share, and NATS, through which they
// reach workers. Only belljar-fleet has it: belljar is static, and the libraries for both are not
// (docs/decisions/0019-a-second-file-for-the-fleet.md).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "api/settings.h"
#include "engine/local_session_host.h"
#include "engine/runner.h"
#include "fleet/survey.h"
#include "ledger/migrations.h"
#include "ledger/store.h"
#include "model/labels.h"

namespace belljar::app {

// Where programs of the settings that are secrets, or that only root may read, are in a gateway or
// a worker; empty: none.
struct FleetFiles {
  std::string credentials, authorities, certificate, key;
};

// What a worker is in a fleet, for as long as it lives.
class FleetMember {
 public:
  virtual ~FleetMember() = default;
  // Takes nothing more from here on.
  virtual void begin_drain() {}
  // Takes nothing more; false where what it had was not finished in time.
  virtual bool drain(Nanoseconds patience) = 0;
};

struct WorkerFacts {
  std::string id;                      // of this process and no later one
  std::vector<std::string> languages;  // names of runtimes whose toolchains are there
  std::string kernel;
  Labels labels;             // with the architecture
  std::size_t capacity = 1;  // runs at once
};

struct FleetParts {
  // `home`: as PostgresOptions has it.
  Result<std::unique_ptr<ledger::Store>> (*open)(const api::Settings& settings,
                                                 std::string password,
                                                 std::string home);
  Result<ledger::Migrated> (*migrate)(const api::Settings& settings, std::string password);
  // Of TCP, that settings.ledger and settings.fleet lead to; none for a socket of this host.
  Result<std::vector<std::uint16_t>> (*ports)(const api::Settings& settings);
  // kUnavailable while NATS is away: later calls may succeed. `home`: as of open().
  Result<std::unique_ptr<engine::Runner>> (*open_runner)(const api::Settings& settings,
                                                         const FleetFiles& files,
                                                         const std::string& home);
  // Likewise. `local` is borrowed; it outlives the member.
  Result<std::unique_ptr<FleetMember>> (*join)(const api::Settings& settings,
                                               const FleetFiles& files,
                                               engine::Runner& local,
                                               WorkerFacts facts);
  // The same for sessions, of the gateway and of the worker. `local` and the catalog are borrowed.
  Result<std::unique_ptr<engine::SessionHost>> (*open_sessions)(const api::Settings& settings,
                                                                const FleetFiles& files,
                                                                const std::string& home);
  Result<std::unique_ptr<FleetMember>> (*hold_sessions)(const api::Settings& settings,
                                                        const FleetFiles& files,
                                                        engine::LocalSessionHost& local,
                                                        const runtime::Catalog& catalog,
                                                        WorkerFacts facts);
  Result<fleet::Survey> (*look)(const api::Settings& settings, const FleetFiles& files);
};

// What this process was given of them (app/service_protocol.h).
FleetFiles fleet_files();

// The file of belljar-fleet, which is beside this one. kUnavailable where it is not there.
Result<std::string> fleet_program();
// Does not come back where it succeeds. `argv`: as this program was called.
std::unexpected<Error> become_fleet(char** argv);

// The first line of settings.ledger_password_file; empty where none is named.
Result<std::string> ledger_password(const api::Settings& settings);
Result<std::string> ledger_password(int fd);

// kDenied where the service listens to everybody and nobody has a key.
Status check_open_address(const api::Settings& settings, ledger::Store& store);

// Names this installation, whichever process of it asks; made in `state_dir` at the first time.
Result<std::string> installation(const std::string& state_dir);

}  // namespace belljar::app
