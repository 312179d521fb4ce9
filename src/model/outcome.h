// Outcome: what happened, per stage. A value, never an error: a guest's death is an answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "model/policy.h"
#include "model/submission.h"
#include "model/wall.h"

namespace belljar {

enum class StageKind : std::uint8_t { kCompile, kRun };

enum class RunStatus : std::uint8_t {
  kOk,            // exit code 0
  kRuntimeError,  // another exit code
  kSignalled,     // ended by a signal that Belljar did not send
  kTimeout,       // a clock ran out; StageOutcome::clock says which
  kMemoryLimit,
  kOutputLimit,
  kDiskLimit,
  kCompileError,  // the compiler answered with another exit code than 0
  kRejected,      // refused before any cell was made
  kSetupError,    // a control could not be put up: the program did not start
  kCancelled,     // ended on the client's word
};

enum class Clock : std::uint8_t { kWall, kCpu };

// What was there already when a stage began.
enum class Start : std::uint8_t {
  kCold,         // nothing: the cell was made for it
  kCell,         // a finished cell
  kInterpreter,  // a finished cell with the interpreter up in it
};

struct Stream {
  std::string data;               // at most limits.output bytes, raw
  std::uint64_t total_bytes = 0;  // what was produced before the end
  bool truncated = false;         // total_bytes > data.size()
};

struct Usage {
  Nanoseconds wall{};
  Nanoseconds cpu{};  // user + system, of the cell as a whole
  Nanoseconds user{};
  Nanoseconds system{};
  std::uint64_t peak_memory = 0;  // bytes
  std::uint64_t peak_processes = 0;
  std::uint64_t oom_kills = 0;
  std::uint64_t throttled_periods = 0;
  Nanoseconds throttled{};
};

// Things that happened besides the status.
struct Events {
  std::uint64_t process_limit_hits = 0;  // forks refused by limits.processes
  std::uint64_t leftover_processes = 0;  // still alive when the main process ended; killed
  bool disk_full = false;                // /box, /tmp or /dev/shm had no room at the end
  bool cpu_bill_partial = false;         // no cgroup counter here: only reaped children are billed
};

struct DeniedSyscall {
  std::string name;
  std::uint64_t count = 0;
  bool operator==(const DeniedSyscall&) const = default;
};

struct Phases {
  Nanoseconds queue{};  // waiting for a place
  Nanoseconds build{};  // making the cell, until the program's first instruction
  Nanoseconds run{};
  Nanoseconds collect{};   // bringing files back
  Nanoseconds teardown{};  // 0 where it comes after the answer
};

struct StageOutcome {
  StageKind kind = StageKind::kRun;
  Start start = Start::kCold;
  RunStatus status = RunStatus::kSetupError;
  bool cached = false;  // no cell was made: this is what an earlier compile of the same input was
  std::string reason;   // one line for people: names the limit or the control
  std::optional<Clock> clock;  // for kTimeout
  std::optional<int> exit_code;
  std::optional<int> signal;
  Stream out;
  Stream err;
  Usage usage;
  Events events;
  std::vector<DeniedSyscall> denied;
  bool denied_more = false;  // counting stopped at a bound: there were more
  Phases phases;
  Limits limits;  // what was enforced
  WallSet walls;  // what stood
};

struct HostFacts {
  std::string kernel;       // uname -r
  std::string cgroup_mode;  // "v2", "hybrid", "v1", "none"
  int landlock_abi = 0;     // 0: the kernel has none
  bool rootless = false;
};

struct Outcome {
  RunStatus status = RunStatus::kSetupError;  // of the stage that decided
  std::string reason;
  std::string language;
  std::string toolchain;  // first line of the toolchain's own version answer
  std::string policy;
  std::vector<StageOutcome> stages;
  std::vector<File> artifacts;
  bool artifacts_truncated = false;  // more matched than limits.artifacts allows
  HostFacts host;
};

std::string_view to_string(RunStatus status);  // "ok", "runtime_error", ...
std::string_view to_string(StageKind kind);
std::string_view to_string(Clock clock);
std::string_view to_string(Start start);  // "cold", "cell", "interpreter"
std::string signal_name(int signal);      // "SIGSEGV", "SIGRTMIN+3"

// One line for people: "timeout (cpu): used 1.00 s of 1.00 s".
std::string summary(const Outcome& outcome);
// Whether streams come in base64 too.
enum class Base64 : std::uint8_t { kWhereNeeded, kAlways };

// The whole outcome as one JSON object, described in docs/outcome.md: one line, always valid UTF-8,
// harmless on a terminal. Bytes that are not valid UTF-8 become U+FFFD in "text" and stand exactly
// in "base64", which is present only then; a character that truncation cut in half is left out.
std::string to_json(const Outcome& outcome, Base64 base64 = Base64::kWhereNeeded);

}  // namespace belljar
