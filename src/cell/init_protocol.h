// What the warden and a cell's init say to each other over their private SOCK_SEQPACKET socket, and
// where init finds its descriptors and arguments. Fixed-size structs; both ends are one build.
#pragma once

#include <cstdint>

namespace belljar::cell {

// Descriptors of init when it is executed; nothing else is open.
inline constexpr int kInitControlFd = 3;  // the socket
inline constexpr int kInitGoFd = 4;       // one byte here lets the program start

// Open until the execution of init, its image; and until every lock of it is on, the report of
// cell::enter.
inline constexpr int kInitImageFd = 5;
inline constexpr int kInitReportFd = 6;

// argv of init: name, its own uid, the program's, artifact bytes, artifact files, globs…
inline constexpr int kInitArgOwn = 1;
inline constexpr int kInitArgUser = 2;
inline constexpr int kInitArgBytes = 3;
inline constexpr int kInitArgFiles = 4;
inline constexpr int kInitArgGlobs = 5;

enum class InitCommand : std::uint32_t {
  kKill = 1,  // end every process of the cell but init
  kCollect,   // only after kEmpty: write the bundle of the wanted files to the descriptor that
              // comes along
  kExit,
  kFiles,  // of a session whose processes are frozen: answer the request (cell/file_request.h) in
           // the first descriptor that comes along to the second
  kSignal = 0x100,  // plus the signal's number: to the program alone; answered with kSignalled
};

// The command that sends `signal`, 1 to 64.
constexpr InitCommand signal_command(int signal) {
  // NOLINTNEXTLINE(clang-analyzer-optin.core.EnumCastOutOfRange): one of a family, see kSignal.
  return static_cast<InitCommand>(static_cast<std::uint32_t>(InitCommand::kSignal) +
                                  static_cast<std::uint32_t>(signal));
}

enum class InitEvent : std::uint32_t {
  kEmpty = 1,  // the program has ended and no process but init is left
  kCollected,
  kFilesDone,
  kSignalled,  // the program has the signal, or has ended
};

struct InitReport {
  InitEvent event{};
  std::int32_t wait_status = 0;         // of the program, as wait(2) gives it
  std::uint64_t leftovers = 0;          // processes that outlived the program and were killed
  std::uint64_t user_microseconds = 0;  // reaped children only: used where no cgroup bills
  std::uint64_t system_microseconds = 0;
  std::uint64_t max_resident_kib = 0;  // of the largest process
  std::uint32_t disk_full = 0;         // /box, /tmp or /dev/shm has no block or inode left
  std::uint32_t more = 0;              // kCollected: there was more than the limits allow
};

}  // namespace belljar::cell
