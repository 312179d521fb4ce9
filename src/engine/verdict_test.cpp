#include "engine/verdict.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>

#include "cell/enter.h"

namespace belljar::engine {
namespace {

using warden::Cause;

constexpr int exited(int code) {
  return code << 8;
}

StageResult ended(Cause cause, int wait_status) {
  StageResult result;
  result.report.started = 1;
  result.report.cause = cause;
  result.report.wait_status = wait_status;
  result.report.walls = WallSet::full().bits();
  return result;
}

struct Row {
  const char* what;
  StageResult result;
  RunStatus status;
};

TEST(Verdict, EachCauseHasItsStatusWhateverTheExitCodeSays) {
  StageResult disk = ended(Cause::kProgram, exited(1));
  disk.report.disk_full = 1;
  StageResult disk_but_fine = ended(Cause::kProgram, exited(0));
  disk_but_fine.report.disk_full = 1;
  StageResult lost = ended(Cause::kInitLost, SIGKILL);
  StageResult lost_to_memory = lost;
  lost_to_memory.report.oom_kills = 1;
  const Row rows[] = {
      {"exit 0", ended(Cause::kProgram, exited(0)), RunStatus::kOk},
      {"exit 137 is an exit code", ended(Cause::kProgram, exited(137)), RunStatus::kRuntimeError},
      {"a signal of its own", ended(Cause::kProgram, SIGKILL), RunStatus::kSignalled},
      {"XCPU sent to itself", ended(Cause::kProgram, SIGXCPU), RunStatus::kSignalled},
      {"a file over the limit", ended(Cause::kProgram, SIGXFSZ), RunStatus::kDiskLimit},
      {"no room left", disk, RunStatus::kDiskLimit},
      {"no room left, but it managed", disk_but_fine, RunStatus::kOk},
      {"memory, caught and exit 0", ended(Cause::kMemoryLimit, exited(0)), RunStatus::kMemoryLimit},
      {"processor clock", ended(Cause::kCpuTime, SIGKILL), RunStatus::kTimeout},
      {"wall clock", ended(Cause::kWallTime, SIGKILL), RunStatus::kTimeout},
      {"output", ended(Cause::kOutputLimit, SIGKILL), RunStatus::kOutputLimit},
      {"cancelled", ended(Cause::kCancelled, SIGKILL), RunStatus::kCancelled},
      {"init lost", lost, RunStatus::kSetupError},
      {"init lost to memory", lost_to_memory, RunStatus::kMemoryLimit},
  };
  for (const Row& row : rows) {
    const StageOutcome stage = judge(StageKind::kRun, row.result, Limits{});
    EXPECT_EQ(to_string(stage.status), to_string(row.status)) << row.what;
    EXPECT_FALSE(stage.reason.empty()) << row.what;
  }
}

TEST(Verdict, ACompilerThatFailsIsACompileError) {
  EXPECT_EQ(judge(StageKind::kCompile, ended(Cause::kProgram, exited(1)), Limits{}).status,
            RunStatus::kCompileError);
}

TEST(Verdict, AFailedStepIsNamedAndHasNoExitCode) {
  StageResult result = ended(Cause::kSetup, exited(125));
  result.report.started = 0;
  result.report.setup_step = 8;
  result.report.setup_error = EPERM;
  const StageOutcome stage = judge(StageKind::kRun, result, Limits{});
  EXPECT_EQ(stage.status, RunStatus::kSetupError);
  EXPECT_NE(stage.reason.find("Operation not permitted"), std::string::npos);
  EXPECT_FALSE(stage.exit_code.has_value());
}

TEST(Verdict, AStepThatAContainerForbidsNamesTheFlagThatAllowsIt) {
  const auto reason = [](cell::EnterStep step, int error) {
    StageResult result = ended(Cause::kSetup, exited(125));
    result.report.started = 0;
    result.report.setup_step = static_cast<std::uint32_t>(step);
    result.report.setup_error = error;
    return judge(StageKind::kRun, result, Limits{}).reason;
  };
  EXPECT_NE(reason(cell::EnterStep::kProc, EPERM).find("systempaths=unconfined"),
            std::string::npos);
  EXPECT_NE(reason(cell::EnterStep::kPivot, EPERM).find("seccomp=unconfined"), std::string::npos);
  EXPECT_EQ(reason(cell::EnterStep::kProc, ENOMEM).find("container"), std::string::npos);
  EXPECT_EQ(reason(cell::EnterStep::kHostname, EPERM).find("container"), std::string::npos);
}

TEST(Verdict, WithoutABillTheKernelsClockOfOneProcessIsATimeout) {
  StageResult result = ended(Cause::kProgram, SIGXCPU);
  result.report.walls = WallSet::full().minus({Wall::kCpuBill}).bits();
  const StageOutcome stage = judge(StageKind::kRun, result, Limits{});
  EXPECT_EQ(stage.status, RunStatus::kTimeout);
  EXPECT_EQ(stage.clock, Clock::kCpu);
  EXPECT_TRUE(stage.events.cpu_bill_partial);
}

TEST(Verdict, WithoutABillAKillPastTheProcessorLimitIsATimeoutToo) {
  const Limits limits{.cpu = std::chrono::seconds(1)};
  StageResult result = ended(Cause::kProgram, SIGKILL);
  result.report.walls = WallSet::full().minus({Wall::kCpuBill}).bits();
  result.report.cpu_ns = Nanoseconds(limits.cpu).count() - 1;
  EXPECT_EQ(judge(StageKind::kRun, result, limits).status, RunStatus::kSignalled);
  result.report.cpu_ns += 1;
  const StageOutcome stage = judge(StageKind::kRun, result, limits);
  EXPECT_EQ(stage.status, RunStatus::kTimeout);
  EXPECT_EQ(stage.clock, Clock::kCpu);
  // Where there is a bill, the warden has judged it already.
  result.report.walls = WallSet::full().bits();
  EXPECT_EQ(judge(StageKind::kRun, result, limits).status, RunStatus::kSignalled);
}

TEST(Verdict, DeniedCallsAreNamed) {
  StageResult result = ended(Cause::kProgram, exited(0));
  result.report.denied_count = 1;
  result.report.denied[0] = {.number = 101, .count = 3};
  const StageOutcome stage = judge(StageKind::kRun, result, Limits{});
  ASSERT_EQ(stage.denied.size(), 1U);
  EXPECT_EQ(stage.denied[0], (DeniedSyscall{.name = "ptrace", .count = 3}));
}

}  // namespace
}  // namespace belljar::engine
