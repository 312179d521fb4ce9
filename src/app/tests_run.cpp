#include "app/tests_run.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "app/byte_sink.h"
#include "app/exit_codes.h"
#include "app/interruption.h"
#include "app/live_output.h"
#include "app/progress.h"
#include "app/run_report.h"
#include "app/submission_files.h"
#include "app/terminal.h"
#include "app/test_cases.h"
#include "app/test_report.h"
#include "base/fd.h"
#include "base/sys.h"
#include "base/text.h"

namespace belljar::app {
namespace {

// Far beyond every limit on output, so that such a file is a mistake.
constexpr std::uint64_t kMostExpectedBytes = 256 * kMiB;

// An input is handed on piece by piece, never held as a whole.
Result<Outcome> run_case(engine::Engine& engine,
                         const engine::Prepared& prepared,
                         const TestCase& test,
                         int signal_fd) {
  engine::Input input;
  input.signal_fd = signal_fd;
  Fd file;
  if (test.input) {
    TRY_ASSIGN(file, sys::open_file(test.input->c_str(), O_RDONLY | O_NOCTTY));
    input.kind = engine::Input::Kind::kDescriptor;
    input.fd = file.get();
  }
  engine::Observer silent;
  return engine.run(prepared, input, silent);
}

Result<TestResult> judge_case(engine::Engine& engine,
                              const engine::Prepared& prepared,
                              const TestCase& test,
                              engine::Compare how,
                              int signal_fd) {
  TRY_ASSIGN(const std::string expected, read_named(test.expected, kMostExpectedBytes));
  TRY_ASSIGN(Outcome outcome, run_case(engine, prepared, test, signal_fd));
  TestResult result{.name = test.name, .outcome = std::move(outcome), .difference = {}};
  if (result.outcome.status == RunStatus::kOk) {
    result.difference =
        engine::first_difference(expected, result.outcome.stages.back().out.data, how);
  }
  return result;
}

// Those that were run; a cancelled one is the last.
Result<std::vector<TestResult>> judge_all(const Arguments& arguments,
                                          engine::Engine& engine,
                                          const engine::Prepared& prepared,
                                          const std::vector<TestCase>& cases,
                                          int signal_fd) {
  const engine::Compare how =
      arguments.has("exact") ? engine::Compare::kExact : engine::Compare::kLenient;
  std::vector<TestResult> results;
  Progress progress(cases.size());
  for (const TestCase& test : cases) {
    progress.show(results.size(), test.name);
    TRY_ASSIGN(TestResult result, judge_case(engine, prepared, test, how, signal_fd));
    results.push_back(std::move(result));
    if (results.back().outcome.status == RunStatus::kCancelled) break;
  }
  return results;
}

struct Judging {
  engine::Prepared prepared;
  std::vector<TestResult> results;  // empty when the program could not be compiled
};

// A signal ends it as cancelled.
Result<Judging> judge(const Arguments& arguments,
                      engine::Engine& engine,
                      const Submission& submission,
                      const std::vector<TestCase>& cases) {
  TRY_ASSIGN(const Interruption interruption, Interruption::catch_signals());
  LiveOutput live(arguments.has("raw") ? LiveOutput::AsIs::kYes : LiveOutput::AsIs::kNo,
                  interruption.fd());
  engine::Observer silent;
  engine::Observer& observer = arguments.has("json") ? silent : live;
  engine::Input nothing;
  nothing.signal_fd = interruption.fd();
  Judging judging;
  TRY_ASSIGN(judging.prepared, engine.prepare(submission, nothing, observer));
  TRY(live.finish());
  live.end_line();
  if (judging.prepared.runnable) {
    TRY_ASSIGN(judging.results,
               judge_all(arguments, engine, judging.prepared, cases, interruption.fd()));
  }
  return judging;
}

Status report(const Arguments& arguments, const Judging& judging) {
  const Outcome& compiled = judging.prepared.outcome;
  if (arguments.has("json"))
    return write_patiently(STDOUT_FILENO, tests_json(compiled, judging.results) + "\n");
  if (judging.prepared.runnable) {
    const Colours colours = wants_colour(STDOUT_FILENO) ? Colours::kYes : Colours::kNo;
    return write_patiently(STDOUT_FILENO, table_text(judging.results, colours));
  }
  if (!arguments.has("quiet"))
    for (const std::string& line : failure_lines(compiled)) say(line);
  return {};
}

}  // namespace

Result<int> run_tests(const Arguments& arguments,
                      engine::Engine& engine,
                      const Submission& submission,
                      const std::string& directory) {
  TRY_ASSIGN(const std::vector<TestCase> cases, find_test_cases(directory));
  TRY_ASSIGN(const Judging judging, judge(arguments, engine, submission, cases));
  TRY(report(arguments, judging));
  if (!judging.prepared.runnable) return exit_code(judging.prepared.outcome);
  const Outcome& last = judging.results.back().outcome;
  if (last.status == RunStatus::kCancelled) return exit_code(last);
  return std::ranges::all_of(judging.results, passed) ? kExitOk : kExitNotAllWell;
}

}  // namespace belljar::app
