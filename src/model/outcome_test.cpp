#include "model/outcome.h"

#include <gtest/gtest.h>

#include <csignal>
#include <set>
#include <string>

namespace belljar {
namespace {

TEST(ToString, GivesEveryStatusItsWord) {
  const struct {
    RunStatus status;
    std::string_view word;
  } cases[] = {
      {RunStatus::kOk, "ok"},
      {RunStatus::kRuntimeError, "runtime_error"},
      {RunStatus::kSignalled, "signalled"},
      {RunStatus::kTimeout, "timeout"},
      {RunStatus::kMemoryLimit, "memory_limit"},
      {RunStatus::kOutputLimit, "output_limit"},
      {RunStatus::kDiskLimit, "disk_limit"},
      {RunStatus::kCompileError, "compile_error"},
      {RunStatus::kRejected, "rejected"},
      {RunStatus::kSetupError, "setup_error"},
      {RunStatus::kCancelled, "cancelled"},
  };
  for (const auto& c : cases) EXPECT_EQ(to_string(c.status), c.word);
}

TEST(ToString, NamesStagesAndClocks) {
  EXPECT_EQ(to_string(StageKind::kCompile), "compile");
  EXPECT_EQ(to_string(StageKind::kRun), "run");
  EXPECT_EQ(to_string(Clock::kWall), "wall");
  EXPECT_EQ(to_string(Clock::kCpu), "cpu");
}

TEST(SignalName, IsTheNameOfTheManual) {
  const struct {
    int signal;
    std::string_view name;
  } cases[] = {
      {SIGHUP, "SIGHUP"},   {SIGINT, "SIGINT"},   {SIGILL, "SIGILL"},   {SIGTRAP, "SIGTRAP"},
      {SIGABRT, "SIGABRT"}, {SIGBUS, "SIGBUS"},   {SIGFPE, "SIGFPE"},   {SIGKILL, "SIGKILL"},
      {SIGSEGV, "SIGSEGV"}, {SIGPIPE, "SIGPIPE"}, {SIGALRM, "SIGALRM"}, {SIGTERM, "SIGTERM"},
      {SIGXCPU, "SIGXCPU"}, {SIGXFSZ, "SIGXFSZ"}, {SIGSYS, "SIGSYS"},   {SIGCHLD, "SIGCHLD"},
      {34, "SIGRTMIN"},     {37, "SIGRTMIN+3"},   {64, "SIGRTMIN+30"},  {32, "signal 32"},
      {0, "signal 0"},      {-1, "signal -1"},    {65, "signal 65"},
  };
  for (const auto& c : cases) EXPECT_EQ(signal_name(c.signal), c.name) << c.signal;
}

TEST(SignalName, TellsAllSignalsApart) {
  std::set<std::string> names;
  for (int signal = 1; signal <= 64; ++signal) {
    EXPECT_TRUE(names.insert(signal_name(signal)).second) << signal;
  }
}

Outcome outcome_of(RunStatus status, std::string reason) {
  Outcome outcome;
  outcome.status = status;
  outcome.reason = std::move(reason);
  return outcome;
}

StageOutcome stage_of(StageKind kind, RunStatus status) {
  StageOutcome stage;
  stage.kind = kind;
  stage.status = status;
  return stage;
}

TEST(Summary, SaysTheStatusAndWhy) {
  Outcome outcome = outcome_of(RunStatus::kRuntimeError, "exit code 3");
  outcome.stages.push_back(stage_of(StageKind::kRun, RunStatus::kRuntimeError));
  EXPECT_EQ(summary(outcome), "runtime_error: exit code 3");
}

TEST(Summary, SaysWhichClockRanOut) {
  Outcome outcome = outcome_of(RunStatus::kTimeout, "used 1.00 s of 1.00 s");
  outcome.stages.push_back(stage_of(StageKind::kRun, RunStatus::kTimeout));
  outcome.stages.back().clock = Clock::kCpu;
  EXPECT_EQ(summary(outcome), "timeout (cpu): used 1.00 s of 1.00 s");
}

TEST(Summary, SaysWhenItWasTheCompiler) {
  Outcome outcome = outcome_of(RunStatus::kTimeout, "used 10.00 s of 10.00 s");
  outcome.stages.push_back(stage_of(StageKind::kCompile, RunStatus::kTimeout));
  outcome.stages.back().clock = Clock::kWall;
  EXPECT_EQ(summary(outcome), "timeout (wall) while compiling: used 10.00 s of 10.00 s");
}

TEST(Summary, ACompileErrorSaysSoOnce) {
  Outcome outcome = outcome_of(RunStatus::kCompileError, "exit code 1");
  outcome.stages.push_back(stage_of(StageKind::kCompile, RunStatus::kCompileError));
  EXPECT_EQ(summary(outcome), "compile_error: exit code 1");
}

TEST(Summary, WorksWithoutStagesAndWithoutAReason) {
  EXPECT_EQ(summary(outcome_of(RunStatus::kRejected, "too long")), "rejected: too long");
  EXPECT_EQ(summary(outcome_of(RunStatus::kOk, "")), "ok");
}

TEST(Summary, ASuccessfulCompilationIsNotMentioned) {
  Outcome outcome = outcome_of(RunStatus::kOk, "exit code 0");
  outcome.stages.push_back(stage_of(StageKind::kCompile, RunStatus::kOk));
  outcome.stages.push_back(stage_of(StageKind::kRun, RunStatus::kOk));
  EXPECT_EQ(summary(outcome), "ok: exit code 0");
}

}  // namespace
}  // namespace belljar
