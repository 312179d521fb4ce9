// What clients ask of sessions, read from JSON. Nothing here is trusted; every error names its
// field.
#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <vector>

#include "model/submission.h"

namespace belljar::api {

struct SessionRequest {
  Submission submission;            // language, files for /box, environment, limits
  std::string policy;               // a policy's name; empty: the service's default
  std::string screening;            // of executions that name none; empty: the service's default
  std::optional<Nanoseconds> ttl;   // absent: the service's
  std::optional<Nanoseconds> idle;  // absent: the service's
};
Result<SessionRequest> read_session_request(const boost::json::value& value);
// What makes it another request than others, as text.
std::string to_json(const SessionRequest& request);

struct ExecutionRequest {
  std::string code;
  bool marshalled = false;  // the code is the base64 of a code object of Python's
  std::string context = "default";
  std::vector<std::string> env;  // "NAME=value", for this execution
  LimitOverrides limits;         // wall, cpu and output; the others are the session's
  std::string screening;         // a rule set's name, "none", or empty: the session's
};
Result<ExecutionRequest> read_execution_request(const boost::json::value& value);

// A context's name: 1 to 64 of a-z, A-Z, 0-9, '-' and '_'.
Status check_context_name(std::string_view name);
// {"name": …}
Result<std::string> read_context_request(const boost::json::value& value);

}  // namespace belljar::api
