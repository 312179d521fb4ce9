// secure-sandbox: POST /execute {"code", "input"}.
#include <boost/json.hpp>

#include "api/dialects/answer.h"
#include "api/json_reader.h"
#include "api/problem.h"
#include "api/service.h"
#include "base/sys.h"
#include "model/json_text.h"
#include "screen/sanitizer.h"

namespace belljar::api {
namespace {

namespace json = boost::json;

// The shape of its framework's validation errors (FastAPI with pydantic 2).
Response invalid(json::array list) {
  Response response{.status = 422};
  response.body = json_text(json::object{{"detail", std::move(list)}});
  return response;
}

json::object missing(json::array place, const json::value& input) {
  return {
      {"type", "missing"}, {"loc", std::move(place)}, {"msg", "Field required"}, {"input", input}};
}

Response invalid(json::object only) {
  json::array list;
  list.push_back(std::move(only));
  return invalid(std::move(list));
}

Response detail(unsigned status, std::string_view text) {
  Response response{.status = status};
  response.body = json_text(json::object{{"detail", text}});
  return response;
}

Response answer(std::string_view out, std::string_view err, int code, Nanoseconds wall) {
  Response response;
  response.body = json_text(json::object{{"stdout", out},
                                         {"stderr", err},
                                         {"returncode", code},
                                         {"execution_time", round_seconds(wall)}});
  return response;
}

// Stripped and cut, with the note also where what was cut off was cut before: of output that is
// mostly escape sequences, what is left may be short.
std::string shown(std::string_view output, bool truncated) {
  const screen::SanitizerOptions options = screen::secure_sandbox_sanitizer();
  screen::Sanitizer sanitizer(options);
  std::string text = sanitizer.feed(output);
  text += sanitizer.finish();
  if (truncated && !sanitizer.truncated()) text += options.note;
  return text;
}

struct Asked {
  std::string code;
  std::string input;
};

// Nothing where `refusal` says why.
std::optional<Asked> read(const Request& request, Response& refusal) {
  if (request.body.empty()) {
    refusal = invalid(missing({"body"}, nullptr));
    return std::nullopt;
  }
  const auto value = parse_json(request.body);
  if (!value) {
    refusal = invalid(json::object{{"type", "json_invalid"},
                                   {"loc", {"body", 0}},
                                   {"msg", "JSON decode error"},
                                   {"input", json::object()},
                                   {"ctx", {{"error", value.error().message}}}});
    return std::nullopt;
  }
  const json::object* const object = value->if_object();
  if (object == nullptr) {
    refusal = invalid(
        json::object{{"type", "model_attributes_type"},
                     {"loc", {"body"}},
                     {"msg", "Input should be a valid dictionary or object to extract fields from"},
                     {"input", *value}});
    return std::nullopt;
  }
  Asked asked;
  json::array wrong;  // every member that is, as its framework tells
  for (const auto& [name, place] :
       {std::pair{"code", &asked.code}, std::pair{"input", &asked.input}}) {
    const json::value* const field = object->if_contains(name);
    if (field == nullptr) {
      if (place == &asked.code) wrong.push_back(missing({"body", name}, *value));
    } else if (!field->is_string()) {
      wrong.push_back(json::object{{"type", "string_type"},
                                   {"loc", {"body", name}},
                                   {"msg", "Input should be a valid string"},
                                   {"input", *field}});
    } else {
      *place = std::string(field->get_string());
    }
  }
  if (!wrong.empty()) {
    refusal = invalid(std::move(wrong));
    return std::nullopt;
  }
  return asked;
}

}  // namespace

void Service::secure_sandbox(const Context& context, const Reply& reply) {
  const Nanoseconds wait =
      take_rate("secure-sandbox " + context.caller.address, settings_.rate_limit, 1);
  if (wait > Nanoseconds{}) {
    Response response = retry_later(429, "", wait);
    response.type = "application/json";
    response.body = R"({"detail":"Rate limit exceeded"})";
    return reply(std::move(response));
  }
  Response refusal;
  const std::optional<Asked> asked = read(context.request, refusal);
  if (!asked) return reply(std::move(refusal));
  if (asked->code.size() > settings_.max_code_size) {
    return reply(
        detail(413, "Code size exceeds " + std::to_string(settings_.max_code_size) + " bytes"));
  }
  RunRequest request = python_program(asked->code);
  request.policy = "secure-sandbox";
  request.screening = "secure-sandbox";
  request.input = asked->input;
  Submission& submission = request.submission;
  submission.limits.wall = std::chrono::seconds(settings_.execution_timeout);
  submission.limits.cpu = submission.limits.wall;
  submission.limits.processes = settings_.pids_limit;
  // What is returned is counted in characters and without what is stripped: room for both.
  submission.limits.output = kMiB;
  // Checked when the settings were read.
  if (const auto memory = parse_bytes(settings_.memory_limit)) submission.limits.memory = *memory;
  (void)set_limit(submission.limits, "cpus", settings_.cpu_limit).has_value();

  SubmitOptions options = dialect_options();
  options.concurrent = settings_.max_concurrent;
  const auto submitted = runs_.submit(context.caller, std::move(request), std::move(options));
  if (!submitted) {
    const bool busy =
        submitted.error().code == Code::kExhausted || submitted.error().code == Code::kUnavailable;
    return reply(detail(busy ? 503 : 400, submitted.error().message));
  }
  const std::shared_ptr<LiveRun> live = submitted->live;
  live->on_end([live, reply] {
    const auto outcome = read_outcome(*live);
    if (!outcome) {
      const auto error = live->error();
      return reply(detail(503, error ? error->message : "the run was lost"));
    }
    if (outcome->status == RunStatus::kRejected) {
      return reply(answer("", outcome->reason, -1, Nanoseconds{}));
    }
    const std::string out = shown(outcome->out, outcome->out_truncated);
    const std::string err = shown(outcome->err, outcome->err_truncated);
    if (outcome->status == RunStatus::kTimeout) {
      return reply(answer(out, "Execution timed out", -1, outcome->wall));
    }
    reply(answer(out, err, outcome->exit_code, outcome->wall));
  });
}

}  // namespace belljar::api
