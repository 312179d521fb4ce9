#include "model/outcome.h"

#include <csignal>
#include <cstring>
#include <utility>

namespace belljar {
namespace {

// The stage that gave the outcome its status: stages end with the first that is not ok.
const StageOutcome* deciding_stage(const Outcome& outcome) {
  if (outcome.stages.empty() || outcome.stages.back().status != outcome.status) return nullptr;
  return &outcome.stages.back();
}

}  // namespace

std::string_view to_string(RunStatus status) {
  switch (status) {
    case RunStatus::kOk:
      return "ok";
    case RunStatus::kRuntimeError:
      return "runtime_error";
    case RunStatus::kSignalled:
      return "signalled";
    case RunStatus::kTimeout:
      return "timeout";
    case RunStatus::kMemoryLimit:
      return "memory_limit";
    case RunStatus::kOutputLimit:
      return "output_limit";
    case RunStatus::kDiskLimit:
      return "disk_limit";
    case RunStatus::kCompileError:
      return "compile_error";
    case RunStatus::kRejected:
      return "rejected";
    case RunStatus::kSetupError:
      return "setup_error";
    case RunStatus::kCancelled:
      return "cancelled";
  }
  std::unreachable();
}

std::string_view to_string(StageKind kind) {
  switch (kind) {
    case StageKind::kCompile:
      return "compile";
    case StageKind::kRun:
      return "run";
  }
  std::unreachable();
}

std::string_view to_string(Clock clock) {
  switch (clock) {
    case Clock::kWall:
      return "wall";
    case Clock::kCpu:
      return "cpu";
  }
  std::unreachable();
}

std::string_view to_string(Start start) {
  switch (start) {
    case Start::kCold:
      return "cold";
    case Start::kCell:
      return "cell";
    case Start::kInterpreter:
      return "interpreter";
  }
  std::unreachable();
}

std::string signal_name(int signal) {
  if (const char* const name = sigabbrev_np(signal); name != nullptr) {
    return std::string("SIG") + name;
  }
  if (signal >= SIGRTMIN && signal <= SIGRTMAX) {
    const int offset = signal - SIGRTMIN;
    return offset == 0 ? "SIGRTMIN" : "SIGRTMIN+" + std::to_string(offset);
  }
  return "signal " + std::to_string(signal);
}

std::string summary(const Outcome& outcome) {
  std::string line(to_string(outcome.status));
  if (const StageOutcome* const stage = deciding_stage(outcome); stage != nullptr) {
    if (stage->clock) line += " (" + std::string(to_string(*stage->clock)) + ")";
    const bool said = outcome.status == RunStatus::kCompileError;
    if (stage->kind == StageKind::kCompile && !said) line += " while compiling";
  }
  if (!outcome.reason.empty()) line += ": " + outcome.reason;
  return line;
}

}  // namespace belljar
