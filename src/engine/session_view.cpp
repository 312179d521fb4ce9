#include "engine/session_view.h"

#include <boost/json.hpp>

#include "base/text.h"
#include "model/json_members.h"
#include "model/outcome_json.h"

namespace belljar::engine {

namespace json = boost::json;

std::string_view to_string(SessionState state) {
  switch (state) {
    case SessionState::kStarting:
      return "starting";
    case SessionState::kIdle:
      return "idle";
    case SessionState::kRunning:
      return "running";
    case SessionState::kPaused:
      return "paused";
    case SessionState::kEnded:
      break;
  }
  return "ended";
}

json::object to_members(const Limits& limits) {
  json::object object;
  for (const LimitField& field : limit_fields()) {
    if (field.duration != nullptr) {
      object[field.name] = (limits.*field.duration).count();
    } else {
      object[field.name] = limits.*field.number;
    }
  }
  return object;
}

Result<Limits> read_exact_limits(const json::value* value) {
  TRY_ASSIGN(const Members from, Members::of(value, "limits"));
  Limits to;
  for (const LimitField& field : limit_fields()) {
    if (field.duration != nullptr) {
      TRY(from.read_ns(field.name, to.*field.duration));
    } else {
      TRY(from.read(field.name, to.*field.number));
    }
  }
  return to;
}

json::object to_members(const SessionView& view) {
  return {{"id", view.address.id},
          {"place", view.address.place},
          {"caller", view.caller},
          {"policy", view.policy},
          {"language", view.language},
          {"note", view.note},
          {"created_ms", view.created_ms},
          {"ttl_ns", view.ttl.count()},
          {"idle_ns", view.idle.count()},
          {"limits", to_members(view.limits)},
          {"state", to_string(view.state)},
          {"executions", view.executions},
          {"contexts", json::array(view.contexts.begin(), view.contexts.end())},
          {"is_up", view.is_up},
          {"version", repair_utf8(view.version)},
          {"start", to_string(view.start)},
          {"walls", belljar::to_value(view.walls)},
          {"ended_by", view.ended_by},
          {"reason", repair_utf8(view.reason)}};
}

Result<SessionView> read_session_view(const json::value& value) {
  TRY_ASSIGN(const Members from, Members::of(&value, "session"));
  SessionView to;
  TRY(from.read("id", to.address.id));
  TRY(from.read("place", to.address.place));
  TRY(from.read("caller", to.caller));
  TRY(from.read("policy", to.policy));
  TRY(from.read("language", to.language));
  TRY(from.read("note", to.note));
  TRY(from.read("created_ms", to.created_ms));
  TRY(from.read_ns("ttl_ns", to.ttl));
  TRY(from.read_ns("idle_ns", to.idle));
  TRY_ASSIGN(to.limits, read_exact_limits(from.find("limits")));
  TRY(from.read_name("state", SessionState::kEnded, to.state));
  TRY(from.read("executions", to.executions));
  TRY(from.read("contexts", to.contexts));
  TRY(from.read("is_up", to.is_up));
  TRY(from.read("version", to.version));
  TRY(from.read_name("start", Start::kInterpreter, to.start));
  std::vector<std::string> walls;
  TRY(from.read("walls", walls));
  for (const std::string& each : walls) {
    TRY_ASSIGN(const Wall wall, parse_wall(each));
    to.walls.add(wall);
  }
  TRY(from.read("ended_by", to.ended_by));
  TRY(from.read("reason", to.reason));
  return to;
}

}  // namespace belljar::engine
