// What the warden and a zygote say to each other over one SOCK_SEQPACKET socket: fixed-size
// structs, descriptors alongside. Both ends are one build. The warden trusts nothing that a zygote
// says: it runs modules that an operator named.
#pragma once

#include <array>
#include <cstdint>

namespace belljar::cell {

inline constexpr int kZygoteSocketFd = 3;  // in the zygote
inline constexpr int kZygoteSinkFd = 4;    // the other end of its stdout, which nobody reads
// The names of modules to import, separated by commas.
inline constexpr const char* kZygotePreload = "BELLJAR_PRELOAD";
// The script that the interpreter is told to run. There is none: opening it is when the zygote
// begins, with the interpreter set up and nothing on its stack.
inline constexpr const char* kZygoteScript = "/box/main.py";
inline constexpr const char* kZygoteLibrary = "/zygote.so";
// Folders of the zygote's own root, for its cells. Each has device nodes of its own, and a root of
// two layers: its own /etc/passwd and /etc/group, and below them what is the same for all.
inline constexpr const char* kZygoteDevices = "/run/dev";
inline constexpr const char* kZygoteCellRoots = "/run/cell";
inline constexpr const char* kZygoteRoot = "/run/root";
inline constexpr const char* kZygoteNothing = "/run/nothing";  // stays empty
// No name leads to it in a cell: how Landlock is read back there.
inline constexpr const char* kZygoteProbe = "/run/probe";

// Uids of one zygote: 0 of its user namespace, then two per cell.
inline constexpr unsigned kZygoteCells = 127;
inline constexpr unsigned kZygoteUids = 2 * kZygoteCells + 2;
// In its user namespace: the program's of a cell; init's is the next.
constexpr unsigned zygote_user(unsigned cell) {
  return 1 + 2 * cell;
}

// Descriptors, in this order: the class as a sealed spec, report, control, park, then, where
// `born_in_groups`, the v2 groups that the cell's init and its program are born in, then, where
// `joins_network`, the network namespace that it enters, and then the `tasks` files that the two
// join.
struct ZygoteRequest {
  std::uint64_t id = 0;
  std::uint32_t cell = 0;          // which of its cells: uids and devices
  std::uint32_t cgroup_walls = 0;  // WallSet bits
  std::uint32_t hierarchies = 0;
  std::uint32_t born_in_groups = 0;  // 1 or 0
  std::uint32_t joins_network = 0;   // 1, or 0: it makes a new one
  std::uint32_t init_tasks = 0;
  std::uint32_t user_tasks = 0;
  std::array<char, 40> mark{};  // LaunchPlan::cgroup_mark
};

struct ZygoteMessage {
  enum class Kind : std::uint32_t {
    kMapMe = 1,  // it is in its user namespace and waits for the maps
    kReady,      // everything is imported
    kBorn,       // answer to a request: one descriptor, the pidfd of the cell's init
    kFailed,     // of a request, or before kReady of the zygote itself
  } kind{};
  std::uint64_t id = 0;
  std::uint32_t walls = 0;  // WallSet bits of the cell
  std::int32_t error = 0;   // errno
  std::array<char, 128> text{};
};

}  // namespace belljar::cell
