#include "api/dialects/answer.h"

#include <boost/json.hpp>
#include <cmath>

#include "base/text.h"

namespace belljar::api {

namespace json = boost::json;

namespace {

std::string text_of(const json::object& stage, std::string_view stream) {
  const json::object& object = stage.at(stream).as_object();
  return std::string(object.at("text").as_string());
}

RunStatus status_of(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(RunStatus::kCancelled); ++i) {
    if (to_string(static_cast<RunStatus>(i)) == name) return static_cast<RunStatus>(i);
  }
  return RunStatus::kSetupError;
}

}  // namespace

std::optional<std::string> text_member(const json::value& body, std::string_view name) {
  const json::object* const object = body.if_object();
  const json::value* const member = object != nullptr ? object->if_contains(name) : nullptr;
  if (member == nullptr || !member->is_string()) return std::nullopt;
  return std::string(member->get_string());
}

RunRequest python_program(std::string source) {
  RunRequest request;
  request.submission.language = "python";
  request.submission.entry = "main.py";
  request.submission.files.push_back({.path = "main.py", .content = std::move(source)});
  return request;
}

std::optional<DialectOutcome> read_outcome(std::string_view run_json) {
  json::error_code error;
  const json::value value = json::parse(run_json, error);
  if (error || !value.is_object()) return std::nullopt;
  const json::value& outcome = value.as_object().at("outcome");
  if (!outcome.is_object()) return std::nullopt;
  const json::array& stages = outcome.as_object().at("stages").as_array();
  DialectOutcome made;
  made.status = status_of(outcome.as_object().at("status").as_string());
  made.reason = outcome.as_object().at("reason").as_string();
  if (stages.empty()) return made;
  const json::object& stage = stages.back().as_object();
  made.out = text_of(stage, "stdout");
  made.err = text_of(stage, "stderr");
  const json::value& wall = stage.at("usage").as_object().at("wall_ms");
  made.wall = Nanoseconds(static_cast<std::int64_t>(wall.to_number<double>() * 1e6));
  if (const json::value* const code = stage.if_contains("exit_code")) {
    made.exit_code = static_cast<int>(code->to_number<std::int64_t>());
  } else if (const json::value* const signal = stage.if_contains("signal_number")) {
    made.exit_code = 128 + static_cast<int>(signal->to_number<std::int64_t>());
  }
  return made;
}

double round_seconds(Nanoseconds value) {
  return std::round(static_cast<double>(value.count()) / 1e5) / 1e4;
}

}  // namespace belljar::api
