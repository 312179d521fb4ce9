#include "app/run_report.h"

#include <fmt/format.h>

namespace belljar::app {
namespace {

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string denied_text(const StageOutcome& stage) {
  std::vector<std::string> calls;
  for (const DeniedSyscall& call : stage.denied)
    calls.push_back(call.count == 1 ? call.name
                                    : fmt::format("{} ({} times)", call.name, call.count));
  if (stage.denied_more) calls.emplace_back("and more");
  return joined(calls);
}

// Limits that were touched without ending the program.
void add_events(const StageOutcome& stage, std::vector<std::string>& lines) {
  if (!stage.denied.empty()) lines.push_back("refused system calls: " + denied_text(stage));
  if (stage.events.process_limit_hits > 0) {
    lines.push_back(fmt::format("the process limit of {} was hit {} times", stage.limits.processes,
                                stage.events.process_limit_hits));
  }
  if (stage.events.disk_full && stage.status != RunStatus::kDiskLimit)
    lines.emplace_back("/box, /tmp or /dev/shm was full at the end");
}

void add_stage(const StageOutcome& stage, std::string& text) {
  const Usage& usage = stage.usage;
  text +=
      fmt::format("  {:<8} wall {}, cpu {} (user {}, system {}), memory {}, processes {}\n",
                  to_string(stage.kind), format_duration(usage.wall), format_duration(usage.cpu),
                  format_duration(usage.user), format_duration(usage.system),
                  format_bytes(usage.peak_memory), usage.peak_processes);
  const Phases& phases = stage.phases;
  text += fmt::format("  {:<8} queue {}, build {}, run {}, collect {}, teardown {}\n", "",
                      format_duration(phases.queue), format_duration(phases.build),
                      format_duration(phases.run), format_duration(phases.collect),
                      format_duration(phases.teardown));
  if (stage.cached) {
    text +=
        fmt::format("  {:<8} cached: not compiled again, the figures are of the first time\n", "");
  }
}

std::string walls_text(const StageOutcome& stage) {
  const WallSet missing = WallSet::full().minus(stage.walls);
  const std::size_t stood = stage.walls.names().size();
  if (missing.empty()) return fmt::format("all {} stood", stood);
  return fmt::format("{} of {} stood; missing: {}", stood, kWallCount, joined(missing.names()));
}

}  // namespace

std::vector<std::string> failure_lines(const Outcome& outcome) {
  std::vector<std::string> lines;
  if (outcome.status == RunStatus::kOk) return lines;
  if (outcome.status != RunStatus::kRuntimeError) lines.push_back(summary(outcome));
  if (!outcome.stages.empty()) add_events(outcome.stages.back(), lines);
  return lines;
}

std::string stats_text(const Outcome& outcome) {
  std::string text = summary(outcome) + "\n";
  text += fmt::format("  {:<8} {}, {}\n", "language", outcome.language,
                      outcome.toolchain.empty() ? "version unknown" : outcome.toolchain);
  for (const StageOutcome& stage : outcome.stages) add_stage(stage, text);
  if (!outcome.stages.empty()) {
    text += fmt::format("  {:<8} {}\n", "walls", walls_text(outcome.stages.back()));
    std::vector<std::string> events;
    add_events(outcome.stages.back(), events);
    for (const std::string& event : events) text += fmt::format("  {:<8} {}\n", "note", event);
  }
  text.pop_back();
  return text;
}

}  // namespace belljar::app
