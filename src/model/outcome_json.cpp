#include "model/outcome_json.h"

#include <cmath>

#include "base/text.h"
#include "model/json_text.h"

namespace belljar {
namespace {

namespace json = boost::json;

// Milliseconds to the microsecond.
double ms(Nanoseconds value) {
  return std::round(static_cast<double>(value.count()) / 1e3) / 1e3;
}

json::string text(std::string_view bytes) {
  return json::string(repair_utf8(bytes));
}

// The limit's name with its unit.
std::string key_of(const LimitField& field) {
  std::string key(field.name);
  if (field.kind == LimitField::Kind::kDuration) key += "_ms";
  if (field.kind == LimitField::Kind::kBytes) key += "_bytes";
  return key;
}

}  // namespace

json::object to_value(const Stream& stream, Base64 base64) {
  const std::string_view whole =
      stream.truncated ? drop_incomplete_end(stream.data) : std::string_view(stream.data);
  json::object object{{"text", text(whole)}};
  if (base64 == Base64::kAlways || !is_valid_utf8(whole))
    object["base64"] = base64_encode(stream.data);
  object["total_bytes"] = stream.total_bytes;
  object["truncated"] = stream.truncated;
  return object;
}

json::object to_value(const Usage& usage) {
  return {{"wall_ms", ms(usage.wall)},
          {"cpu_ms", ms(usage.cpu)},
          {"user_ms", ms(usage.user)},
          {"system_ms", ms(usage.system)},
          {"peak_memory_bytes", usage.peak_memory},
          {"peak_processes", usage.peak_processes},
          {"oom_kills", usage.oom_kills},
          {"throttled_periods", usage.throttled_periods},
          {"throttled_ms", ms(usage.throttled)}};
}

json::object to_value(const Events& events) {
  return {{"process_limit_hits", events.process_limit_hits},
          {"leftover_processes", events.leftover_processes},
          {"disk_full", events.disk_full},
          {"cpu_bill_partial", events.cpu_bill_partial}};
}

json::array to_value(const std::vector<DeniedSyscall>& denied) {
  json::array list;
  for (const DeniedSyscall& call : denied) {
    list.push_back({{"name", text(call.name)}, {"count", call.count}});
  }
  return list;
}

json::object to_value(const Limits& limits) {
  json::object object;
  for (const LimitField& field : limit_fields()) {
    json::value& value = object[key_of(field)];
    if (field.kind == LimitField::Kind::kDuration) {
      value = ms(limits.*field.duration);
    } else if (field.kind == LimitField::Kind::kCpus) {
      value = static_cast<double>(limits.*field.number) / 1e3;
    } else {
      value = limits.*field.number;
    }
  }
  return object;
}

json::array to_value(WallSet walls) {
  json::array list;
  for (const auto& name : walls.names()) list.emplace_back(text(name));
  return list;
}

namespace {

json::object to_value(const Phases& phases) {
  return {{"queue_ms", ms(phases.queue)},
          {"build_ms", ms(phases.build)},
          {"run_ms", ms(phases.run)},
          {"collect_ms", ms(phases.collect)},
          {"teardown_ms", ms(phases.teardown)}};
}

json::object to_value(const StageOutcome& stage, Base64 base64) {
  json::object object{{"stage", to_string(stage.kind)},
                      {"status", to_string(stage.status)},
                      {"reason", text(stage.reason)},
                      {"start", to_string(stage.start)},
                      {"cached", stage.cached}};
  if (stage.clock) object["clock"] = to_string(*stage.clock);
  if (stage.exit_code) object["exit_code"] = *stage.exit_code;
  if (stage.signal) {
    object["signal"] = signal_name(*stage.signal);
    object["signal_number"] = *stage.signal;
  }
  object["stdout"] = to_value(stage.out, base64);
  object["stderr"] = to_value(stage.err, base64);
  object["usage"] = to_value(stage.usage);
  object["events"] = to_value(stage.events);
  object["denied_syscalls"] = to_value(stage.denied);
  object["denied_more"] = stage.denied_more;
  object["phases"] = to_value(stage.phases);
  object["limits"] = to_value(stage.limits);
  object["walls"] = to_value(stage.walls);
  object["missing_walls"] = to_value(WallSet::full().minus(stage.walls));
  return object;
}

json::array to_value(const std::vector<StageOutcome>& stages, Base64 base64) {
  json::array list;
  for (const StageOutcome& stage : stages) list.emplace_back(to_value(stage, base64));
  return list;
}

json::array to_value(const std::vector<File>& artifacts) {
  json::array list;
  for (const File& file : artifacts) {
    json::object& object = list.emplace_back(json::object{{"path", text(file.path)}}).as_object();
    if (!is_valid_utf8(file.path)) object["path_base64"] = base64_encode(file.path);
    object["bytes"] = file.content.size();
    object["executable"] = file.executable;
  }
  return list;
}

json::object to_value(const HostFacts& host) {
  return {{"kernel", text(host.kernel)},
          {"cgroup_mode", text(host.cgroup_mode)},
          {"landlock_abi", host.landlock_abi},
          {"rootless", host.rootless}};
}

json::object to_value(const Outcome& outcome, Base64 base64) {
  return {{"status", to_string(outcome.status)},
          {"reason", text(outcome.reason)},
          {"language", text(outcome.language)},
          {"toolchain", text(outcome.toolchain)},
          {"policy", text(outcome.policy)},
          {"stages", to_value(outcome.stages, base64)},
          {"artifacts", to_value(outcome.artifacts)},
          {"artifacts_truncated", outcome.artifacts_truncated},
          {"host", to_value(outcome.host)}};
}

}  // namespace

std::string to_json(const Outcome& outcome, Base64 base64) {
  return escape_json_for_terminal(json_text(to_value(outcome, base64)));
}

}  // namespace belljar
