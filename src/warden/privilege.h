// Becoming root of what this user may be root of.
//
// Runs in: warden, first thing, single-threaded.
#pragma once

#include "base/result.h"
#include "cell/host.h"

namespace belljar::warden {

// Root stays root. Anybody else becomes root of a user namespace: with a range of subordinate uids
// where /etc/subuid and newuidmap(1) give one, else with the one uid there is. kUnavailable says
// what the host would have to allow.
Result<cell::Privilege> become_root();

}  // namespace belljar::warden
