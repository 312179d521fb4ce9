// What the dialects share: one Python program, run as a submission, with the answer in their words.
#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>

#include "api/run_service.h"

namespace belljar::api {

// What a dialect needs of a run that has ended.
struct DialectOutcome {
  RunStatus status{};
  std::string reason;
  int exit_code = 0;     // 128 and the signal's number where there is none, as a shell has it
  std::string out, err;  // UTF-8
  bool out_truncated = false;
  bool err_truncated = false;
  Nanoseconds wall{};
};

// The text of a body's member, or nothing where the body is not an object with such a text.
std::optional<std::string> text_member(const boost::json::value& body, std::string_view name);

// A Python program as a request, whose language, file and entry are set and nothing else.
RunRequest python_program(std::string source);

// How dialects submit: they answer when the run is over, and from its value.
SubmitOptions dialect_options();

// Of a run that was submitted with keep_outcome and is over; once. Nothing where it has no outcome.
std::optional<DialectOutcome> read_outcome(LiveRun& live);

// Rounded as Python's round() does it for four places.
double round_seconds(Nanoseconds value);

}  // namespace belljar::api
