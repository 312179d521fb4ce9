// RunRequest: what the options and operands of `belljar run` ask for, read and checked.
#pragma once

#include <cstddef>

#include "app/arguments.h"
#include "base/result.h"
#include "model/policy.h"
#include "model/submission.h"
#include "runtime/catalog.h"
#include "warden/client.h"

namespace belljar::app {

struct RunRequest {
  runtime::Catalog catalog;
  Policy policy;
  Submission submission;
  std::size_t links_left_out = 0;  // symbolic links of a directory
};

// Options that cannot stand together, before anything is read.
Status check_combinations(const Arguments& arguments);

// The warden unpacks archives, in a cell of its own.
Result<RunRequest> read_request(const Arguments& arguments, warden::Client& warden);

// "default", or a path such as "./my.toml".
Result<Policy> read_policy(std::string_view name_or_path);

}  // namespace belljar::app
