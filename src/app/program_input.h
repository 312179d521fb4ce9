// ProgramInput: where the program's standard input comes from, kept open for the length of a run.
#pragma once

#include <optional>

#include "app/arguments.h"
#include "app/terminal.h"
#include "base/fd.h"
#include "base/result.h"
#include "engine/engine.h"

namespace belljar::app {

struct ProgramInput {
  engine::Input input;
  Fd file;                     // --stdin
  std::optional<RawMode> raw;  // --tty
};

Result<ProgramInput> open_input(const Arguments& arguments, int signal_fd);

}  // namespace belljar::app
