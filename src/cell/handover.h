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

// The descriptors of a parked cell's program process.
struct ParkedFds {
  int report = -1;  // to the warden, as LaunchFds::report
  int park = -1;    // where the run comes
  int box = -1;     // Channels::box
};

// A run that has come: its files are written, its streams are 0, 1 and 2.
struct TakenRun {
  CellSpec spec;
  int program = -1;  // -1: by path
};

// Tells the warden that the cell waits, and waits. Where a step fails the warden is told and the
// process ends. The heap is allowed here: this process is behind every lock, and what it runs
// replaces it. Runs in: the cell, as pid 2.
TakenRun take_run(const ParkedFds& fds);

// Executes it. Runs in: the cell, as pid 2.
[[noreturn]] void execute_run(const TakenRun& run, const Steps& steps);

// The program's process of a parked cell: waits, and runs what comes, or becomes the interpreter
// that does both. Runs in: the cell, as pid 2, single-threaded. See cell/enter.h.
[[noreturn]] void wait_for_run(const LaunchPlan& plan,
                               const Steps& steps,
                               const Channels& channels);

}  // namespace belljar::cell
