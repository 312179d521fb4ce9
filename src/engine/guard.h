// Guards: what a policy has an interpreter keep from a program's own code while it runs. A program
// of ours becomes the interpreter's script and runs the submission's entry; it goes into /box
// beside that, and removes its own file. Pure.
#pragma once

#include <string_view>

#include "base/result.h"
#include "engine/plan.h"
#include "model/policy.h"
#include "model/submission.h"

namespace belljar::engine {

// The name of its file in a cell, until it has begun.
inline constexpr std::string_view kGuardName = ".belljar-guard.py";
// Entries that end so are code objects as Python's marshal writes them, where the language has
// guards: the same program reads them, in the cell.
inline constexpr std::string_view kMarshalled = ".marshal";

// Changes a plan into one under the policy's guard; nothing where there is none for the language.
Status apply_guard(const Policy& policy, const Submission& submission, Plan& plan);

}  // namespace belljar::engine
