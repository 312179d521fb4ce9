// EnterReport: what a cell that is being made tells the warden, and the names of the steps.
// Included by init too, which has no library below it.
#pragma once

#include <cstdint>

namespace belljar::cell {

// In the order in which they are done. The first group is done by pid 1, the second by the
// program's process, the third by pid 1 again on its way to become init, the last by init itself.
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
  kInterpreter,
  kHandover,
  kExec,

  kInitDescriptors,
  kInitExec,

  kInitIdentity,
  kInitLocks,
};

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

}  // namespace belljar::cell
