// Sessions over HTTP, as api/openapi.yaml describes them.
#include <boost/json.hpp>

#include "api/interactive_execution.h"
#include "api/json_reader.h"
#include "api/problem.h"
#include "api/request_fields.h"
#include "api/run_stream.h"
#include "api/service.h"
#include "model/json_text.h"

namespace belljar::api {
namespace {

namespace json = boost::json;

constexpr std::string_view kExecutionId = "X-Execution-Id";  // as X-Run-Id

// An empty body is an object without members.
Result<json::value> body_of(const Request& request) {
  if (!request.body.empty()) return json_body(request);
  TRY(check_media_type(request));
  return json::object();
}

SessionService::Answer answer_with(unsigned status, const Reply& reply) {
  return [status, reply](const Result<std::string>& text) {
    if (!text) return reply(refusal(text.error()));
    reply({.status = status, .body = *text});
  };
}

Response with_replay(Response response, bool replayed) {
  if (replayed) response.headers.emplace_back("Idempotency-Replayed", "true");
  return response;
}

SessionService::CreateAnswer answer_created(const Reply& reply) {
  return [reply](const Result<SessionService::Created>& created) {
    if (!created) return reply(refusal(created.error()));
    reply(with_replay({.status = 201, .body = created->text}, created->replayed));
  };
}

// What a client names a request by, so that it is not done twice.
std::string idempotency_key(const Request& request) {
  return std::string(request.header("idempotency-key").value_or(""));
}

void answer_at_end(const std::shared_ptr<LiveRun>& execution, bool replayed, const Reply& reply) {
  execution->on_end([execution, replayed, reply] {
    if (const auto error = execution->error()) return reply(refusal(*error));
    reply(with_replay({.body = execution->run_json()}, replayed));
  });
}

}  // namespace

void Service::create_session(const Context& context, const Reply& reply) {
  if (closing_) return reply(problem(503, "Not available now", "the service is shutting down"));
  auto request = [&]() -> Result<SessionRequest> {
    TRY_ASSIGN(const json::value value, body_of(context.request));
    return read_session_request(value);
  }();
  if (!request) return reply(problem(request.error()));
  sessions_.create(context.caller, *std::move(request), idempotency_key(context.request),
                   answer_created(reply));
}

void Service::list_sessions(const Context& context, const Reply& reply) {
  answer_with(200, reply)(sessions_.list_json(context.caller));
}

void Service::get_session(const Context& context, const Reply& reply) {
  answer_with(200, reply)(sessions_.session_json(context.caller, context.path.at("id")));
}

void Service::quit_session(const Context& context, const Reply& reply) {
  sessions_.quit(context.caller, context.path.at("id"), answer_with(200, reply));
}

void Service::create_execution(const Context& context, const Reply& reply) {
  if (closing_) return reply(problem(503, "Not available now", "the service is shutting down"));
  const std::string& id = context.path.at("id");
  const bool stream = asked(context.request, "stream");
  const bool wait = asked(context.request, "wait");
  const auto submitted = [&]() -> Result<Submitted> {
    TRY_ASSIGN(const json::value value, body_of(context.request));
    TRY_ASSIGN(ExecutionRequest request, read_execution_request(value));
    return sessions_.execute(
        context.caller, id, std::move(request),
        {.idempotency_key = idempotency_key(context.request), .answered_at_end = wait && !stream});
  }();
  if (!submitted) return reply(refusal(submitted.error()));
  if (stream) {
    return reply(with_replay(stream_of(submitted->live, 0, kExecutionId), submitted->replayed));
  }
  if (wait) return answer_at_end(submitted->live, submitted->replayed, reply);
  Response response{
      .status = 202,
      .body = json_text(json::object{{"id", submitted->id}, {"session", id}, {"state", "queued"}})};
  response.headers.emplace_back("Location", "/v1/sessions/" + id + "/executions/" + submitted->id);
  reply(with_replay(std::move(response), submitted->replayed));
}

void Service::interact_in_session(const Context& context, const Reply& reply) {
  if (!context.request.upgrade) return reply(upgrade_required());
  const std::string& id = context.path.at("id");
  if (const auto known = sessions_.session_json(context.caller, id); !known) {
    return reply(problem(known.error()));
  }
  Response response{.status = 101};
  response.socket = std::make_shared<InteractiveExecution>(sessions_, context.caller, id);
  reply(std::move(response));
}

void Service::list_executions(const Context& context, const Reply& reply) {
  const auto wish = list_wish(context.request);
  if (!wish) return reply(problem(wish.error()));
  const auto text = sessions_.executions_json(context.caller, context.path.at("id"), wish->state,
                                              wish->cursor, wish->limit);
  if (!text) {
    const bool wrong = text.error().code == Code::kInvalid;
    return reply(problem(wrong ? text.error().context("cursor") : text.error()));
  }
  reply({.body = *text});
}

void Service::get_execution(const Context& context, const Reply& reply) {
  const std::string& id = context.path.at("id");
  const auto execution = sessions_.execution(context.caller, id, context.path.at("execution"));
  if (!execution) return reply(refusal(execution.error()));
  if ((*execution)->is_over()) return reply({.body = (*execution)->run_json()});
  if (asked(context.request, "wait")) return answer_at_end(*execution, false, reply);
  reply({.body = json_text(
             json::object{{"id", (*execution)->id()}, {"session", id}, {"state", "running"}})});
}

void Service::execution_events(const Context& context, const Reply& reply) {
  const auto after = last_event(context.request);
  if (!after) return reply(problem(after.error()));
  const auto execution =
      sessions_.execution(context.caller, context.path.at("id"), context.path.at("execution"));
  if (!execution) return reply(refusal(execution.error()));
  reply(stream_of(*execution, *after, kExecutionId));
}

void Service::interrupt_session(const Context& context, const Reply& reply) {
  const std::string& id = context.path.at("id");
  const Status done = sessions_.interrupt(context.caller, id);
  if (!done) return reply(refusal(done.error()));
  reply({.status = 202, .body = json_text(json::object{{"id", id}, {"state", "interrupting"}})});
}

void Service::pause_session(const Context& context, const Reply& reply) {
  answer_with(200, reply)(sessions_.pause(context.caller, context.path.at("id")));
}

void Service::resume_session(const Context& context, const Reply& reply) {
  answer_with(200, reply)(sessions_.resume(context.caller, context.path.at("id")));
}

void Service::list_session_files(const Context& context, const Reply& reply) {
  sessions_.use_files(context.caller, context.path.at("id"),
                      {.action = SessionService::FileAction::kList, .path = {}, .content = {}},
                      answer_with(200, reply));
}

void Service::get_session_file(const Context& context, const Reply& reply) {
  const auto answer = [reply](Result<std::string> content) {
    if (!content) return reply(refusal(content.error()));
    reply(as_download(*std::move(content)));
  };
  sessions_.use_files(
      context.caller, context.path.at("id"),
      {.action = SessionService::FileAction::kRead, .path = context.path.at("path"), .content = {}},
      answer);
}

void Service::put_session_file(const Context& context, const Reply& reply) {
  sessions_.use_files(context.caller, context.path.at("id"),
                      {.action = SessionService::FileAction::kWrite,
                       .path = context.path.at("path"),
                       .content = context.request.body},
                      answer_with(200, reply));
}

void Service::remove_session_file(const Context& context, const Reply& reply) {
  sessions_.use_files(context.caller, context.path.at("id"),
                      {.action = SessionService::FileAction::kRemove,
                       .path = context.path.at("path"),
                       .content = {}},
                      answer_with(200, reply));
}

void Service::create_context(const Context& context, const Reply& reply) {
  const auto name = [&]() -> Result<std::string> {
    TRY_ASSIGN(const json::value value, body_of(context.request));
    return read_context_request(value);
  }();
  if (!name) return reply(problem(name.error()));
  sessions_.change_context(context.caller, context.path.at("id"),
                           SessionService::ContextChange::kCreate, *name, answer_with(201, reply));
}

void Service::restart_context(const Context& context, const Reply& reply) {
  sessions_.change_context(context.caller, context.path.at("id"),
                           SessionService::ContextChange::kRestart, context.path.at("name"),
                           answer_with(200, reply));
}

void Service::remove_context(const Context& context, const Reply& reply) {
  sessions_.change_context(context.caller, context.path.at("id"),
                           SessionService::ContextChange::kRemove, context.path.at("name"),
                           answer_with(200, reply));
}

}  // namespace belljar::api
