#include "model/outcome_reader.h"

#include <boost/json.hpp>
#include <cmath>
#include <limits>

#include "base/text.h"

namespace belljar {
namespace {

namespace json = boost::json;

std::unexpected<Error> wrong(std::string_view name) {
  return fail(Code::kInvalid, "outcome: " + std::string(name) + " is missing or of another kind");
}

// Members of one object by name; the first that is not as wanted is remembered.
class Members {
 public:
  static Result<Members> of(const json::value* value, std::string_view name) {
    if (value == nullptr || !value->is_object()) return wrong(name);
    return Members(value->get_object());
  }

  [[nodiscard]] const json::value* find(std::string_view name) const {
    return object_.if_contains(name);
  }
  Status read(std::string_view name, std::string& to) const {
    const json::value* const value = find(name);
    if (value == nullptr || !value->is_string()) return wrong(name);
    to = std::string(value->get_string());
    return {};
  }
  Status read(std::string_view name, bool& to) const {
    const json::value* const value = find(name);
    if (value == nullptr || !value->is_bool()) return wrong(name);
    to = value->get_bool();
    return {};
  }
  Status read(std::string_view name, std::uint64_t& to) const {
    const json::value* const value = find(name);
    if (value == nullptr) return wrong(name);
    if (value->is_uint64()) {
      to = value->get_uint64();
    } else if (value->is_int64() && value->get_int64() >= 0) {
      to = static_cast<std::uint64_t>(value->get_int64());
    } else {
      return wrong(name);
    }
    return {};
  }
  Status read(std::string_view name, int& to) const {
    const json::value* const value = find(name);
    if (value == nullptr || !value->is_int64() || !std::in_range<int>(value->get_int64())) {
      return wrong(name);
    }
    to = static_cast<int>(value->get_int64());
    return {};
  }
  Status read_ms(std::string_view name, Nanoseconds& to) const {
    TRY_ASSIGN(const double ms, real(name));
    constexpr double kMost = 9.2e12;  // what nanoseconds of 64 bits hold
    if (!(ms >= 0 && ms < kMost)) return wrong(name);
    to = std::chrono::microseconds(std::llround(ms * 1e3));
    return {};
  }
  [[nodiscard]] Result<double> real(std::string_view name) const {
    const json::value* const value = find(name);
    if (value == nullptr || !value->is_number()) return wrong(name);
    boost::system::error_code error;
    const auto number = value->to_number<double>(error);
    if (error || !std::isfinite(number)) return wrong(name);
    return number;
  }
  // One of `kinds`, by the name that to_string gives it.
  template <typename Kind>
  Status read_name(std::string_view name, Kind last, Kind& to) const {
    std::string text;
    TRY(read(name, text));
    for (int i = 0; i <= static_cast<int>(last); ++i) {
      const auto each = static_cast<Kind>(i);
      if (to_string(each) != text) continue;
      to = each;
      return {};
    }
    return wrong(name);
  }

 private:
  explicit Members(const json::object& object) : object_(object) {}
  const json::object& object_;
};

Status read(const Members& from, std::string_view name, Stream& to) {
  TRY_ASSIGN(const Members stream, Members::of(from.find(name), name));
  std::string coded;
  TRY(stream.read("base64", coded));
  auto bytes = base64_decode(coded);
  if (!bytes) return wrong("base64");
  to.data = *std::move(bytes);
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
      if (!(cpus >= 0 && cpus < kMost)) return wrong(name);
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
  if (list == nullptr || !list->is_array()) return wrong("denied_syscalls");
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
  if (list == nullptr || !list->is_array()) return wrong("walls");
  for (const json::value& each : list->get_array()) {
    if (!each.is_string()) return wrong("walls");
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

}  // namespace

Result<Outcome> read_outcome(const json::value& value) {
  TRY_ASSIGN(const Members from, Members::of(&value, "it"));
  Outcome to;
  TRY(from.read_name("status", RunStatus::kCancelled, to.status));
  TRY(from.read("reason", to.reason));
  TRY(from.read("language", to.language));
  TRY(from.read("toolchain", to.toolchain));
  TRY(from.read("policy", to.policy));
  const json::value* const stages = from.find("stages");
  if (stages == nullptr || !stages->is_array()) return wrong("stages");
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

}  // namespace belljar
