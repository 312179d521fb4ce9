// The last locks of cell::enter: Landlock, resource limits, seccomp.
// Runs in: the clone of the warden; no heap. Each answers false with errno set.
#pragma once

#include "cell/plan.h"

namespace belljar::cell {

// `probe` is an O_PATH descriptor of a readable file that no rule covers: it must open before the
// ruleset is enforced and must not after.
bool landlock(const LaunchPlan& plan, int probe);
// Never above what the warden has itself; each is read back.
bool limit_resources(const LaunchPlan& plan);
// Installs the program's filter and hands the listener, if there is one, to the warden.
bool filter_calls(const LaunchPlan& plan);

}  // namespace belljar::cell
