// `belljar doctor`: what this host can give, found by running real cells.
#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "app/byte_sink.h"
#include "app/cell_probes.h"
#include "app/exit_codes.h"
#include "app/host_settings.h"
#include "app/invocation.h"
#include "app/terminal.h"
#include "base/text.h"
#include "model/json_text.h"
#include "runtime/catalog.h"

namespace belljar::app {
namespace {

enum Exit : int { kAllStands = 0, kSomethingMissing = 1, kNoCells = 2 };

struct ProbedLimit {
  std::string_view name;
  bool held = false;
  std::string_view what;
  std::string seen;  // what happened instead
};

struct Diagnosis {
  HostFacts host;
  std::string freezer;  // of warden::Client
  bool works = false;
  std::string reason;  // why not
  Nanoseconds build{};
  WallSet walls;
  std::vector<ProbedLimit> limits;
  std::vector<HostWarning> warnings;
};

std::string_view help_of(std::string_view limit) {
  for (const LimitField& field : limit_fields())
    if (field.name == limit) return field.help;
  return {};
}

Status probe_limits(engine::Engine& engine, const Policy& policy, Diagnosis& diagnosis) {
  for (const LimitProbe& probe : limit_probes()) {
    TRY_ASSIGN(const StageOutcome stage, run_probe(engine, policy, probe.script, probe.limits));
    const bool held = probe.held(stage);
    diagnosis.limits.push_back(
        {.name = probe.name,
         .held = held,
         .what = help_of(probe.name),
         .seen = held ? "" : fmt::format("{}: {}", to_string(stage.status), stage.reason)});
  }
  return {};
}

// Everything is asked of real cells; an error on the way is what the doctor has to say.
Diagnosis examine(Result<warden::Client>& started) {
  Diagnosis diagnosis;
  diagnosis.warnings = examine_host(read_setting);
  const auto stop = [&](const Error& error) {
    diagnosis.works = false;
    diagnosis.reason = error.message;
    return diagnosis;
  };
  if (!started) return stop(started.error());
  warden::Client& warden = *started;
  const auto host = warden.host();
  if (!host) return stop(host.error());
  diagnosis.host = *host;
  diagnosis.freezer = warden.freezer().value_or("none");
  const auto catalog = runtime::Catalog::open("");
  if (!catalog) return stop(catalog.error());
  const Policy policy;
  engine::Engine engine(warden, *catalog, policy);
  const auto first = run_probe(engine, policy, "exit 0", "");
  if (!first) return stop(first.error());
  diagnosis.walls = first->walls;
  diagnosis.build = first->phases.build;
  diagnosis.works = first->status == RunStatus::kOk;
  if (!diagnosis.works) {
    diagnosis.reason = fmt::format("{}: {}", to_string(first->status), first->reason);
    return diagnosis;
  }
  if (const Status probed = probe_limits(engine, policy, diagnosis); !probed)
    return stop(probed.error());
  return diagnosis;
}

int verdict(const Diagnosis& diagnosis) {
  if (!diagnosis.works) return kNoCells;
  for (const ProbedLimit& limit : diagnosis.limits)
    if (!limit.held) return kSomethingMissing;
  return diagnosis.walls == WallSet::full() ? kAllStands : kSomethingMissing;
}

std::string mark(bool good, bool colour) {
  return good ? paint("ok      ", Colour::kGreen, colour) : paint("missing ", Colour::kRed, colour);
}

std::string walls_text(const Diagnosis& diagnosis, bool colour) {
  std::string text = "\nWalls\n";
  for (int i = 0; i < kWallCount; ++i) {
    const auto wall = static_cast<Wall>(i);
    const bool stands = diagnosis.walls.has(wall);
    text += fmt::format("  {}{:<18}{}\n", mark(stands, colour), to_string(wall), explain(wall));
    if (!stands) text += fmt::format("  {:26}to do: {}\n", "", advice(wall));
  }
  return text;
}

std::string limits_text(const Diagnosis& diagnosis, bool colour) {
  std::string text = "\nLimits, each tried by a program that goes over it\n";
  for (const ProbedLimit& limit : diagnosis.limits) {
    text += fmt::format("  {}{:<18}{}\n", mark(limit.held, colour), limit.name, limit.what);
    if (!limit.held) text += fmt::format("  {:26}instead: {}\n", "", limit.seen);
  }
  return text;
}

std::string warnings_text(const Diagnosis& diagnosis, bool colour) {
  if (diagnosis.warnings.empty()) return {};
  std::string text = "\nSettings of this host that weaken what stands\n";
  for (const HostWarning& warning : diagnosis.warnings) {
    text += fmt::format("  {}{} is {}: {}\n          to do: {}\n",
                        paint("warning ", Colour::kYellow, colour), warning.setting, warning.value,
                        warning.why, warning.advice);
  }
  return text;
}

std::string report_text(const Diagnosis& diagnosis, bool colour) {
  const HostFacts& host = diagnosis.host;
  std::string text = fmt::format("Host    Linux {}, cgroups {}, Landlock ABI {}, {}\n", host.kernel,
                                 host.cgroup_mode, host.landlock_abi,
                                 host.rootless ? "without root (user namespace)" : "root");
  if (!diagnosis.works) {
    text += fmt::format("Cells   {}: {}\n", paint("do not work", Colour::kRed, colour),
                        escape_for_terminal(diagnosis.reason));
    return text + warnings_text(diagnosis, colour);
  }
  text += fmt::format("Cells   work; one is made in {}\n", format_duration(diagnosis.build));
  text += diagnosis.freezer == "none"
              ? "Sessions none: no cgroup freezer, v2 or v1, can be written\n"
              : fmt::format("Sessions are paused by the {} freezer\n", diagnosis.freezer);
  text += walls_text(diagnosis, colour) + limits_text(diagnosis, colour) +
          warnings_text(diagnosis, colour);
  std::size_t held = 0;
  for (const ProbedLimit& limit : diagnosis.limits) held += limit.held ? 1 : 0;
  return text + fmt::format("\n{} of {} walls stand, {} of {} limits hold, {} warnings\n",
                            diagnosis.walls.names().size(), kWallCount, held,
                            diagnosis.limits.size(), diagnosis.warnings.size());
}

std::string report_json(const Diagnosis& diagnosis) {
  boost::json::array walls;
  for (int i = 0; i < kWallCount; ++i) {
    const auto wall = static_cast<Wall>(i);
    const bool stands = diagnosis.walls.has(wall);
    boost::json::object row = {
        {"name", to_string(wall)}, {"stands", stands}, {"explanation", explain(wall)}};
    if (!stands) row["advice"] = advice(wall);
    walls.push_back(std::move(row));
  }
  boost::json::array limits;
  for (const ProbedLimit& limit : diagnosis.limits)
    limits.push_back({{"name", limit.name}, {"held", limit.held}, {"seen", limit.seen}});
  boost::json::array warnings;
  for (const HostWarning& warning : diagnosis.warnings) {
    warnings.push_back({{"setting", warning.setting},
                        {"value", repair_utf8(warning.value)},
                        {"why", warning.why},
                        {"advice", warning.advice}});
  }
  const boost::json::value all = {
      {"works", diagnosis.works},
      {"reason", repair_utf8(diagnosis.reason)},
      {"host",
       {{"kernel", diagnosis.host.kernel},
        {"cgroup_mode", diagnosis.host.cgroup_mode},
        {"freezer", diagnosis.freezer},
        {"landlock_abi", diagnosis.host.landlock_abi},
        {"rootless", diagnosis.host.rootless}}},
      {"build_ms", static_cast<double>(diagnosis.build.count()) / 1e6},
      {"walls", walls},
      {"limits", limits},
      {"warnings", warnings},
  };
  return escape_json_for_terminal(json_text(all)) + "\n";
}

}  // namespace

Result<int> doctor_command(Invocation& invocation) {
  const Diagnosis diagnosis = examine(*invocation.warden);
  const bool json = invocation.arguments.has("json");
  TRY(write_patiently(STDOUT_FILENO, json ? report_json(diagnosis)
                                          : report_text(diagnosis, wants_colour(STDOUT_FILENO))));
  return verdict(diagnosis);
}

}  // namespace belljar::app
