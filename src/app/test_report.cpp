#include "app/test_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "app/terminal.h"
#include "base/text.h"
#include "model/json_text.h"

namespace belljar::app {
namespace {

const StageOutcome* run_stage(const Outcome& outcome) {
  if (outcome.stages.empty() || outcome.stages.back().kind != StageKind::kRun) return nullptr;
  return &outcome.stages.back();
}

std::string spaced(std::string_view name) {
  std::string text(name);
  std::ranges::replace(text, '_', ' ');
  return text;
}

std::string detail(const Outcome& outcome) {
  const StageOutcome* const stage = run_stage(outcome);
  if (stage == nullptr) return {};
  if (stage->clock) return fmt::format(" ({})", to_string(*stage->clock));
  if (outcome.status == RunStatus::kSignalled && stage->signal)
    return fmt::format(" ({})", signal_name(*stage->signal));
  if (outcome.status == RunStatus::kRuntimeError && stage->exit_code)
    return fmt::format(" (exit code {})", *stage->exit_code);
  return {};
}

struct Row {
  std::string name, verdict, wall, cpu, memory, note;
  bool passed = false;
};

Row row_of(const TestResult& result) {
  Row row;
  row.name = escape_for_terminal(result.name);
  row.verdict = verdict(result);
  row.passed = passed(result);
  if (const StageOutcome* const stage = run_stage(result.outcome)) {
    row.wall = format_duration(stage->usage.wall);
    row.cpu = format_duration(stage->usage.cpu);
    row.memory = format_bytes(stage->usage.peak_memory);
  }
  if (result.difference) row.note = to_string(*result.difference);
  return row;
}

boost::json::value line_value(const std::optional<std::string>& line) {
  return line ? boost::json::value(repair_utf8(*line)) : boost::json::value(nullptr);
}

boost::json::value difference_value(const std::optional<engine::OutputDifference>& difference) {
  if (!difference) return nullptr;
  return {{"line", difference->line},
          {"expected", line_value(difference->expected)},
          {"got", line_value(difference->got)}};
}

boost::json::value compile_value(const Outcome& compiled) {
  if (compiled.stages.empty()) return nullptr;
  return boost::json::parse(to_json(compiled)).at("stages").at(0);
}

}  // namespace

bool passed(const TestResult& result) {
  return result.outcome.status == RunStatus::kOk && !result.difference;
}

std::string verdict(const TestResult& result) {
  return spaced(engine::verdict_name(result.outcome.status, result.difference.has_value())) +
         detail(result.outcome);
}

std::string table_text(const std::vector<TestResult>& results, Colours colours) {
  const bool colour = colours == Colours::kYes;
  std::vector<Row> rows{{.name = "test",
                         .verdict = "verdict",
                         .wall = "wall",
                         .cpu = "cpu",
                         .memory = "memory",
                         .note = {}}};
  for (const TestResult& result : results) rows.push_back(row_of(result));
  std::size_t name_width = 0;
  std::size_t verdict_width = 0;
  for (const Row& row : rows) {
    name_width = std::max(name_width, row.name.size());
    verdict_width = std::max(verdict_width, row.verdict.size());
  }
  std::string text;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    // Padded before it is painted: the sequences have no width.
    const std::string verdict_cell = fmt::format("{:<{}}", row.verdict, verdict_width);
    const Colour shade = i == 0 ? Colour::kBold : row.passed ? Colour::kGreen : Colour::kRed;
    text += fmt::format("{:<{}}  {}  {:>9}  {:>9}  {:>10}\n", row.name, name_width,
                        paint(verdict_cell, shade, colour), row.wall, row.cpu, row.memory);
    if (!row.note.empty()) text += "    " + row.note + "\n";
  }
  const auto good = std::ranges::count_if(results, passed);
  text += fmt::format("{} of {} passed\n", good, results.size());
  return text;
}

std::string tests_json(const Outcome& compiled, const std::vector<TestResult>& results) {
  boost::json::array tests;
  for (const TestResult& result : results) {
    tests.push_back(
        {{"name", repair_utf8(result.name)},
         {"verdict", engine::verdict_name(result.outcome.status, result.difference.has_value())},
         {"passed", passed(result)},
         {"difference", difference_value(result.difference)},
         {"outcome", boost::json::parse(to_json(result.outcome))}});
  }
  const boost::json::value all = {
      {"passed", std::ranges::count_if(results, passed)},
      {"total", results.size()},
      {"compile", compile_value(compiled)},
      {"tests", tests},
  };
  return escape_json_for_terminal(json_text(all));
}

}  // namespace belljar::app
