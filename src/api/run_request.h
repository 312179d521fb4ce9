// RunRequest: what a client asks for with POST /v1/runs, read from JSON. Nothing here is trusted;
// every error names its field.
#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/output_difference.h"
#include "model/labels.h"
#include "model/submission.h"

namespace belljar::api {

struct RunRequest {
  Submission submission;
  std::string input;  // the program's stdin
  // What its stdout is held against, if anything: the run then has a verdict.
  std::optional<std::string> expected;
  engine::Compare compare = engine::Compare::kLenient;
  std::string policy;     // a policy's name; empty: the service's default
  std::string screening;  // a rule set's name, "none", or empty: the service's default
  // What stdout and stderr come back as: as they are; "plain": without what steers a terminal;
  // "base64": also exactly, whatever they hold.
  std::string output;
  std::string webhook;  // where the outcome is posted; empty: nowhere
  Labels labels;        // of where it is to be run
  // Its stdin came, and comes, from a client that is connected; no field of a request.
  bool interactive = false;
};

// One run's object; `path` stands before the field names in messages. Unknown fields are refused.
Result<RunRequest> read_run_request(const boost::json::value& value, const std::string& path);

// The same as text, to be kept and read again by read_stored_request.
std::string to_json(const RunRequest& request);
Result<RunRequest> read_stored_request(const boost::json::value& value);
// What is kept, as a client may send it again.
Result<std::string> as_sent(const std::string& stored);

// {"region": "eu"}
Result<Labels> read_labels(const boost::json::value& value, const std::string& path);

// What read_limits() reads, of those that are wanted.
boost::json::object to_value(const LimitOverrides& limits);
// {"wall": "2s", "memory": 134217728, "cpus": 0.5}: text as on the command line, or numbers in
// seconds, bytes, counts and processors; "wall_ms" and "memory_bytes" as an outcome writes them.
Result<LimitOverrides> read_limits(const boost::json::value& value, const std::string& path);

// [{"path", "content", "encoding", "executable"}]
Result<std::vector<File>> read_files(const boost::json::value& value, const std::string& path);
// {"NAME": "value"}, as "NAME=value".
Result<std::vector<std::string>> read_environment(const boost::json::value& value,
                                                  const std::string& path);

// A text, or {"content", "encoding": "utf-8"|"base64"}.
Result<std::string> read_content(const boost::json::value& value, const std::string& path);

}  // namespace belljar::api
