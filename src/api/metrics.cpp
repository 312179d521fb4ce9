#include "api/metrics.h"

#include <algorithm>
#include <charconv>

namespace belljar::api {
namespace {

std::string_view help_of(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 26> kHelp{{
      {"belljar_http_requests_total", "Requests by route, method and status."},
      {"belljar_http_request_seconds", "Time from a request's last byte to its answer."},
      {"belljar_runs_total", "Runs that ended, by language and status."},
      {"belljar_phase_seconds", "Time of each phase of a stage."},
      {"belljar_starts_total",
       "Stages by what waited for them: nothing (cold), a finished cell, an interpreter."},
      {"belljar_refusals_total", "Requests that were refused, by reason."},
      {"belljar_denied_syscalls_total", "System calls that were denied, by name."},
      {"belljar_runs_waiting", "Runs in the queue."},
      {"belljar_runs_running", "Runs in cells."},
      {"belljar_runs_lost_total", "Accepted runs that a restart could not finish."},
      {"belljar_warden_restarts_total", "Wardens that were started after the first."},
      {"belljar_webhooks_total", "Deliveries by result."},
      {"belljar_compile_cache_total", "Compile stages looked for in the cache, by result."},
      {"belljar_compile_cache_bytes", "Memory that the compile cache holds."},
      {"belljar_fleet_up", "1 while the fleet's NATS answers."},
      {"belljar_fleet_workers", "Workers of the fleet that take runs."},
      {"belljar_fleet_running", "Runs at all workers of the fleet."},
      {"belljar_fleet_given_again", "How often a run was given to the fleet once more."},
      {"belljar_fleet_redelivered", "How often a worker was given a run that another one had."},
      {"belljar_fleet_oldest_waiting_seconds", "How long the first of the waiting runs waits."},
      {"belljar_fleet_waiting", "Runs of this gateway in the work queue, by lane."},
      {"belljar_sessions", "Sessions that have not ended."},
      {"belljar_sessions_total", "Sessions that began, did not come up, or ended."},
      {"belljar_session_executions_total", "Executions in sessions, by status."},
      {"belljar_session_execution_seconds", "Time of an execution, its thaw and freeze included."},
      {"belljar_ready", "1 while the service takes runs."},
  }};
  for (const auto& [each, help] : kHelp) {
    if (each == name) return help;
  }
  return "See docs/operations.md.";
}

std::string number(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

std::string braces(std::string_view labels, std::string_view more = {}) {
  if (labels.empty() && more.empty()) return {};
  std::string text = "{";
  text += labels;
  if (!labels.empty() && !more.empty()) text += ',';
  text += more;
  return text + "}";
}

void head(std::string& page, std::string_view name, std::string_view type) {
  page.append("# HELP ").append(name).append(" ").append(help_of(name)).append("\n# TYPE ");
  page.append(name).append(" ").append(type).append("\n");
}

std::string label(std::string_view name, std::string_view value) {
  std::string text(name);
  text += "=\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    text += c == '\n' ? ' ' : c;
  }
  return text + '"';
}

}  // namespace

void Metrics::count(std::string_view name, std::string_view labels, std::uint64_t by) {
  const std::lock_guard lock(mutex_);
  counters_[std::string(name)][std::string(labels)] += by;
}

void Metrics::observe(std::string_view name, std::string_view labels, Nanoseconds value) {
  const double ms = static_cast<double>(value.count()) / 1e6;
  const std::lock_guard lock(mutex_);
  Histogram& histogram = histograms_[std::string(name)][std::string(labels)];
  const auto at = std::ranges::lower_bound(kBounds, ms);
  if (at != kBounds.end()) ++histogram.counts[static_cast<std::size_t>(at - kBounds.begin())];
  ++histogram.count;
  histogram.sum += ms / 1e3;
}

void Metrics::outcome(const Outcome& outcome) {
  count("belljar_runs_total",
        label("language", outcome.language) + "," + label("status", to_string(outcome.status)));
  for (const StageOutcome& stage : outcome.stages) {
    count("belljar_starts_total",
          label("stage", to_string(stage.kind)) + "," + label("start", to_string(stage.start)));
    const std::pair<std::string_view, Nanoseconds> phases[] = {{"queue", stage.phases.queue},
                                                               {"build", stage.phases.build},
                                                               {"run", stage.phases.run},
                                                               {"collect", stage.phases.collect},
                                                               {"teardown", stage.phases.teardown}};
    for (const auto& [phase, value] : phases) {
      observe("belljar_phase_seconds",
              label("stage", to_string(stage.kind)) + "," + label("phase", phase), value);
    }
    for (const DeniedSyscall& call : stage.denied) {
      count("belljar_denied_syscalls_total", label("name", call.name), call.count);
    }
  }
}

std::string Metrics::text(const std::vector<Gauge>& gauges) const {
  const std::lock_guard lock(mutex_);
  std::string page;
  for (const auto& [name, series] : counters_) {
    head(page, name, "counter");
    for (const auto& [labels, value] : series)
      page.append(name)
          .append(braces(labels))
          .append(" ")
          .append(std::to_string(value))
          .append("\n");
  }
  for (const auto& [name, series] : histograms_) {
    head(page, name, "histogram");
    for (const auto& [labels, histogram] : series) {
      std::uint64_t sum = 0;
      for (std::size_t i = 0; i < kBounds.size(); ++i) {
        sum += histogram.counts[i];
        page.append(name).append("_bucket");
        page.append(braces(labels, label("le", number(kBounds[i] / 1e3))));
        page.append(" ").append(std::to_string(sum)).append("\n");
      }
      page.append(name).append("_bucket").append(braces(labels, label("le", "+Inf"))).append(" ");
      page.append(std::to_string(histogram.count)).append("\n");
      page.append(name).append("_sum").append(braces(labels)).append(" ");
      page.append(number(histogram.sum)).append("\n");
      page.append(name).append("_count").append(braces(labels)).append(" ");
      page.append(std::to_string(histogram.count)).append("\n");
    }
  }
  std::string_view last;
  for (const Gauge& gauge : gauges) {
    if (gauge.name != last) head(page, gauge.name, "gauge");
    last = gauge.name;
    page.append(gauge.name)
        .append(braces(gauge.labels))
        .append(" ")
        .append(number(gauge.value))
        .append("\n");
  }
  return page;
}

}  // namespace belljar::api
