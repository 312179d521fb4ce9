// pysandbox's executor: POST {"code": base64(marshal.dumps(code object))}. Bytecode is hostile by
// nature: it is read only inside a cell.
#include "api/dialects/pysandbox.h"

#include <boost/json.hpp>
#include <optional>
#include <utility>

#include "api/dialects/answer.h"
#include "api/json_reader.h"
#include "api/service.h"
#include "base/text.h"
#include "engine/guard.h"
#include "model/json_text.h"

namespace belljar::api {
namespace {

namespace json = boost::json;

// What the program says and ends with that could not read the code, runtimes/guards/namekeeper.py.
// With the exit code alone, a program that ends with 65 would be taken for one that was not read.
constexpr int kUnreadable = 65;
constexpr std::string_view kUnreadableWords = "belljar: the code cannot be read\n";
constexpr std::string_view kUnreadableReason = "the code cannot be read";  // of a session's driver

Response result(unsigned status, json::value value) {
  Response response{.status = status};
  response.body = json_text(json::object{{"result", std::move(value)}});
  return response;
}

// A code object as marshal writes it begins so: TYPE_CODE, with or without the reference flag.
bool looks_like_code(std::string_view bytes) {
  return !bytes.empty() && (static_cast<unsigned char>(bytes.front()) & 0x7f) == 'c';
}

Response unreadable(std::string_view bytes) {
  Response response = result(400, "FAIL");
  if (looks_like_code(bytes)) {
    response.body = json_text(
        json::object{{"result", "FAIL"},
                     {"msg",
                      "the code object was not made by the version of CPython that runs it; see "
                      "GET /v1/languages for what that is"}});
  }
  return response;
}

// The code in a request's body, as base64 and as bytes.
struct Bytecode {
  std::string text, bytes;
};
std::optional<Bytecode> code_of(const Request& request) {
  const auto value = parse_json(request.body);
  const auto text = value ? text_member(*value, "code") : std::nullopt;
  const auto bytes = text ? base64_decode(*text) : std::nullopt;
  if (!bytes) return std::nullopt;
  return Bytecode{.text = *text, .bytes = *bytes};
}

json::object object_of(const std::string& written) {
  json::error_code error;
  json::value value = json::parse(written, error);
  if (error || !value.is_object()) return {};
  return std::move(value.get_object());
}
std::string text_of(const json::object& object, std::string_view name) {
  return text_member(object, name).value_or("");
}
// A stream of an execution.
std::string output_of(const json::object& execution, std::string_view name) {
  const json::value* const stream = execution.if_contains(name);
  if (stream == nullptr || !stream->is_object()) return "";
  const json::object& made = stream->get_object();
  if (made.if_contains("base64") == nullptr) return text_of(made, "text");
  return repair_utf8(base64_decode(text_of(made, "base64")).value_or(""));
}

Response answer_to(const json::object& execution, std::string_view bytes) {
  const std::string status = text_of(execution, "status");
  if (status == "ok") {
    return result(200, json::object{{"out", output_of(execution, "stdout")},
                                    {"err", output_of(execution, "stderr")}});
  }
  if (status == "error" && text_of(execution, "reason") == kUnreadableReason)
    return unreadable(bytes);
  return result(500, "FAIL");
}

}  // namespace

PysandboxCells::PysandboxCells(SessionService& sessions, const std::vector<std::uint16_t>& ports)
    : sessions_(sessions) {
  for (const std::uint16_t port : ports) {
    cells_.push_back(std::make_unique<Cell>());
    cells_.back()->caller = {
        .id = "pysandbox:" + std::to_string(port), .address = "127.0.0.1", .key = {}};
  }
}

void PysandboxCells::find_session_locked(Cell& cell) {
  if (cell.making || (!cell.session.empty() && sessions_.is_live(cell.caller, cell.session)))
    return;
  cell.session.clear();
  const json::object all = object_of(sessions_.list_json(cell.caller).value_or(""));
  const json::value* const list = all.if_contains("sessions");
  if (list == nullptr || !list->is_array()) return;
  for (const json::value& each : list->get_array()) {
    if (each.is_object() && text_of(each.get_object(), "state") != "ended")
      cell.session = text_of(each.get_object(), "id");
  }
}

void PysandboxCells::with_session(Cell& cell, const Waiter& waiter) {
  std::string session;
  {
    const std::lock_guard lock(cell.mutex);
    find_session_locked(cell);
    session = cell.session;
    if (session.empty()) cell.waiting.push_back(waiter);
    if (cell.making) return;
    cell.making = session.empty();
  }
  if (!session.empty()) return waiter(session);
  SessionRequest request;
  request.submission.language = "python";
  request.policy = "pysandbox";
  sessions_.create(
      cell.caller, std::move(request), {},
      [&cell](const Result<SessionService::Created>& made) { keep_session(cell, made); });
}

void PysandboxCells::keep_session(Cell& cell, const Result<SessionService::Created>& made) {
  std::vector<Waiter> waiting;
  Result<std::string> session;
  if (made) {
    session = text_of(object_of(made->text), "id");
  } else {
    session = std::unexpected(made.error());
  }
  {
    const std::lock_guard lock(cell.mutex);
    cell.making = false;
    if (session) cell.session = *session;
    waiting.swap(cell.waiting);
  }
  for (const Waiter& waiter : waiting) waiter(session);
}

void PysandboxCells::handle(std::size_t cell, const Request& request, const Reply& reply) {
  const auto code = code_of(request);
  if (!code) return reply(result(400, "FAIL"));
  execute(*cells_[cell], code->text, code->bytes, reply, false);
}

void PysandboxCells::execute(
    Cell& cell, const std::string& text, const std::string& bytes, const Reply& reply, bool again) {
  with_session(cell, [this, &cell, text, bytes, reply, again](const Result<std::string>& session) {
    ExecutionRequest wanted;
    wanted.code = text;
    wanted.marshalled = true;
    wanted.screening = "none";  // its client screens the source; bytecode has none
    const auto begun = session ? sessions_.execute(cell.caller, *session, std::move(wanted),
                                                   {.answered_at_end = true})
                               : std::unexpected(session.error());
    // Nothing has begun of what comes when the cell has just ended: it is for the next one.
    const auto fail = [this, &cell, text, bytes, reply, again](const Error& error) {
      if (!again && error.code == Code::kConflict) return execute(cell, text, bytes, reply, true);
      reply(result(500, "FAIL"));
    };
    if (!begun) return fail(begun.error());
    begun->live->on_end([execution = begun->live, bytes, reply, fail] {
      if (const auto error = execution->error()) return fail(*error);
      reply(answer_to(object_of(execution->run_json()), bytes));
    });
  });
}

void Service::pysandbox(const Context& context, const Reply& reply) {
  const auto code = code_of(context.request);
  if (!code) return reply(result(400, "FAIL"));

  RunRequest request;
  request.submission.language = "python";
  request.submission.entry = "code" + std::string(engine::kMarshalled);
  request.submission.files.push_back({.path = request.submission.entry, .content = code->bytes});
  request.screening = "none";  // its client screens the source; bytecode has none
  const auto submitted = runs_.submit(context.caller, std::move(request), dialect_options());
  if (!submitted) return reply(result(500, "FAIL"));
  const std::shared_ptr<LiveRun> live = submitted->live;
  live->on_end([live, reply, bytes = code->bytes] {
    const auto outcome = read_outcome(*live);
    if (!outcome) return reply(result(500, "FAIL"));
    if (outcome->status == RunStatus::kOk) {
      return reply(result(200, json::object{{"out", outcome->out}, {"err", outcome->err}}));
    }
    if (outcome->exit_code == kUnreadable && outcome->err == kUnreadableWords)
      return reply(unreadable(bytes));
    reply(result(500, "FAIL"));
  });
}

}  // namespace belljar::api
