#include "app/exit_codes.h"

#include <array>
#include <csignal>

namespace belljar::app {
namespace {

constexpr std::array kTable{
    ExitCodeRow{"0-255", "the program ran to its end: its own exit code"},
    ExitCodeRow{"1", "run --tests: not every test passed; doctor: a wall or limit is missing"},
    ExitCodeRow{"2",
                "wrong usage: an option, a file or a language that is not there; doctor: cells do "
                "not work"},
    ExitCodeRow{"120", "output limit"},
    ExitCodeRow{"121", "disk limit"},
    ExitCodeRow{"122", "memory limit"},
    ExitCodeRow{"123", "the compiler refused the program"},
    ExitCodeRow{"124", "timeout, wall clock or processor time"},
    ExitCodeRow{"125",
                "Belljar could not do its part: no toolchain, a control that could not be put up, "
                "an artifact that could not be written"},
    ExitCodeRow{"126", "refused: over the policy's maximum, or a required wall is missing"},
    ExitCodeRow{"128+N", "the program died of signal N, such as 139 for SIGSEGV"},
    ExitCodeRow{"129-143",
                "belljar was told to stop by a signal: 130 by Ctrl-C, 143 by SIGTERM; 141 when "
                "nobody reads the output any more"},
};

int code_of_program(const Outcome& outcome) {
  if (outcome.stages.empty()) return kExitTrouble;
  const StageOutcome& last = outcome.stages.back();
  if (last.signal) return kExitSignalBase + *last.signal;
  return last.exit_code.value_or(kExitTrouble);
}

// The engine names the signal that it took for the wish to end; without one the program's own end
// by SIGKILL may stand there.
int cancelling_signal(const Outcome& outcome) {
  if (outcome.stages.empty()) return SIGTERM;
  const int signal = outcome.stages.back().signal.value_or(SIGTERM);
  return signal == SIGKILL ? SIGTERM : signal;
}

}  // namespace

int exit_code(const Outcome& outcome) {
  switch (outcome.status) {
    case RunStatus::kOk:
    case RunStatus::kRuntimeError:
    case RunStatus::kSignalled:
      return code_of_program(outcome);
    case RunStatus::kTimeout:
      return kExitTimeout;
    case RunStatus::kMemoryLimit:
      return kExitMemoryLimit;
    case RunStatus::kOutputLimit:
      return kExitOutputLimit;
    case RunStatus::kDiskLimit:
      return kExitDiskLimit;
    case RunStatus::kCompileError:
      return kExitCompileError;
    case RunStatus::kRejected:
      return kExitRefused;
    case RunStatus::kSetupError:
      return kExitTrouble;
    case RunStatus::kCancelled:
      return kExitSignalBase + cancelling_signal(outcome);
  }
  return kExitTrouble;
}

int exit_code(const Error& error) {
  if (error.sys == EPIPE) return kExitSignalBase + SIGPIPE;
  switch (error.code) {
    case Code::kInvalid:
    case Code::kNotFound:
      return kExitUsage;
    case Code::kDenied:
    case Code::kConflict:
      return kExitRefused;
    case Code::kExhausted:
    case Code::kUnavailable:
    case Code::kInternal:
      return kExitTrouble;
  }
  return kExitTrouble;
}

std::span<const ExitCodeRow> exit_code_table() {
  return kTable;
}

}  // namespace belljar::app
