#include "model/outcome_reader.h"

#include <boost/json.hpp>
#include <cmath>

#include "model/json_members.h"

namespace belljar {
namespace {

namespace json = boost::json;

Status read(const Members& from, std::string_view name, Stream& to) {
  TRY_ASSIGN(const Members stream, Members::of(from.find(name), name));
  TRY(stream.read_bytes("base64", to.data));
  TRY(stream.read("total_bytes", to.total_bytes));
  return stream.read("truncated", to.truncated);
}

Status read(const Members& from, Usage& to) {
  TRY_ASSIGN(const Members usage, Members::of(from.find("usage"), "usage"));
  TRY(usage.read_ms("wall_ms", to.wall));
  TRY(usage.read_ms("cpu_ms", to.cpu));
  TRY(usage.read_ms("user_ms", to.user));
  TRY(usage.read_ms("system_ms", to.system));
  TRY(usage.read("peak_memory_bytes", to.peak_memory));
  TRY(usage.read("peak_processes", to.peak_processes));
  TRY(usage.read("oom_kills", to.oom_kills));
  TRY(usage.read("throttled_periods", to.throttled_periods));
  return usage.read_ms("throttled_ms", to.throttled);
}

Status read(const Members& from, Events& to) {
  TRY_ASSIGN(const Members events, Members::of(from.find("events"), "events"));
  TRY(events.read("process_limit_hits", to.process_limit_hits));
  TRY(events.read("leftover_processes", to.leftover_processes));
  TRY(events.read("disk_full", to.disk_full));
  return events.read("cpu_bill_partial", to.cpu_bill_partial);
}

Status read(const Members& from, Phases& to) {
  TRY_ASSIGN(const Members phases, Members::of(from.find("phases"), "phases"));
  TRY(phases.read_ms("queue_ms", to.queue));
  TRY(phases.read_ms("build_ms", to.build));
  TRY(phases.read_ms("run_ms", to.run));
  TRY(phases.read_ms("collect_ms", to.collect));
  return phases.read_ms("teardown_ms", to.teardown);
}

Status read(const Members& from, Limits& to) {
  TRY_ASSIGN(const Members limits, Members::of(from.find("limits"), "limits"));
  for (const LimitField& field : limit_fields()) {
    const std::string name(field.name);
    if (field.kind == LimitField::Kind::kDuration) {
      TRY(limits.read_ms(name + "_ms", to.*field.duration));
    } else if (field.kind == LimitField::Kind::kCpus) {
      TRY_ASSIGN(const double cpus, limits.real(name));
      constexpr double kMost = 1e9;
      if (!(cpus >= 0 && cpus < kMost)) return wrong_member(name);
      to.*field.number = static_cast<std::uint64_t>(std::llround(cpus * 1e3));
    } else {
      const bool bytes = field.kind == LimitField::Kind::kBytes;
      TRY(limits.read(bytes ? name + "_bytes" : name, to.*field.number));
    }
  }
  return {};
}

Status read(const Members& from, std::vector<DeniedSyscall>& to) {
  const json::value* const list = from.find("denied_syscalls");
  if (list == nullptr || !list->is_array()) return wrong_member("denied_syscalls");
  for (const json::value& each : list->get_array()) {
    TRY_ASSIGN(const Members call, Members::of(&each, "denied_syscalls"));
    DeniedSyscall& made = to.emplace_back();
    TRY(call.read("name", made.name));
    TRY(call.read("count", made.count));
  }
  return {};
}

Status read(const Members& from, WallSet& to) {
  const json::value* const list = from.find("walls");
  if (list == nullptr || !list->is_array()) return wrong_member("walls");
  for (const json::value& each : list->get_array()) {
    if (!each.is_string()) return wrong_member("walls");
    TRY_ASSIGN(const Wall wall, parse_wall(std::string(each.get_string())));
    to.add(wall);
  }
  return {};
}

Result<StageOutcome> read_stage(const json::value& value) {
  TRY_ASSIGN(const Members from, Members::of(&value, "stages"));
  StageOutcome to;
  TRY(from.read_name("stage", StageKind::kRun, to.kind));
  TRY(from.read_name("status", RunStatus::kCancelled, to.status));
  TRY(from.read("reason", to.reason));
  TRY(from.read_name("start", Start::kInterpreter, to.start));
  TRY(from.read("cached", to.cached));
  if (from.find("clock") != nullptr) {
    TRY(from.read_name("clock", Clock::kCpu, to.clock.emplace()));
  }
  if (from.find("exit_code") != nullptr) TRY(from.read("exit_code", to.exit_code.emplace()));
  if (from.find("signal_number") != nullptr) TRY(from.read("signal_number", to.signal.emplace()));
  TRY(read(from, "stdout", to.out));
  TRY(read(from, "stderr", to.err));
  TRY(read(from, to.usage));
  TRY(read(from, to.events));
  TRY(read(from, to.denied));
  TRY(from.read("denied_more", to.denied_more));
  TRY(read(from, to.phases));
  TRY(read(from, to.limits));
  TRY(read(from, to.walls));
  return to;
}

Result<Outcome> read_whole(const json::value& value) {
  TRY_ASSIGN(const Members from, Members::of(&value, "it"));
  Outcome to;
  TRY(from.read_name("status", RunStatus::kCancelled, to.status));
  TRY(from.read("reason", to.reason));
  TRY(from.read("language", to.language));
  TRY(from.read("toolchain", to.toolchain));
  TRY(from.read("policy", to.policy));
  const json::value* const stages = from.find("stages");
  if (stages == nullptr || !stages->is_array()) return wrong_member("stages");
  for (const json::value& each : stages->get_array()) {
    TRY_ASSIGN(StageOutcome stage, read_stage(each));
    to.stages.push_back(std::move(stage));
  }
  TRY(from.read("artifacts_truncated", to.artifacts_truncated));
  TRY_ASSIGN(const Members host, Members::of(from.find("host"), "host"));
  TRY(host.read("kernel", to.host.kernel));
  TRY(host.read("cgroup_mode", to.host.cgroup_mode));
  TRY(host.read("landlock_abi", to.host.landlock_abi));
  TRY(host.read("rootless", to.host.rootless));
  return to;
}

}  // namespace

Result<Outcome> read_outcome(const json::value& value) {
  auto outcome = read_whole(value);
  if (!outcome) return std::unexpected(outcome.error().context("outcome"));
  return outcome;
}

}  // namespace belljar
