// What a session comes to before it is begun: a run whose program is the driver of its language.
#pragma once

#include "engine/plan.h"

namespace belljar::engine {

struct PlannedSession {
  Plan plan;              // its manifest is that of the code's language
  Submission submission;  // with the driver among its files
};

// kInvalid where the language has no sessions; else as plan_submission().
Result<PlannedSession> plan_session(const runtime::Catalog& catalog,
                                    const Policy& policy,
                                    const Submission& submission);

}  // namespace belljar::engine
