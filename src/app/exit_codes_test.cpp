#include "app/exit_codes.h"

#include <gtest/gtest.h>

#include <csignal>
#include <set>

namespace belljar::app {
namespace {

Outcome ended(RunStatus status, std::optional<int> code, std::optional<int> signal) {
  StageOutcome stage;
  stage.status = status;
  stage.exit_code = code;
  stage.signal = signal;
  Outcome outcome;
  outcome.status = status;
  outcome.stages.push_back(stage);
  return outcome;
}

TEST(ExitCodes, PassOnWhatTheProgramSaid) {
  EXPECT_EQ(exit_code(ended(RunStatus::kOk, 0, {})), 0);
  EXPECT_EQ(exit_code(ended(RunStatus::kRuntimeError, 1, {})), 1);
  EXPECT_EQ(exit_code(ended(RunStatus::kRuntimeError, 255, {})), 255);
  EXPECT_EQ(exit_code(ended(RunStatus::kSignalled, {}, SIGSEGV)), 139);
}

TEST(ExitCodes, TellVerdictsOfOursApart) {
  std::set<int> codes;
  for (const RunStatus status :
       {RunStatus::kTimeout, RunStatus::kMemoryLimit, RunStatus::kOutputLimit,
        RunStatus::kDiskLimit, RunStatus::kCompileError, RunStatus::kRejected,
        RunStatus::kSetupError}) {
    // A limit is enforced with SIGKILL: the code must still say which one it was.
    EXPECT_TRUE(codes.insert(exit_code(ended(status, {}, SIGKILL))).second) << to_string(status);
  }
  EXPECT_FALSE(codes.contains(kExitUsage));
  EXPECT_EQ(*codes.rbegin(), 126);
  EXPECT_EQ(*codes.begin(), 120);
}

TEST(ExitCodes, SayWhatCancelledARun) {
  EXPECT_EQ(exit_code(ended(RunStatus::kCancelled, {}, SIGINT)), 130);
  EXPECT_EQ(exit_code(ended(RunStatus::kCancelled, {}, SIGTERM)), 143);
  EXPECT_EQ(exit_code(ended(RunStatus::kCancelled, {}, SIGKILL)), 143);
  EXPECT_EQ(exit_code(ended(RunStatus::kCancelled, {}, {})), 143);
}

TEST(ExitCodes, TellAMistakeFromAFailureOfOurs) {
  EXPECT_EQ(exit_code(Error{.code = Code::kInvalid, .message = ""}), 2);
  EXPECT_EQ(exit_code(Error{.code = Code::kNotFound, .message = ""}), 2);
  EXPECT_EQ(exit_code(Error{.code = Code::kDenied, .message = ""}), 126);
  for (const Code code : {Code::kExhausted, Code::kUnavailable, Code::kInternal})
    EXPECT_EQ(exit_code(Error{.code = code, .message = ""}), 125);
}

TEST(ExitCodes, AReaderThatWentAwayCountsAsItsSignal) {
  EXPECT_EQ(exit_code(Error{.code = Code::kInternal, .sys = EPIPE, .message = ""}), 141);
}

TEST(ExitCodes, AnOutcomeWithoutAnyStageIsNeverASuccess) {
  Outcome outcome;
  for (const RunStatus status : {RunStatus::kOk, RunStatus::kRuntimeError, RunStatus::kSignalled}) {
    outcome.status = status;
    EXPECT_EQ(exit_code(outcome), kExitTrouble);
  }
}

}  // namespace
}  // namespace belljar::app
