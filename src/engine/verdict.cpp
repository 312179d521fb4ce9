#include "engine/verdict.h"

#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "cell/enter.h"
#include "cell/seccomp.h"

namespace belljar::engine {
namespace {

using warden::Cause;

std::string used_of(Nanoseconds used, Nanoseconds limit) {
  return "used " + format_duration(used) + " of " + format_duration(limit);
}

void judge_own_end(StageOutcome& stage, int status) {
  if (WIFSIGNALED(status)) {
    stage.status = RunStatus::kSignalled;
    stage.reason = "ended by " + signal_name(WTERMSIG(status));
    return;
  }
  const int code = WEXITSTATUS(status);
  const RunStatus bad =
      stage.kind == StageKind::kCompile ? RunStatus::kCompileError : RunStatus::kRuntimeError;
  stage.status = code == 0 ? RunStatus::kOk : bad;
  stage.reason = "exit code " + std::to_string(code);
}

// Steps that root of a user namespace may always do, unless a container was told to forbid them.
std::string_view advice_for(cell::EnterStep step, int error) {
  if (error != EPERM) return {};
  if (step == cell::EnterStep::kProc)
    return " (in a container: start it with --security-opt systempaths=unconfined)";
  if (step == cell::EnterStep::kPropagation || step == cell::EnterStep::kRoot ||
      step == cell::EnterStep::kPivot) {
    return " (in a container: start it with --security-opt seccomp=unconfined)";
  }
  return {};
}

void set_disk_limit(StageOutcome& stage, std::string reason) {
  stage.status = RunStatus::kDiskLimit;
  stage.reason = std::move(reason);
}

// Without a bill of the cell the kernel's clock of each process is the only one. A program that
// catches its first word, SIGXCPU, gets SIGKILL a second later; so may one that ends itself.
bool ended_by_its_own_clock(const StageOutcome& stage, const Limits& limits) {
  if (!stage.events.cpu_bill_partial) return false;
  return stage.signal == SIGXCPU || (stage.signal == SIGKILL && stage.usage.cpu >= limits.cpu);
}

}  // namespace

StageOutcome judge(StageKind kind, const StageResult& result, const Limits& limits) {
  const warden::CellReport& report = result.report;
  StageOutcome stage;
  stage.kind = kind;
  stage.start = report.start;
  stage.out = result.out;
  stage.err = result.err;
  stage.limits = limits;
  stage.walls = WallSet::from_bits(report.walls);
  stage.usage = {.wall = Nanoseconds(report.wall_ns),
                 .cpu = Nanoseconds(report.cpu_ns),
                 .user = Nanoseconds(report.user_ns),
                 .system = Nanoseconds(report.system_ns),
                 .peak_memory = report.peak_memory,
                 .peak_processes = report.peak_processes,
                 .oom_kills = report.oom_kills,
                 .throttled_periods = report.throttled_periods,
                 .throttled = Nanoseconds(report.throttled_ns)};
  stage.events = {.process_limit_hits = report.process_limit_hits,
                  .leftover_processes = report.leftovers,
                  .disk_full = report.disk_full != 0,
                  .cpu_bill_partial = !stage.walls.has(Wall::kCpuBill)};
  stage.phases = {.queue = {},
                  .build = Nanoseconds(report.build_ns),
                  .run = Nanoseconds(report.run_ns),
                  .collect = Nanoseconds(report.collect_ns),
                  .teardown = Nanoseconds(report.teardown_ns)};
  for (std::uint32_t i = 0; i < report.denied_count && i < warden::kMaxDenied; ++i) {
    stage.denied.push_back(
        {.name = cell::syscall_name(report.denied[i].number), .count = report.denied[i].count});
  }
  stage.denied_more = report.denied_more != 0;

  const int status = report.wait_status;
  if (report.started != 0 && report.cause != Cause::kInitLost) {
    if (WIFEXITED(status)) stage.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) stage.signal = WTERMSIG(status);
  }
  switch (report.cause) {
    case Cause::kSetup: {
      stage.status = RunStatus::kSetupError;
      const auto step = static_cast<cell::EnterStep>(report.setup_step);
      const char* const text = strerrordesc_np(report.setup_error);
      stage.reason = std::string(cell::to_string(step)) + ": " +
                     (report.setup_error != 0 && text != nullptr ? text : "ended without a reason");
      stage.reason += advice_for(step, report.setup_error);
      return stage;
    }
    case Cause::kInitLost:
      // Init ends before its report only when something outside kills it: its memory's end, or a
      // person.
      stage.status = report.oom_kills > 0 ? RunStatus::kMemoryLimit : RunStatus::kSetupError;
      stage.reason = report.oom_kills > 0 ? "memory over " + format_bytes(limits.memory)
                                          : "the cell's init was ended from outside";
      return stage;
    case Cause::kCancelled:
      stage.status = RunStatus::kCancelled;
      stage.reason = "ended on request";
      if (result.cancelled_by != 0) {
        stage.signal = result.cancelled_by;
        stage.reason += " (" + signal_name(result.cancelled_by) + ")";
      }
      return stage;
    case Cause::kOutputLimit:
      stage.status = RunStatus::kOutputLimit;
      stage.reason = "wrote over " + format_bytes(limits.output) + " to one stream";
      return stage;
    case Cause::kMemoryLimit:
      stage.status = RunStatus::kMemoryLimit;
      stage.reason = "memory over " + format_bytes(limits.memory);
      return stage;
    case Cause::kCpuTime:
      stage.status = RunStatus::kTimeout;
      stage.clock = Clock::kCpu;
      stage.reason = used_of(stage.usage.cpu, limits.cpu) + " processor time";
      return stage;
    case Cause::kWallTime:
      stage.status = RunStatus::kTimeout;
      stage.clock = Clock::kWall;
      stage.reason = used_of(stage.usage.wall, limits.wall) + " wall time";
      return stage;
    case Cause::kProgram:
      break;
  }
  judge_own_end(stage, status);
  if (stage.signal == SIGXFSZ) {
    set_disk_limit(stage, "a file over " + format_bytes(limits.file_size));
  } else if (stage.status != RunStatus::kOk && report.disk_full != 0) {
    set_disk_limit(stage, "no room left in /box, /tmp or /dev/shm; " + stage.reason);
  } else if (ended_by_its_own_clock(stage, limits)) {
    stage.status = RunStatus::kTimeout;
    stage.clock = Clock::kCpu;
    stage.reason = "a process used " + format_duration(limits.cpu) + " processor time";
  }
  return stage;
}

}  // namespace belljar::engine
