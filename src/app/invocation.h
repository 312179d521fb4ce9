// Invocation: one call of a command, and the commands themselves.
#pragma once

#include <optional>

#include "app/arguments.h"
#include "base/result.h"
#include "warden/client.h"

namespace belljar::app {

struct FleetParts;

struct Invocation {
  Arguments arguments;
  // Of a command that makes cells: started before anything else was done, so that its set-up goes
  // on while files are read.
  std::optional<Result<warden::Client>> warden;
  char** argv = nullptr;              // as this program was called
  const FleetParts* fleet = nullptr;  // nothing in belljar itself
};

// Each answers with the exit code, or with the error that main reports.
Result<int> run_command(Invocation& invocation);
Result<int> bench_command(Invocation& invocation);
Result<int> languages_command(Invocation& invocation);
Result<int> policies_command(Invocation& invocation);
Result<int> doctor_command(Invocation& invocation);
Result<int> prepare_command(Invocation& invocation);
Result<int> serve_command(Invocation& invocation);
Result<int> pysandbox_command(Invocation& invocation);
Result<int> worker_command(Invocation& invocation);
Result<int> fleet_command(Invocation& invocation);
Result<int> keys_command(Invocation& invocation);
Result<int> history_command(Invocation& invocation);
Result<int> migrate_command(Invocation& invocation);
Result<int> config_command(Invocation& invocation);
Result<int> completion_command(Invocation& invocation);
Result<int> man_command(Invocation& invocation);
Result<int> help_command(Invocation& invocation);

}  // namespace belljar::app
