// Handover: what a parked cell is given when its run comes, in one message over its park socket:
// the sealed spec with the files, stdin, stdout, stderr, and the program if it is a descriptor.
//
// The warden has checked the spec before; it goes on as the same sealed memfd.
#pragma once

#include <span>

#include "base/result.h"
#include "cell/enter_processes.h"
#include "cell/plan.h"
#include "cell/steps.h"

namespace belljar::cell {

// Sends a run to a parked cell: the memfd, stdin, stdout, stderr, and the program or nothing.
// Runs in: warden.
Status send_handover(int park, std::span<const int> fds);

// The program's process of a parked cell: waits, takes its files and streams, and runs. The heap is
// allowed here: this process is single-threaded and behind every lock, and what it runs replaces
// it. Runs in: the cell, as pid 2. See cell/enter.h.
[[noreturn]] void wait_for_run(const LaunchPlan& plan,
                               const Steps& steps,
                               const Channels& channels);

}  // namespace belljar::cell
