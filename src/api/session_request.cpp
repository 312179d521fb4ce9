#include "api/session_request.h"

#include <algorithm>
#include <boost/json.hpp>

#include "api/json_reader.h"
#include "api/run_request.h"
#include "base/text.h"
#include "model/json_text.h"

namespace belljar::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostContextName = 64;

// Seconds as a number, or a text as on the command line.
Result<std::optional<Nanoseconds>> read_duration(JsonReader& reader, std::string_view name) {
  const json::value* const value = reader.find(name);
  if (value == nullptr) return std::nullopt;
  const std::string wanted = "a number of seconds above zero, or a text such as \"90s\"";
  if (value->is_string()) {
    const Result<Nanoseconds> duration = parse_duration(value->get_string());
    if (!duration || *duration <= Nanoseconds{}) return reader.wrong(name, wanted);
    return *duration;
  }
  json::error_code error;
  const auto seconds = value->to_number<double>(error);
  if (error || !(seconds > 0) || seconds > 1e9) return reader.wrong(name, wanted);
  return Nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
}

}  // namespace

Result<SessionRequest> read_session_request(const json::value& value) {
  TRY_ASSIGN(JsonReader reader, JsonReader::of(value, ""));
  SessionRequest request;
  Submission& submission = request.submission;
  TRY_ASSIGN(submission.language, reader.text_or("language", "python"));
  if (const json::value* const files = reader.find("files")) {
    TRY_ASSIGN(submission.files, read_files(*files, reader.where("files")));
  }
  if (const json::value* const environment = reader.find("env")) {
    TRY_ASSIGN(submission.env, read_environment(*environment, reader.where("env")));
  }
  if (const json::value* const limits = reader.find("limits")) {
    TRY_ASSIGN(submission.limits, read_limits(*limits, reader.where("limits")));
  }
  TRY_ASSIGN(request.policy, reader.text_or("policy", ""));
  TRY_ASSIGN(request.screening, reader.text_or("screening", ""));
  TRY_ASSIGN(request.ttl, read_duration(reader, "ttl"));
  TRY_ASSIGN(request.idle, read_duration(reader, "idle"));
  TRY(reader.finish());
  return request;
}

std::string to_json(const SessionRequest& request) {
  RunRequest cell;
  cell.submission = request.submission;
  cell.policy = request.policy;
  cell.screening = request.screening;
  json::object object{{"session", to_json(cell)}};
  if (request.ttl) object["ttl_ns"] = request.ttl->count();
  if (request.idle) object["idle_ns"] = request.idle->count();
  return json_text(object);
}

Result<ExecutionRequest> read_execution_request(const json::value& value) {
  TRY_ASSIGN(JsonReader reader, JsonReader::of(value, ""));
  ExecutionRequest request;
  TRY_ASSIGN(const auto code, reader.text("code"));
  if (!code) return reader.wrong("code", "a string");
  request.code = *code;
  TRY_ASSIGN(const std::string format, reader.text_or("format", "source"));
  if (format != "source" && format != "marshal") {
    return reader.wrong("format", "\"source\" or \"marshal\"");
  }
  request.marshalled = format == "marshal";
  if (request.marshalled && !base64_decode(request.code)) {
    return reader.wrong("code", "base64, since its format is \"marshal\"");
  }
  TRY_ASSIGN(request.context, reader.text_or("context", "default"));
  TRY(check_context_name(request.context));
  if (const json::value* const limits = reader.find("limits")) {
    TRY_ASSIGN(request.limits, read_limits(*limits, reader.where("limits")));
    LimitOverrides others = request.limits;
    others.wall = others.cpu = std::nullopt;
    others.output = std::nullopt;
    if (others != LimitOverrides{}) {
      return fail(Code::kInvalid,
                  "limits: an execution has wall, cpu and output; the others are the session's");
    }
  }
  TRY_ASSIGN(request.screening, reader.text_or("screening", ""));
  TRY(reader.finish());
  return request;
}

Status check_context_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  };
  if (!name.empty() && name.size() <= kMostContextName && std::ranges::all_of(name, fits)) {
    return {};
  }
  return fail(Code::kInvalid, "context: must be 1 to " + std::to_string(kMostContextName) +
                                  " letters, digits, '-' and '_'");
}

Result<std::string> read_context_request(const json::value& value) {
  TRY_ASSIGN(JsonReader reader, JsonReader::of(value, ""));
  TRY_ASSIGN(const auto name, reader.text("name"));
  if (!name) return reader.wrong("name", "a string");
  TRY(reader.finish());
  TRY(check_context_name(*name));
  return *name;
}

}  // namespace belljar::api
