#include "api/session_json.h"

#include <boost/json.hpp>
#include <utility>

#include "api/journal.h"
#include "api/json_reader.h"
#include "api/media_types.h"
#include "api/run_request.h"
#include "base/id.h"
#include "base/text.h"
#include "model/json_text.h"
#include "model/outcome_json.h"

namespace belljar::api {
namespace {

namespace json = boost::json;

double milliseconds(Nanoseconds value) {
  return static_cast<double>(value.count()) / 1e6;
}

json::object members_of(const engine::Execution& made) {
  json::array files;
  for (const engine::SessionFile& file : made.files) {
    files.push_back({{"path", repair_utf8(file.path)},
                     {"bytes", file.bytes},
                     {"mime", repair_utf8(file.mime)}});
  }
  json::object object{{"status", engine::to_string(made.status)},
                      {"reason", repair_utf8(made.reason)}};
  if (made.clock) object["clock"] = to_string(*made.clock);
  if (made.exit_code) object["exit_code"] = *made.exit_code;
  if (!made.signal.empty()) object["signal"] = repair_utf8(made.signal);
  if (made.session_end) object["ended_by"] = to_string(made.session_end->status);
  object["count"] = made.count;
  object["stdout"] = belljar::to_value(made.out, Base64::kWhereNeeded);
  object["stderr"] = belljar::to_value(made.err, Base64::kWhereNeeded);
  object["results_truncated"] = made.results_truncated;
  object["files"] = std::move(files);
  object["usage"] = belljar::to_value(made.usage);
  object["events"] = belljar::to_value(made.events);
  object["denied_syscalls"] = belljar::to_value(made.denied);
  object["denied_more"] = made.denied_more;
  object["limits"] = belljar::to_value(made.limits);
  return object;
}

// The object with what an interpreter made, which is JSON that was read and written here once and
// may be large: as text it is a tenth of what it would be as values.
std::string with_results(const json::object& object,
                         const engine::Execution& made,
                         const std::string& findings) {
  std::string text = json_text(object);
  text.back() = ',';
  text += "\"results\":[";
  for (const std::string& each : made.results) {
    if (text.back() != '[') text += ',';
    text += each;
  }
  text += "],\"error\":" + (made.error.empty() ? "null" : made.error);
  if (!findings.empty()) text += ",\"screening\":" + findings;
  return escape_json_for_terminal(text + "}");
}

json::object cut_short(const std::string& id,
                       const std::string& session,
                       ledger::State state,
                       const std::string& reason) {
  return {{"id", id},
          {"session", session},
          {"state", ledger::state_name(state)},
          {"reason", repair_utf8(reason)}};
}

}  // namespace

std::string to_json(const engine::SessionView& session) {
  json::object object{{"id", session.address.id},
                      {"state", engine::to_string(session.state)},
                      {"language", session.language},
                      {"policy", session.policy},
                      {"created_at", format_time(session.created_ms)},
                      {"ttl_ms", milliseconds(session.ttl)},
                      {"idle_ms", milliseconds(session.idle)},
                      {"executions", session.executions},
                      {"contexts", json::array(session.contexts.begin(), session.contexts.end())},
                      {"limits", belljar::to_value(session.limits)}};
  if (!session.address.place.empty()) object["worker"] = session.address.place;
  if (session.is_up) {
    object["version"] = repair_utf8(session.version);
    object["start"] = to_string(session.start);
    object["walls"] = belljar::to_value(session.walls);
    object["missing_walls"] = belljar::to_value(WallSet::full().minus(session.walls));
  }
  if (session.state == engine::SessionState::kEnded) {
    object["ended_by"] = session.ended_by;
    object["reason"] = repair_utf8(session.reason);
  }
  return escape_json_for_terminal(json_text(object));
}

Result<std::string> lost_session_json(const std::string& session, const std::string& reason) {
  TRY_ASSIGN(json::value value, parse_json(session));
  if (!value.is_object()) return fail(Code::kInternal, "the ledger has no session there");
  json::object& object = value.get_object();
  object["state"] = "ended";
  object["ended_by"] = "lost";
  object["reason"] = repair_utf8(reason);
  return escape_json_for_terminal(json_text(object));
}

Result<std::string> place_in(const std::string& session) {
  TRY_ASSIGN(const json::value value, parse_json(session));
  const json::value* const worker =
      value.is_object() ? value.get_object().if_contains("worker") : nullptr;
  return worker != nullptr && worker->is_string() ? std::string(worker->get_string()) : "";
}

std::string to_json(const std::string& session, const ExecutionRequest& request) {
  return json_text(json::object{{"session", session},
                                {"context", request.context},
                                {"code", request.code},
                                {"format", request.marshalled ? "marshal" : "source"},
                                {"env", json::array(request.env.begin(), request.env.end())},
                                {"limits", api::to_value(request.limits)},
                                {"screening", request.screening}});
}

std::string to_json(const engine::ExecutionEnd& end, ledger::State state) {
  if (!end.started) {
    json::object object = cut_short(end.id, end.session, state, end.made.error().message);
    object["context"] = end.context;
    return escape_json_for_terminal(json_text(object));
  }
  json::object object{
      {"id", end.id},
      {"session", end.session},
      {"context", end.context},
      {"state", ledger::state_name(state)},
      {"started_at", format_time(end.started_ms)},
      {"ended_at", format_time(end.ended_ms)},
      {"phases", {{"queue_ms", milliseconds(end.queued)}, {"run_ms", milliseconds(end.took)}}}};
  if (!end.made) {
    object["reason"] = repair_utf8(end.made.error().message);
    return escape_json_for_terminal(json_text(object));
  }
  for (auto& member : members_of(*end.made)) object[member.key()] = std::move(member.value());
  return with_results(object, *end.made, end.note);
}

std::string rejected_json(const engine::ExecutionOrder& order, const std::string& refusal) {
  const engine::Execution none;
  json::object object{{"id", order.id},
                      {"session", order.session.id},
                      {"context", order.context},
                      {"state", "done"}};
  for (auto& member : members_of(none)) object[member.key()] = std::move(member.value());
  object["status"] = "rejected";
  object["reason"] = repair_utf8(refusal);
  return with_results(object, none, order.note);
}

std::string cut_short_json(const ledger::Run& run, ledger::State state, const std::string& reason) {
  return json_text(cut_short(run.id, run.session, state, reason));
}

json::object list_value(const ledger::Run& execution) {
  json::object object{{"id", execution.id},
                      {"session", execution.session},
                      {"state", ledger::state_name(execution.state)},
                      {"status", nullptr},
                      {"reason", repair_utf8(execution.reason)},
                      {"created_at", time_or_null(execution.created_ms)},
                      {"started_at", time_or_null(execution.started_ms)},
                      {"ended_at", time_or_null(execution.finished_ms)}};
  if (!execution.status.empty()) object["status"] = execution.status;
  return object;
}

std::string to_json(const engine::Session::FileList& list) {
  json::array files;
  std::size_t omitted = 0;
  for (const auto& file : list.files) {
    if (!check_path(file.path)) {
      ++omitted;
      continue;
    }
    files.push_back({{"path", file.path},
                     {"bytes", file.bytes},
                     {"mime", media_type_of(file.path)},
                     {"modified_at", format_time(file.modified_ms)}});
  }
  return escape_json_for_terminal(json_text(
      json::object{{"files", std::move(files)}, {"omitted", omitted}, {"truncated", list.more}}));
}

}  // namespace belljar::api
