// Plan: what a submission comes to, before anything is run: language, toolchain, stages, limits.
#pragma once

#include <vector>

#include "base/result.h"
#include "model/policy.h"
#include "model/submission.h"
#include "runtime/catalog.h"
#include "runtime/stages.h"
#include "runtime/toolchain.h"

namespace belljar::engine {

struct Plan {
  runtime::Manifest manifest;
  runtime::Toolchain toolchain;
  std::vector<File> files;  // of Belljar's own, besides the submission's
  runtime::Stages stages;   // their limits are within the policy's maximum
};

// Everything that can be said against a submission without running it. kInvalid names the field,
// kDenied the limit, kUnavailable the package that would bring the toolchain.
Result<Plan> plan_submission(const runtime::Catalog& catalog,
                             const Policy& policy,
                             const Submission& submission);

}  // namespace belljar::engine
