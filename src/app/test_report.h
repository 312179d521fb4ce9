// TestReport: the verdicts of `run --tests`, as a table and as JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/output_difference.h"
#include "model/outcome.h"

namespace belljar::app {

struct TestResult {
  std::string name;
  Outcome outcome;
  std::optional<engine::OutputDifference>
      difference;  // looked for only where the program ended well
};

bool passed(const TestResult& result);
// For people: "pass", "wrong answer", "timeout (cpu)", "memory limit", "runtime error (exit code
// 3)",
// ... tests_json() has the names that engine::verdict_name() gives, as the service has.
std::string verdict(const TestResult& result);

enum class Colours : unsigned char { kNo, kYes };
// Names and output of a program are made harmless for a terminal.
std::string table_text(const std::vector<TestResult>& results, Colours colours);

// `compiled`: the outcome so far, with the compile stage where the language has one.
std::string tests_json(const Outcome& compiled, const std::vector<TestResult>& results);

}  // namespace belljar::app
