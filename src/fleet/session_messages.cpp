#include "fleet/session_messages.h"

#include <array>
#include <boost/json.hpp>
#include <utility>

#include "base/text.h"
#include "fleet/message_members.h"
#include "model/outcome_reader.h"

namespace belljar::fleet {
namespace {

namespace json = boost::json;
using fleet::members_of;
using fleet::read;
using Kind = SessionQuestion::Kind;

constexpr std::array<std::string_view, 12> kKinds{"create",    "find",    "list",  "execute",
                                                  "interrupt", "cancel",  "pause", "resume",
                                                  "files",     "context", "quit",  "is_under_way"};
constexpr std::array<std::string_view, 4> kActions{"list", "read", "write", "remove"};
constexpr std::array<std::string_view, 3> kChanges{"create", "restart", "remove"};
constexpr std::array<std::string_view, 4> kHappenings{"begun", "out", "err", "result"};

// ---- Orders ----------------------------------------------------------------------------------

json::object members_of(const engine::SessionOrder& order) {
  return {{"language", order.submission.language},
          {"files", members_of(order.submission.files)},
          {"env", coded(order.submission.env)},
          {"limits", members_of(order.submission.limits)},
          {"plain", order.plain},
          {"concurrent", order.concurrent},
          {"created_ms", order.created_ms},
          {"ttl_ns", order.ttl.count()},
          {"idle_ns", order.idle.count()},
          {"note", order.note}};
}

Status read(const Members& from, engine::SessionOrder& to) {
  TRY(from.read("language", to.submission.language));
  TRY(read(from, "files", to.submission.files));
  TRY(read_coded(from, "env", to.submission.env));
  TRY(read(from, "limits", to.submission.limits));
  TRY(from.read("plain", to.plain));
  TRY(from.read("concurrent", to.concurrent));
  TRY(from.read("created_ms", to.created_ms));
  TRY(from.read_ns("ttl_ns", to.ttl));
  TRY(from.read_ns("idle_ns", to.idle));
  return from.read("note", to.note);
}

json::object members_of(const engine::ExecutionOrder& order) {
  return {{"context", order.context},           {"code", base64_encode(order.code)},
          {"marshalled", order.marshalled},     {"env", coded(order.env)},
          {"limits", members_of(order.limits)}, {"note", base64_encode(order.note)},
          {"streamed", order.streamed},         {"refused", order.refused}};
}

Status read(const Members& from, engine::ExecutionOrder& to) {
  TRY(from.read("context", to.context));
  TRY(from.read_bytes("code", to.code));
  TRY(from.read("marshalled", to.marshalled));
  TRY(read_coded(from, "env", to.env));
  TRY(read(from, "limits", to.limits));
  TRY(from.read_bytes("note", to.note));
  TRY(from.read("streamed", to.streamed));
  return from.read("refused", to.refused);
}

// ---- Replies ---------------------------------------------------------------------------------

json::object members_of(const engine::FilesAnswer& files) {
  json::array list;
  for (const auto& each : files.list.files) {
    list.push_back({{"path", base64_encode(each.path)},
                    {"bytes", each.bytes},
                    {"modified_ms", each.modified_ms}});
  }
  return {{"list", std::move(list)},
          {"more", files.list.more},
          {"content", base64_encode(files.content)}};
}

Status read(const Members& from, engine::FilesAnswer& to) {
  TRY_ASSIGN(const json::array* const list, from.list("list"));
  for (const json::value& each : *list) {
    TRY_ASSIGN(const Members file, Members::of(&each, "list"));
    auto& made = to.list.files.emplace_back();
    TRY(file.read_bytes("path", made.path));
    TRY(file.read("bytes", made.bytes));
    TRY(file.read("modified_ms", made.modified_ms));
  }
  TRY(from.read("more", to.list.more));
  return from.read_bytes("content", to.content);
}

// ---- Ends ------------------------------------------------------------------------------------

// An execution is what a stage is, and a little more; where its session ended with it that is a
// second one.
Outcome outcome_of(const engine::Execution& made) {
  Outcome outcome;
  outcome.status = RunStatus::kOk;
  StageOutcome& stage = outcome.stages.emplace_back();
  stage.status = RunStatus::kOk;
  stage.clock = made.clock;
  stage.exit_code = made.exit_code;
  stage.out = made.out;
  stage.err = made.err;
  stage.usage = made.usage;
  stage.events = made.events;
  stage.denied = made.denied;
  stage.denied_more = made.denied_more;
  stage.limits = made.limits;
  if (made.session_end) outcome.stages.push_back(*made.session_end);
  return outcome;
}

Status take_outcome(Outcome outcome, engine::Execution& to) {
  if (outcome.stages.empty() || outcome.stages.size() > 2) return wrong_member("stages");
  if (outcome.stages.size() == 2) to.session_end = std::move(outcome.stages.back());
  StageOutcome& stage = outcome.stages.front();
  to.clock = stage.clock;
  to.exit_code = stage.exit_code;
  to.out = std::move(stage.out);
  to.err = std::move(stage.err);
  to.usage = stage.usage;
  to.events = stage.events;
  to.denied = std::move(stage.denied);
  to.denied_more = stage.denied_more;
  to.limits = stage.limits;
  return {};
}

json::object members_of(const engine::Execution& made) {
  json::array files;
  for (const engine::SessionFile& each : made.files) {
    files.push_back({{"path", base64_encode(each.path)},
                     {"bytes", each.bytes},
                     {"mime", base64_encode(each.mime)}});
  }
  return {{"status", engine::to_string(made.status)}, {"reason", repair_utf8(made.reason)},
          {"signal", base64_encode(made.signal)},     {"count", made.count},
          {"results", coded(made.results)},           {"results_truncated", made.results_truncated},
          {"error", base64_encode(made.error)},       {"files", std::move(files)}};
}

// Text that is to be part of the ledger's JSON must be JSON.
bool is_object(const std::string& text) {
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  return !error && value.is_object();
}

Status read(const Members& from, engine::Execution& to) {
  TRY(from.read_name("status", engine::ExecutionStatus::kEnded, to.status));
  TRY(from.read("reason", to.reason));
  TRY(from.read_bytes("signal", to.signal));
  TRY(from.read("count", to.count));
  TRY(read_coded(from, "results", to.results));
  for (const std::string& each : to.results) {
    if (!is_object(each)) return wrong_member("results");
  }
  TRY(from.read("results_truncated", to.results_truncated));
  TRY(from.read_bytes("error", to.error));
  if (!to.error.empty() && !is_object(to.error)) return wrong_member("error");
  TRY_ASSIGN(const json::array* const files, from.list("files"));
  for (const json::value& each : *files) {
    TRY_ASSIGN(const Members file, Members::of(&each, "files"));
    engine::SessionFile& made = to.files.emplace_back();
    TRY(file.read_bytes("path", made.path));
    TRY(file.read("bytes", made.bytes));
    TRY(file.read_bytes("mime", made.mime));
  }
  return {};
}

}  // namespace

std::string to_json(const SessionQuestion& question) {
  json::object object{{"kind", name_in(kKinds, question.kind)},
                      {"name", question.name},
                      {"gateway", question.gateway},
                      {"session", question.session},
                      {"caller", question.caller},
                      {"execution", question.execution}};
  if (question.kind == Kind::kCreate) {
    object["order"] = members_of(question.order);
    object["policy"] = question.policy;
  } else if (question.kind == Kind::kExecute) {
    object["asked"] = members_of(question.asked);
  } else if (question.kind == Kind::kFiles) {
    object["action"] = name_in(kActions, question.files.action);
    object["path"] = base64_encode(question.files.path);
    object["content"] = base64_encode(question.files.content);
  } else if (question.kind == Kind::kContext) {
    object["change"] = name_in(kChanges, question.change);
    object["context"] = question.context;
    object["cwd"] = base64_encode(question.cwd);
  }
  return json::serialize(object);
}

Result<SessionQuestion> read_session_question(std::string_view text) {
  TRY_ASSIGN(const Parsed parsed, Parsed::of(text));
  const Members from = parsed.members();
  SessionQuestion to;
  TRY(read_in(kKinds, from, "kind", to.kind));
  TRY(from.read("name", to.name));
  TRY(from.read("gateway", to.gateway));
  TRY(from.read("session", to.session));
  TRY(from.read("caller", to.caller));
  TRY(from.read("execution", to.execution));
  if (to.kind == Kind::kCreate) {
    TRY_ASSIGN(const Members order, from.object("order"));
    TRY(read(order, to.order));
    TRY(from.read("policy", to.policy));
    to.order.address.id = to.session;
    to.order.caller = to.caller;
  } else if (to.kind == Kind::kExecute) {
    TRY_ASSIGN(const Members asked, from.object("asked"));
    TRY(read(asked, to.asked));
    to.asked.session.id = to.session;
    to.asked.id = to.execution;
  } else if (to.kind == Kind::kFiles) {
    TRY(read_in(kActions, from, "action", to.files.action));
    TRY(from.read_bytes("path", to.files.path));
    TRY(from.read_bytes("content", to.files.content));
  } else if (to.kind == Kind::kContext) {
    TRY(read_in(kChanges, from, "change", to.change));
    TRY(from.read("context", to.context));
    TRY(from.read_bytes("cwd", to.cwd));
  }
  return to;
}

std::string to_json(const Result<SessionReply>& reply) {
  if (!reply) return json::serialize(json::object{{"error", members_of(reply.error())}});
  json::array sessions;
  for (const engine::SessionView& each : reply->sessions) {
    sessions.push_back(engine::to_members(each));
  }
  return json::serialize(json::object{{"sessions", std::move(sessions)},
                                      {"files", members_of(reply->files)},
                                      {"is_under_way", reply->is_under_way}});
}

Result<SessionReply> read_session_reply(std::string_view text) {
  TRY_ASSIGN(const Parsed parsed, Parsed::of(text));
  const Members from = parsed.members();
  if (from.find("error") != nullptr) {
    Error error;
    TRY(read(from, "error", error));
    return std::unexpected(std::move(error));
  }
  SessionReply to;
  TRY_ASSIGN(const json::array* const sessions, from.list("sessions"));
  for (const json::value& each : *sessions) {
    TRY_ASSIGN(engine::SessionView view, engine::read_session_view(each));
    to.sessions.push_back(std::move(view));
  }
  TRY_ASSIGN(const Members files, from.object("files"));
  TRY(read(files, to.files));
  TRY(from.read("is_under_way", to.is_under_way));
  return to;
}

std::string to_json(const SessionHappening& happening) {
  return json::serialize(json::object{{"kind", name_in(kHappenings, happening.kind)},
                                      {"bytes", base64_encode(happening.bytes)}});
}

Result<SessionHappening> read_session_happening(std::string_view text) {
  TRY_ASSIGN(const Parsed parsed, Parsed::of(text));
  const Members from = parsed.members();
  SessionHappening to;
  TRY(read_in(kHappenings, from, "kind", to.kind));
  TRY(from.read_bytes("bytes", to.bytes));
  if (to.kind == SessionHappening::Kind::kResult && !is_object(to.bytes)) {
    return wrong_member("bytes");
  }
  return to;
}

std::string to_json(const engine::ExecutionEnd& end) {
  json::object object{{"id", end.id},
                      {"session", end.session},
                      {"context", end.context},
                      {"note", base64_encode(end.note)},
                      {"started", end.started},
                      {"started_ms", end.started_ms},
                      {"ended_ms", end.ended_ms},
                      {"queued_ns", end.queued.count()},
                      {"took_ns", end.took.count()}};
  if (!end.made) {
    object["failed"] = members_of(end.made.error());
    return json::serialize(object);
  }
  object["made"] = members_of(*end.made);
  std::string text = json::serialize(object);
  text.pop_back();
  return text + ",\"outcome\":" + belljar::to_json(outcome_of(*end.made), Base64::kAlways) + "}";
}

Result<engine::ExecutionEnd> read_execution_end(std::string_view text) {
  TRY_ASSIGN(const Parsed parsed, Parsed::of(text));
  const Members from = parsed.members();
  engine::ExecutionEnd to;
  TRY(from.read("id", to.id));
  TRY(from.read("session", to.session));
  TRY(from.read("context", to.context));
  TRY(from.read_bytes("note", to.note));
  if (!to.note.empty() && !is_object(to.note)) return wrong_member("note");
  TRY(from.read("started", to.started));
  TRY(from.read("started_ms", to.started_ms));
  TRY(from.read("ended_ms", to.ended_ms));
  TRY(from.read_ns("queued_ns", to.queued));
  TRY(from.read_ns("took_ns", to.took));
  if (from.find("failed") != nullptr) {
    Error error;
    TRY(read(from, "failed", error));
    to.made = std::unexpected(std::move(error));
    return to;
  }
  if (!to.started) return wrong_member("failed");
  TRY_ASSIGN(const Members made, from.object("made"));
  TRY(read(made, *to.made));
  const json::value* const outcome = from.find("outcome");
  if (outcome == nullptr) return wrong_member("outcome");
  TRY_ASSIGN(Outcome read, read_outcome(*outcome));
  TRY(take_outcome(std::move(read), *to.made));
  return to;
}

std::string to_json(const engine::SessionView& session) {
  return json::serialize(engine::to_members(session));
}

Result<engine::SessionView> read_session(std::string_view text) {
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (error) return wrong_member("session");
  return engine::read_session_view(value);
}

std::string to_json(const SessionsState& state) {
  json::array callers;
  for (const SessionsState::Caller& each : state.callers) {
    callers.push_back({{"id", each.id}, {"sessions", each.sessions}});
  }
  return json::serialize(
      json::object{{"worker", state.worker},
                   {"languages", json::array(state.languages.begin(), state.languages.end())},
                   {"most", state.most},
                   {"callers", std::move(callers)},
                   {"draining", state.draining}});
}

Result<SessionsState> read_sessions_state(std::string_view text) {
  TRY_ASSIGN(const Parsed parsed, Parsed::of(text));
  const Members from = parsed.members();
  SessionsState to;
  TRY(from.read("worker", to.worker));
  TRY(from.read("languages", to.languages));
  TRY(from.read("most", to.most));
  TRY_ASSIGN(const json::array* const callers, from.list("callers"));
  for (const json::value& each : *callers) {
    TRY_ASSIGN(const Members caller, Members::of(&each, "callers"));
    SessionsState::Caller& made = to.callers.emplace_back();
    TRY(caller.read("id", made.id));
    TRY(caller.read("sessions", made.sessions));
  }
  TRY(from.read("draining", to.draining));
  return to;
}

}  // namespace belljar::fleet
