// The warden's protocol: fixed-size messages over one SOCK_SEQPACKET socket, descriptors alongside.
// The warden trusts nothing in a request. Both ends are the same file, so there is one version.
#pragma once

#include <array>
#include <cstdint>

#include "base/units.h"
#include "model/outcome.h"

namespace belljar::warden {

inline constexpr std::uint32_t kMagic = 0x57314a42;
inline constexpr int kClientFd = 3;  // where a warden that a client starts finds its socket

enum class RequestKind : std::uint32_t {
  kRun = 1,
  kEnd,
  kSignal,   // `signal` to the program, not to its children
  kPool,     // keep up to `cells` finished cells waiting; only on the first connection
  kPrepare,  // a run like this one will come: descriptor: sealed memfd of the spec. Answered once
             // a cell for it waits, or when there will be none
  kConnect,  // one more connection: the descriptor is its SOCK_SEQPACKET socket
  kPause,    // of a session's cell: its processes stop where they stand; answered by kPaused
  kHello,    // asks for one more kHello: of whoever takes a connection over
  kKeep,     // of a session's cell: when its connection ends it is paused and kept for another to
             // adopt. Descriptors: kKeptFds, of the client's. May be sent again
  kAdopt,    // asks for a cell that is kept for whoever comes; answered by kAdopted
  kResume,   // they go on, for at most `wall_ns` and `cpu_ns`; from here a new bill begins
  kFiles,    // of a session's cell that is paused: init answers about its files. Descriptors: the
             // request and where the answer goes, see cell/file_request.h. The answer's end is all
             // there is to say
};

// What a client has of a session and the next one needs: the driver's socket, where stdout and
// stderr are read, and a sealed memfd of whatever else it wants to tell.
inline constexpr std::size_t kKeptFds = 4;

// Why a client ends a cell.
enum class EndReason : std::uint32_t { kNone, kCancelled, kOutputLimit };

// Descriptors of kRun, in this order: sealed memfd of the spec and files, stdin, stdout, stderr,
// then the artifacts pipe and the program if the flags say so.
struct Request {
  std::uint32_t magic = kMagic;
  RequestKind kind{};
  std::uint64_t id = 0;  // the client's name for the cell, unique among its live ones
  EndReason reason{};
  std::int32_t signal = 0;
  std::uint8_t with_artifacts = 0;
  std::uint8_t with_program = 0;
  // A session's cell: past a limit its program gets SIGINT, and is ended only where that does not
  // help; then it can be paused and resumed.
  std::uint8_t session = 0;
  std::uint8_t reserved = 0;
  std::uint32_t cells = 0;
  std::int64_t wall_ns = 0, cpu_ns = 0;
};

enum class ReplyKind : std::uint32_t {
  kHello = 1,  // first message of a warden: what it can do, or why it cannot work
  kEnded,      // all is over: no process of the program is left. With a pool what remains of the
               // cell, its init and its mounts, goes after this answer, else before it
  kRefused,    // nothing was started
  kPrepared,
  kPaused,   // no process of the program runs; `report` is the bill since it was resumed, and its
             // cause the limit that it went past, or kProgram
  kAdopted,  // with kKeptFds; `id` is the cell's from here on. Without: no cell is kept
};

// What ended a cell, in the order of precedence of the verdict.
enum class Cause : std::uint32_t {
  kProgram,   // the program ended by itself
  kSetup,     // a step failed: the program did not start
  kInitLost,  // init ended before its report: the status is not known
  kCancelled,
  kOutputLimit,
  kMemoryLimit,
  kCpuTime,
  kWallTime,
};

inline constexpr std::size_t kMaxDenied = 24;
struct Denied {
  std::int32_t number = 0;
  std::uint32_t count = 0;
};

struct CellReport {
  Cause cause{};
  std::int32_t wait_status = 0;  // of the program, wait(2)
  std::uint8_t started = 0;
  std::uint8_t disk_full = 0;
  std::uint8_t artifacts_more = 0;
  std::uint8_t denied_more = 0;
  Start start = Start::kCold;
  std::uint32_t setup_step = 0;  // cell::EnterStep
  std::int32_t setup_error = 0;  // errno
  std::uint32_t walls = 0;       // WallSet bits
  std::int64_t wall_ns = 0, cpu_ns = 0, user_ns = 0, system_ns = 0, throttled_ns = 0;
  std::uint64_t peak_memory = 0, peak_processes = 0, oom_kills = 0, process_limit_hits = 0;
  std::uint64_t throttled_periods = 0, leftovers = 0;
  std::int64_t build_ns = 0, run_ns = 0, collect_ns = 0, teardown_ns = 0;
  std::uint32_t denied_count = 0;
  std::array<Denied, kMaxDenied> denied{};
};

struct HostReport {
  std::array<char, 64> kernel{};
  std::array<char, 16> cgroup_mode{};
  std::array<char, 8> freezer{};  // cell::CgroupHost::freezer()
  std::int32_t landlock_abi = 0;
  std::uint32_t rootless = 0;
  std::uint32_t walls = 0;  // what cells of this warden can have
};

struct Reply {
  std::uint32_t magic = kMagic;
  ReplyKind kind{};
  std::uint64_t id = 0;
  std::uint32_t error_code =
      0;  // belljar::Code, for kRefused and a failed kHello (then `text` is not empty)
  std::array<char, 256> text{};
  std::uint32_t was_running = 0;  // kAdopted: it was not paused when its client went
  HostReport host{};
  CellReport report{};
};

}  // namespace belljar::warden
