#include "api/dialects/answer.h"

#include <boost/json.hpp>
#include <cmath>

#include "base/text.h"

namespace belljar::api {

namespace json = boost::json;

namespace {

std::string output_text(const Stream& stream) {
  return repair_utf8(stream.truncated ? drop_incomplete_end(stream.data)
                                      : std::string_view(stream.data));
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

SubmitOptions dialect_options() {
  SubmitOptions options;
  options.keep_outcome = true;
  options.answered_at_end = true;
  return options;
}

std::optional<DialectOutcome> read_outcome(LiveRun& live) {
  const std::shared_ptr<const Outcome> outcome = live.take_outcome();
  if (outcome == nullptr) return std::nullopt;
  DialectOutcome made;
  made.status = outcome->status;
  made.reason = repair_utf8(outcome->reason);
  if (outcome->stages.empty()) return made;
  const StageOutcome& stage = outcome->stages.back();
  made.out = output_text(stage.out);
  made.err = output_text(stage.err);
  made.out_truncated = stage.out.truncated;
  made.err_truncated = stage.err.truncated;
  made.wall = stage.usage.wall;
  if (stage.exit_code) {
    made.exit_code = *stage.exit_code;
  } else if (stage.signal) {
    made.exit_code = 128 + *stage.signal;
  }
  return made;
}

double round_seconds(Nanoseconds value) {
  return std::round(static_cast<double>(value.count()) / 1e5) / 1e4;
}

}  // namespace belljar::api
