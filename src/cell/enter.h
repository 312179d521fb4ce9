// Enter: the child's side of making a cell, from clone to the program's first instruction.
//
// Runs in: the clone of the warden. No heap, no exceptions, no library that takes a lock: only
// system calls over the arrays of the LaunchPlan. Every step is done and then read back; the first
// that fails ends everything and is reported by its name.
#pragma once

#include <cstdint>
#include <string_view>

#include "cell/plan.h"

namespace belljar::cell {

// In the order in which they are done. The first group is done by pid 1, the second by the
// program's process, the third by pid 1 again on its way to become init.
enum class EnterStep : std::uint32_t {
  kUserMap,
  kSignals,
  kDescriptors,
  kNetwork,
  kClocks,
  kOomScore,
  kMemoryGroup,
  kPropagation,
  kRoot,
  kSystem,
  kDevices,
  kScratch,
  kProc,
  kSmallFiles,
  kFiles,
  kPivot,
  kReadOnly,
  kVerifyMounts,
  kHostname,
  kProgramProcess,

  kLimitGroups,
  kVerifyGroups,
  kCgroupNamespace,
  kTerminal,
  kStdio,
  kIdentity,
  kParentDeath,
  kNoNewPrivs,
  kLandlock,
  kSpareDescriptors,
  kRlimits,
  kSeccomp,
  kGo,
  kHandover,
  kExec,

  kInitIdentity,
  kInitDescriptors,
  kInitFilter,
  kInitExec,
};
std::string_view to_string(EnterStep step);

// What the child sends over LaunchFds::report. The end of that stream without a failure means that
// both executions have happened.
struct EnterReport {
  enum class Kind : std::uint32_t {
    kFailed = 1,  // `step` failed with `error`
    kListener,    // one descriptor comes along: the seccomp listener
    kParked,      // every lock is on and the program's process waits for its run
    kTaken,       // it has come: a cell that ends before it says this has run nothing
  } kind{};
  EnterStep step{};
  std::int32_t error = 0;
};

// clone3(2) flags of pid 1 for this plan.
std::uint64_t clone_flags(const LaunchPlan& plan);

// Never returns: becomes init (and, in a child, the program), or ends with status 125.
[[noreturn]] void enter(const LaunchPlan& plan);

}  // namespace belljar::cell
