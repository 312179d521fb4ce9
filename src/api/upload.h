// Upload: an archive as a submission, as the body itself or as a part of a form.
#pragma once

#include <optional>

#include "api/http.h"
#include "api/run_request.h"

namespace belljar::api {

struct Upload {
  std::string archive;
  RunRequest request;  // everything but the files
};

// Nothing where the request's body is neither an archive nor a form. With application/zip, x-tar,
// gzip and x-gzip the query has what JSON has else: language, entry, policy, stdin, and any number
// of arg, env, limit, artifact, label. A multipart/form-data body (RFC 7578) has the part
// "archive", and may have "run" with the JSON of a run without files.
Result<std::optional<Upload>> read_upload(const Request& request);

}  // namespace belljar::api
