// `belljar bench`: where the time of one program's runs goes on this host, by how they begin.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "app/byte_sink.h"
#include "app/exit_codes.h"
#include "app/header_folders.h"
#include "app/invocation.h"
#include "app/progress.h"
#include "app/run_request.h"
#include "app/submission_files.h"
#include "app/terminal.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/engine.h"
#include "engine/toolchain_version.h"

namespace belljar::app {
namespace {

constexpr std::uint64_t kRuns = 20;
constexpr std::uint64_t kMostRuns = 10'000;

struct PhaseColumn {
  std::string_view name;
  Nanoseconds Phases::* time;
};
constexpr std::array kPhases{PhaseColumn{"queue", &Phases::queue},
                             PhaseColumn{"build", &Phases::build}, PhaseColumn{"run", &Phases::run},
                             PhaseColumn{"collect", &Phases::collect},
                             PhaseColumn{"teardown", &Phases::teardown}};

// All stages of a kind that began in the same way.
struct Row {
  StageKind stage;
  Start start;
  std::vector<Phases> phases{};
  std::vector<Nanoseconds> cpu{};
};

Nanoseconds total(const Phases& phases) {
  Nanoseconds sum{};
  for (const PhaseColumn& column : kPhases) sum += phases.*column.time;
  return sum;
}

double milliseconds(std::vector<Nanoseconds> times, double share) {
  std::ranges::sort(times);
  const auto at =
      static_cast<std::size_t>(std::lround(share * static_cast<double>(times.size() - 1)));
  return std::chrono::duration<double, std::milli>(times[at]).count();
}

template <typename Of>
double median(const std::vector<Phases>& phases, Of of, double share = 0.5) {
  std::vector<Nanoseconds> times;
  times.reserve(phases.size());
  for (const Phases& each : phases) times.push_back(of(each));
  return milliseconds(std::move(times), share);
}

void note(std::vector<Row>& rows, const StageOutcome& stage) {
  auto known = std::ranges::find_if(rows, [&stage](const Row& row) {
    return row.stage == stage.kind && row.start == stage.start;
  });
  if (known == rows.end())
    known = rows.insert(rows.end(), {.stage = stage.kind, .start = stage.start});
  known->phases.push_back(stage.phases);
  known->cpu.push_back(stage.usage.cpu);
}

std::string table(const std::vector<Row>& rows, bool with_phases) {
  std::string text = fmt::format("{:<8} {:<12} {:>6} {:>9} {:>9} {:>9}", "stage", "start", "runs",
                                 "p50", "p90", "cpu");
  for (const PhaseColumn& column : kPhases) {
    if (with_phases) text += fmt::format(" {:>9}", column.name);
  }
  for (const Row& row : rows) {
    text += fmt::format("\n{:<8} {:<12} {:>6} {:>9.2f} {:>9.2f} {:>9.2f}", to_string(row.stage),
                        to_string(row.start), row.phases.size(), median(row.phases, total),
                        median(row.phases, total, 0.9), milliseconds(row.cpu, 0.5));
    for (const PhaseColumn& column : kPhases) {
      const auto of = [&column](const Phases& phases) { return phases.*column.time; };
      if (with_phases) text += fmt::format(" {:>9.2f}", median(row.phases, of));
    }
  }
  return text + "\nmilliseconds; medians, but for p90\n";
}

std::string json(const std::vector<Row>& rows) {
  std::vector<std::string> list;
  for (const Row& row : rows) {
    std::vector<std::string> phases;
    for (const PhaseColumn& column : kPhases) {
      const auto of = [&column](const Phases& each) { return each.*column.time; };
      phases.push_back(fmt::format(R"("{}_ms":{:.3f})", column.name, median(row.phases, of)));
    }
    list.push_back(fmt::format(
        R"({{"stage":"{}","start":"{}","runs":{},"p50_ms":{:.3f},"p90_ms":{:.3f},)"
        R"("cpu_ms":{:.3f},"phases":{{{}}}}})",
        to_string(row.stage), to_string(row.start), row.phases.size(), median(row.phases, total),
        median(row.phases, total, 0.9), milliseconds(row.cpu, 0.5), fmt::join(phases, ",")));
  }
  return fmt::format("{{\"rows\":[{}]}}\n", fmt::join(list, ","));
}

Result<std::uint64_t> read_runs(const Arguments& arguments) {
  const auto text = arguments.value("runs");
  if (!text) return kRuns;
  const auto number = parse_count(*text);
  if (number && *number >= 1 && *number <= kMostRuns) return *number;
  return fail(Code::kInvalid,
              "--runs " + quote(*text) + " is not a number from 1 to " + std::to_string(kMostRuns));
}

Result<engine::Input> read_input(const Arguments& arguments, std::uint64_t most_bytes) {
  engine::Input input;
  const auto path = arguments.value("stdin");
  if (!path) return input;
  TRY_ASSIGN(input.bytes, read_named(std::string(*path), most_bytes));
  input.kind = engine::Input::Kind::kBytes;
  return input;
}

// How a run is made to begin.
struct Way {
  bool waits;        // in a finished cell
  bool interpreter;  // with the interpreter up in it, where that can be
};
constexpr std::array kWays{Way{.waits = false, .interpreter = false},
                           Way{.waits = true, .interpreter = false},
                           Way{.waits = true, .interpreter = true}};

Result<Outcome> run_one(warden::Client& warden,
                        const RunRequest& request,
                        const engine::Input& input,
                        const Way& way,
                        const engine::Reuse& reuse) {
  // What waits for other runs is not for this one.
  TRY(warden.keep(way.waits ? 1 : 0));
  Policy policy = request.policy;
  policy.warm = policy.warm && way.interpreter;
  engine::Engine engine(warden, request.catalog, policy, reuse);
  engine::Input given = input;
  given.warm = way.waits;
  engine::Observer silent;
  return engine.execute(request.submission, given, silent);
}

}  // namespace

Result<int> bench_command(Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  TRY_ASSIGN(warden::Client warden, *std::move(invocation.warden));
  TRY_ASSIGN(const RunRequest request, read_request(arguments, warden));
  TRY_ASSIGN(const std::uint64_t runs, read_runs(arguments));
  TRY_ASSIGN(const engine::Input input, read_input(arguments, request.policy.defaults.box));
  const engine::HeaderStore headers(header_folders());
  engine::VersionCache versions;
  const engine::Reuse reuse{
      .versions = &versions, .cache = nullptr, .tenant = {}, .headers = &headers};

  std::vector<Row> rows;
  Progress progress(runs);
  for (std::uint64_t round = 0; round < runs; ++round) {
    progress.show(round, "rounds");
    // Each round has every way once, so that a slow moment of the host falls on all alike.
    for (const Way& way : kWays) {
      TRY_ASSIGN(const Outcome outcome, run_one(warden, request, input, way, reuse));
      if (outcome.status != RunStatus::kOk) {
        say(fmt::format("the program ended with {}: {}", to_string(outcome.status), outcome.reason),
            Colour::kRed);
        return exit_code(outcome);
      }
      for (const StageOutcome& stage : outcome.stages) note(rows, stage);
    }
  }
  progress.show(runs, "rounds");
  std::ranges::sort(rows, {}, [](const Row& row) { return std::pair(row.stage, row.start); });
  TRY(write_patiently(STDOUT_FILENO,
                      arguments.has("json") ? json(rows) : table(rows, arguments.has("phases"))));
  return kExitOk;
}

}  // namespace belljar::app
