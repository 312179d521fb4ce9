#include "api/dialects/e2b.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "api/json_reader.h"
#include "api/request_fields.h"
#include "api/run_request.h"
#include "base/id.h"
#include "base/text.h"
#include "model/json_text.h"

namespace belljar::api {
namespace {

namespace json = boost::json;

constexpr std::string_view kDefaultContext = "default";
constexpr std::string_view kFolder = "/box";  // where code begins that asks for no other
constexpr std::size_t kMostCwd = 4095;

Response text(unsigned status, std::string_view words) {
  return {.status = status, .type = "text/plain; charset=utf-8", .body = repair_utf8(words)};
}

Response answer(const json::value& value) {
  return {.body = escape_json_for_terminal(json_text(value))};
}

// The package shows the text of a 404 and a 502, which to it is a sandbox that has ended.
Response refusal(const Error& error) {
  switch (error.code) {
    case Code::kInvalid:
      return text(400, error.message);
    case Code::kDenied:
      return text(403, error.message);
    case Code::kConflict:
      return text(502, error.message);
    case Code::kNotFound:
      return text(404, error.message);
    case Code::kExhausted:
    case Code::kUnavailable: {
      Response response = text(error.code == Code::kExhausted ? 429 : 503, error.message);
      response.headers.emplace_back("Retry-After", "1");
      return response;
    }
    case Code::kInternal:
      break;
  }
  return text(500, "something failed inside");
}

Response no_context(std::string_view id) {
  return text(404, "Context " + quote(id) + " not found");
}

Status check_language(std::string_view language) {
  if (language.empty() || ascii_lower(language) == "python") return {};
  return fail(Code::kInvalid, "language: must be python, not " + quote(language));
}

struct Execute {
  ExecutionRequest execution;
  bool names_context = false;
};

Result<Execute> read_execute(const Request& request) {
  TRY_ASSIGN(const json::value value, json_body(request));
  TRY_ASSIGN(JsonReader reader, JsonReader::of(value, ""));
  Execute wanted;
  TRY_ASSIGN(const auto code, reader.text("code"));
  if (!code) return reader.wrong("code", "a string");
  wanted.execution.code = *code;
  TRY_ASSIGN(const std::string context, reader.text_or("context_id", ""));
  TRY_ASSIGN(const std::string language, reader.text_or("language", ""));
  if (!context.empty() && !language.empty()) {
    return fail(Code::kInvalid, "context_id, language: only one of them may be given");
  }
  TRY(check_language(language));
  if (!context.empty()) wanted.execution.context = context;
  wanted.names_context = !context.empty();
  if (const json::value* const variables = reader.find("env_vars")) {
    TRY_ASSIGN(wanted.execution.env, read_environment(*variables, "env_vars"));
  }
  TRY(reader.finish());
  return wanted;
}

// Where its code is to begin.
Result<std::string> read_context(const Request& request) {
  TRY_ASSIGN(const json::value value, json_body(request));
  TRY_ASSIGN(JsonReader reader, JsonReader::of(value, ""));
  TRY_ASSIGN(const std::string language, reader.text_or("language", ""));
  TRY(check_language(language));
  TRY_ASSIGN(std::string cwd, reader.text_or("cwd", ""));
  if (cwd.empty()) cwd = kFolder;
  if (!cwd.starts_with('/') || cwd.size() > kMostCwd || cwd.find('\0') != std::string::npos) {
    return reader.wrong("cwd",
                        "an absolute path of at most " + std::to_string(kMostCwd) + " bytes");
  }
  TRY(reader.finish());
  return cwd;
}

json::object context_json(std::string_view id, std::string_view cwd) {
  return {{"id", id}, {"language", "python"}, {"cwd", cwd}};
}

// What is of the form that this service gives it: of its own making, so that it is there.
const json::value* member(const json::object& object, std::string_view name) {
  const json::value* const value = object.if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}
std::string text_of(const json::object& object, std::string_view name) {
  const json::value* const value = member(object, name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}
bool is_set(const json::object& object, std::string_view name) {
  const json::value* const value = member(object, name);
  return value != nullptr && value->is_bool() && value->get_bool();
}

json::object object_of(const std::string& written) {
  json::error_code error;
  json::value value = json::parse(written, error);
  if (error || !value.is_object()) return {};
  return std::move(value.get_object());
}

// A stream's piece as an event has it.
std::string output_of(const json::object& event) {
  if (member(event, "base64") == nullptr) return text_of(event, "text");
  return repair_utf8(base64_decode(text_of(event, "base64")).value_or(""));
}

// A result by MIME type becomes one by the protocol's own names.
json::object result_line(const json::object& result) {
  struct Format {
    std::string_view mime, name;
  };
  static constexpr std::array<Format, 12> kFormats{{{"text/plain", "text"},
                                                    {"text/html", "html"},
                                                    {"text/markdown", "markdown"},
                                                    {"image/svg+xml", "svg"},
                                                    {"image/png", "png"},
                                                    {"image/jpeg", "jpeg"},
                                                    {"application/pdf", "pdf"},
                                                    {"text/latex", "latex"},
                                                    {"application/json", "json"},
                                                    {"application/javascript", "javascript"},
                                                    {"e2b/data", "data"},
                                                    {"e2b/chart", "chart"}}};
  json::object line{{"type", "result"}, {"is_main_result", is_set(result, "main")}};
  json::object extra;
  const json::value* const data = member(result, "data");
  for (const auto& each : data != nullptr && data->is_object() ? data->get_object() : extra) {
    const auto* const format =
        std::ranges::find(kFormats, std::string_view(each.key()), &Format::mime);
    if (format == kFormats.end()) {
      extra[each.key()] = each.value();
    } else {
      line[format->name] = each.value();
    }
  }
  // A string is shown as what is in it, not as Python writes it.
  if (std::string shown = text_of(line, "text"); shown.size() >= 2 &&
                                                 shown.front() == shown.back() &&
                                                 (shown.front() == '\'' || shown.front() == '"')) {
    line["text"] = shown.substr(1, shown.size() - 2);
  }
  line["extra"] = std::move(extra);
  return line;
}

json::object error_line(std::string_view name, std::string_view value, std::string_view trace) {
  return {{"type", "error"}, {"name", name}, {"value", value}, {"traceback", trace}};
}

// What there is to say of how an execution ended, or nothing.
std::optional<json::object> failure_of(const json::object& run) {
  const std::string status = text_of(run, "status");
  const std::string reason = text_of(run, "reason");
  const json::value* const found = member(run, "error");
  const json::object error =
      found != nullptr && found->is_object() ? found->get_object() : json::object();
  const std::string trace = text_of(error, "traceback");
  if (status == "ok") {
    for (const std::string_view stream : {"stdout", "stderr"}) {
      const json::value* const made = member(run, stream);
      if (made == nullptr || !made->is_object() || !is_set(made->get_object(), "truncated"))
        continue;
      return error_line("OutputLimitError", "the rest of " + std::string(stream) + " was dropped",
                        "");
    }
    if (!is_set(run, "results_truncated")) return std::nullopt;
    return error_line("OutputLimitError", "more results than one execution may have", "");
  }
  if (status == "rejected") return error_line("RejectedError", reason, "");
  if (status == "timeout") return error_line("TimeoutError", reason, trace);
  if (status == "output_limit") return error_line("OutputLimitError", reason, trace);
  if (status == "error" || status == "interrupted") {
    if (!error.empty()) return error_line(text_of(error, "name"), text_of(error, "value"), trace);
    return error_line("Error", reason, "");
  }
  std::string why = reason;
  if (const json::value* const code = member(run, "exit_code"); why.empty() && code != nullptr) {
    why = "the code ended its interpreter with exit code " + json_text(*code);
  }
  if (why.empty()) why = "the interpreter was ended by " + text_of(run, "signal");
  return error_line("UnexpectedEndOfExecution", why, "");
}

// An execution as lines of JSON. It ends with its client: then nobody waits for it.
class ResultLines : public EventStream {
 public:
  ResultLines(SessionService& sessions,
              const Caller& caller,
              std::string session,
              std::shared_ptr<LiveRun> execution)
      : sessions_(sessions),
        caller_(caller),
        session_(std::move(session)),
        execution_(std::move(execution)) {}
  ~ResultLines() override {
    if (!execution_->is_over()) sessions_.abandon(caller_, session_, *execution_);
  }
  ResultLines(const ResultLines&) = delete;
  ResultLines& operator=(const ResultLines&) = delete;

  bool take(std::string& lines) override {
    // Asked before the events: what comes in between is seen the next time.
    const bool over = execution_->is_over();
    for (const RunEvent& event : execution_->events_after(taken_)) {
      add(event, lines);
      taken_ = event.number;
    }
    return !over;
  }
  void on_more(std::function<void()> wake) override {
    execution_->on_more(taken_, std::move(wake));
  }
  // Before a line's object JSON has as much white space as one likes; an empty line is no JSON.
  [[nodiscard]] std::string_view beat() const override { return " "; }
  [[nodiscard]] bool ends_with_client() const override { return true; }

 private:
  static void add(const json::object& line, std::string& lines) {
    lines += escape_json_for_terminal(json_text(line)) + "\n";
  }
  static void add(const RunEvent& event, std::string& lines) {
    const json::object data = object_of(event.data);
    if (event.name == "stdout" || event.name == "stderr") {
      add({{"type", event.name}, {"text", output_of(data)}, {"timestamp", format_time(unix_ms())}},
          lines);
    } else if (event.name == "result") {
      add(result_line(data), lines);
    } else if (event.name == "outcome") {
      if (const auto failure = failure_of(data)) add(*failure, lines);
      if (const json::value* const count = member(data, "count")) {
        add({{"type", "number_of_executions"}, {"execution_count", *count}}, lines);
      }
      add({{"type", "end_of_execution"}}, lines);
    }
  }

  SessionService& sessions_;
  const Caller& caller_;
  const std::string session_;
  const std::shared_ptr<LiveRun> execution_;
  std::uint64_t taken_ = 0;
};

}  // namespace

E2b::E2b(SessionService& sessions, const RunService& runs)
    : sessions_(sessions), runs_(runs), caller_{.id = "e2b", .address = "127.0.0.1", .key = {}} {}

void E2b::find_session_locked() {
  if (making_ || (!session_.empty() && sessions_.is_live(caller_, session_))) return;
  session_.clear();
  contexts_.clear();
  // One may be left of an earlier gateway. Where its contexts began that one knew.
  const json::object all = object_of(sessions_.list_json(caller_).value_or(""));
  const json::value* const list = member(all, "sessions");
  if (list == nullptr || !list->is_array()) return;
  for (const json::value& each : list->get_array()) {
    if (!each.is_object() || text_of(each.get_object(), "state") == "ended") continue;
    session_ = text_of(each.get_object(), "id");
    const json::value* const contexts = member(each.get_object(), "contexts");
    if (contexts == nullptr || !contexts->is_array()) return;
    for (const json::value& name : contexts->get_array()) {
      if (name.is_string() && name.get_string() != kDefaultContext) {
        contexts_[std::string(name.get_string())] = "";
      }
    }
    return;
  }
}

bool E2b::knows(const std::string& context) {
  if (context == kDefaultContext) return true;
  const std::lock_guard lock(mutex_);
  find_session_locked();
  return contexts_.contains(context);
}

void E2b::with_session(const Waiter& waiter) {
  std::string session;
  {
    const std::lock_guard lock(mutex_);
    find_session_locked();
    session = session_;
    if (session.empty()) waiting_.push_back(waiter);
    if (making_) return;
    making_ = session.empty();
  }
  if (!session.empty()) return waiter(session);
  SessionRequest request;
  request.submission.language = "python";
  sessions_.create(caller_, std::move(request), {},
                   [this](const Result<SessionService::Created>& made) { keep_session(made); });
}

void E2b::keep_session(const Result<SessionService::Created>& made) {
  std::vector<Waiter> waiting;
  Result<std::string> session;
  if (made) {
    session = text_of(object_of(made->text), "id");
  } else {
    session = std::unexpected(made.error());
  }
  {
    const std::lock_guard lock(mutex_);
    making_ = false;
    if (session) session_ = *session;
    waiting.swap(waiting_);
  }
  for (const Waiter& waiter : waiting) waiter(session);
}

void E2b::execute(const Request& request, const Reply& reply) {
  auto wanted = read_execute(request);
  if (!wanted) return reply(refusal(wanted.error()));
  if (!knows(wanted->execution.context)) return reply(no_context(wanted->execution.context));
  // How long it may take is for its client to say, who goes when he has waited enough.
  const auto policy = runs_.policy("");
  if (!policy) return reply(refusal(policy.error()));
  wanted->execution.limits.wall = (*policy)->maximum.wall;
  wanted->execution.limits.cpu = (*policy)->maximum.cpu;
  with_session(
      [this, execution = std::move(wanted->execution), reply](const Result<std::string>& session) {
        if (!session) return reply(refusal(session.error()));
        // No client is told of an id.
        const auto begun = sessions_.execute(caller_, *session, execution,
                                             {.answered_at_end = true, .is_watched = true});
        // The session may have ended meanwhile, and with it the context.
        if (!begun && begun.error().code == Code::kNotFound)
          return reply(no_context(execution.context));
        if (!begun) return reply(refusal(begun.error()));
        // Nothing has begun of what was not even queued.
        if (const auto error = begun->live->error()) return reply(refusal(*error));
        Response response{.type = "application/x-ndjson"};
        response.events = std::make_shared<ResultLines>(sessions_, caller_, *session, begun->live);
        reply(std::move(response));
      });
}

void E2b::create_context(const Request& request, const Reply& reply) {
  const auto cwd = read_context(request);
  if (!cwd) return reply(refusal(cwd.error()));
  with_session([this, cwd = *cwd, reply](const Result<std::string>& session) {
    if (!session) return reply(refusal(session.error()));
    const std::string id = make_id("ctx");
    sessions_.change_context(
        caller_, *session, SessionService::ContextChange::kCreate, id,
        [this, id, cwd, session = *session, reply](const Result<std::string>& done) {
          if (!done) return reply(refusal(done.error()));
          {
            const std::lock_guard lock(mutex_);
            if (session == session_) contexts_[id] = cwd;
          }
          reply(answer(context_json(id, cwd)));
        },
        cwd);
  });
}

void E2b::list_contexts(const Reply& reply) {
  json::array list{context_json(kDefaultContext, kFolder)};
  {
    const std::lock_guard lock(mutex_);
    find_session_locked();
    for (const auto& [id, cwd] : contexts_) list.push_back(context_json(id, cwd));
  }
  reply(answer(list));
}

void E2b::restart_context(const std::string& id, const Reply& reply) {
  if (!knows(id)) return reply(no_context(id));
  with_session([this, id, reply](const Result<std::string>& session) {
    if (!session) return reply(refusal(session.error()));
    sessions_.change_context(
        caller_, *session, SessionService::ContextChange::kRestart, id,
        [id, reply](const Result<std::string>& done) {
          if (done) return reply(answer(nullptr));
          reply(done.error().code == Code::kNotFound ? no_context(id) : refusal(done.error()));
        });
  });
}

void E2b::remove_context(const std::string& id, const Reply& reply) {
  if (id == kDefaultContext) {
    return reply(text(400, "the default context can be restarted, not removed"));
  }
  if (!knows(id)) return reply(no_context(id));
  with_session([this, id, reply](const Result<std::string>& session) {
    if (!session) return reply(refusal(session.error()));
    sessions_.change_context(caller_, *session, SessionService::ContextChange::kRemove, id,
                             [this, id, reply](const Result<std::string>& done) {
                               if (!done && done.error().code != Code::kNotFound) {
                                 return reply(refusal(done.error()));
                               }
                               {
                                 const std::lock_guard lock(mutex_);
                                 contexts_.erase(id);
                               }
                               reply(done ? answer(nullptr) : no_context(id));
                             });
  });
}

void E2b::handle(const Request& request, const Reply& reply) {
  constexpr std::string_view kContexts = "/contexts/";
  constexpr std::string_view kRestart = "/restart";
  const std::string_view method =
      request.method == "HEAD" ? "GET" : std::string_view(request.method);
  const auto answers = [&](std::string_view methods) {
    Response response = text(405, "this path answers " + std::string(methods));
    response.headers.emplace_back("Allow", methods);
    reply(std::move(response));
  };
  if (request.path == "/health") {
    if (method != "GET") return answers("GET");
    return reply(answer("OK"));
  }
  if (request.path == "/execute") {
    if (method != "POST") return answers("POST");
    return execute(request, reply);
  }
  if (request.path == "/contexts") {
    if (method == "GET") return list_contexts(reply);
    if (method == "POST") return create_context(request, reply);
    return answers("GET, POST");
  }
  if (request.path.starts_with(kContexts)) {
    std::string id = request.path.substr(kContexts.size());
    if (id.ends_with(kRestart)) {
      if (method != "POST") return answers("POST");
      return restart_context(id.substr(0, id.size() - kRestart.size()), reply);
    }
    if (method != "DELETE") return answers("DELETE");
    return remove_context(id, reply);
  }
  reply(text(404, "of E2B's interfaces there are /health, /execute and /contexts here"));
}

}  // namespace belljar::api
