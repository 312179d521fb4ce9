#include "app/test_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <csignal>

namespace belljar::app {
namespace {

using testing::HasSubstr;
using testing::Not;

TestResult result_of(std::string name, RunStatus status) {
  StageOutcome stage;
  stage.status = status;
  stage.usage.peak_memory = 3 * kMiB;
  TestResult result{.name = std::move(name), .outcome = {}, .difference = {}};
  result.outcome.status = status;
  result.outcome.stages.push_back(stage);
  return result;
}

TEST(TestReport, NamesTheVerdict) {
  EXPECT_EQ(verdict(result_of("1", RunStatus::kOk)), "pass");
  TestResult wrong = result_of("1", RunStatus::kOk);
  wrong.difference = engine::OutputDifference{.line = 1, .expected = "a", .got = "b"};
  EXPECT_EQ(verdict(wrong), "wrong answer");
  EXPECT_FALSE(passed(wrong));
  EXPECT_EQ(verdict(result_of("1", RunStatus::kMemoryLimit)), "memory limit");
  TestResult slow = result_of("1", RunStatus::kTimeout);
  slow.outcome.stages[0].clock = Clock::kCpu;
  EXPECT_EQ(verdict(slow), "timeout (cpu)");
  TestResult crashed = result_of("1", RunStatus::kSignalled);
  crashed.outcome.stages[0].signal = SIGSEGV;
  EXPECT_EQ(verdict(crashed), "signalled (SIGSEGV)");
  TestResult failed = result_of("1", RunStatus::kRuntimeError);
  failed.outcome.stages[0].exit_code = 3;
  EXPECT_EQ(verdict(failed), "runtime error (exit code 3)");
}

TEST(TestReport, TableCountsAndShowsTheFirstDifference) {
  std::vector<TestResult> results{result_of("1", RunStatus::kOk), result_of("2", RunStatus::kOk)};
  results[1].difference = engine::OutputDifference{.line = 4, .expected = "\x1b[2J", .got = "b"};
  const std::string text = table_text(results, Colours::kNo);
  EXPECT_THAT(text, HasSubstr("1 of 2 passed"));
  EXPECT_THAT(text, HasSubstr("3.0 MiB"));
  EXPECT_THAT(text, HasSubstr("line 4"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(TestReport, ColoursOnlyWhenAsked) {
  const std::vector<TestResult> results{result_of("1", RunStatus::kOk)};
  EXPECT_THAT(table_text(results, Colours::kYes), HasSubstr("\x1b[32m"));
}

TEST(TestReport, JsonIsOneObjectWithEveryOutcome) {
  std::vector<TestResult> results{result_of("1", RunStatus::kOk),
                                  result_of("\xff", RunStatus::kTimeout)};
  results[0].difference =
      engine::OutputDifference{.line = 2, .expected = "\xfe", .got = std::nullopt};
  const boost::json::object all = boost::json::parse(tests_json(Outcome{}, results)).as_object();
  EXPECT_EQ(all.at("passed"), 0);
  EXPECT_EQ(all.at("total"), 2);
  const boost::json::array& tests = all.at("tests").as_array();
  ASSERT_EQ(tests.size(), 2U);
  EXPECT_EQ(tests[0].at("verdict"), "wrong_answer");
  EXPECT_EQ(tests[1].at("verdict"), "timeout");
  EXPECT_EQ(tests[0].at("difference").at("line"), 2);
  EXPECT_TRUE(tests[0].at("difference").at("got").is_null());
  EXPECT_EQ(tests[1].at("outcome").at("status"), "timeout");
}

}  // namespace
}  // namespace belljar::app
