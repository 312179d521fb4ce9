// Enter: the child's side of making a cell, from clone to the program's first instruction.
//
// Runs in: the clone of the warden. No heap, no exceptions, no library that takes a lock: only
// system calls over the arrays of the LaunchPlan. Every step is done and then read back; the first
// that fails ends everything and is reported by its name.
#pragma once

#include <cstdint>
#include <string_view>

#include "cell/enter_report.h"
#include "cell/plan.h"

namespace belljar::cell {

std::string_view to_string(EnterStep step);

// clone3(2) flags of pid 1 for this plan.
std::uint64_t clone_flags(const LaunchPlan& plan);

// Never returns: becomes init (and, in a child, the program), or ends with status 125.
[[noreturn]] void enter(const LaunchPlan& plan);

}  // namespace belljar::cell
