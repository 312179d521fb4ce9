// The identity steps of cell::enter: who the processes are and what they may become.
// Runs in: the clone of the warden; no heap. Each answers false with errno set.
#pragma once

#include "cell/plan.h"

namespace belljar::cell {

// The program: leased uid and gid, no groups, no capability of any set, locked secure bits. All of
// it is read back.
bool become_user(const LaunchPlan& plan);
bool die_with_parent();
bool no_new_privs(const LaunchPlan& plan);

}  // namespace belljar::cell
