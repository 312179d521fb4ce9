// Exit codes: how `belljar` itself ends. One table; --help, the manual page and docs/cli.md show
// it.
#pragma once

#include <span>
#include <string_view>

#include "base/result.h"
#include "model/outcome.h"

namespace belljar::app {

enum ExitCode : int {
  kExitOk = 0,
  kExitNotAllWell = 1,  // a test did not pass; a wall is missing
  kExitUsage = 2,
  kExitOutputLimit = 120,
  kExitDiskLimit = 121,
  kExitMemoryLimit = 122,
  kExitCompileError = 123,
  kExitTimeout = 124,
  kExitTrouble = 125,
  kExitRefused = 126,
  kExitSignalBase = 128,
};

int exit_code(const Outcome& outcome);
int exit_code(const Error& error);

struct ExitCodeRow {
  std::string_view code;
  std::string_view meaning;
};
std::span<const ExitCodeRow> exit_code_table();

}  // namespace belljar::app
