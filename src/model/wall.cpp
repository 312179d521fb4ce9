#include "model/wall.h"

#include "base/text.h"

namespace belljar {
namespace {

struct Description {
  Wall wall;
  std::string_view name;
  std::string_view sentence;
};

constexpr std::array<Description, kWallCount> kDescriptions{{
    {Wall::kPidNamespace, "pid-namespace",
     "The program sees and can signal only the processes of its own cell."},
    {Wall::kMountNamespace, "mount-namespace",
     "The program sees only the mounts made for its cell and cannot change those of the host."},
    {Wall::kNetNamespace, "net-namespace",
     "The program has a network stack of its own, without any way out."},
    {Wall::kIpcNamespace, "ipc-namespace",
     "Shared memory, semaphores and message queues of other cells and of the host are out of "
     "reach."},
    {Wall::kUtsNamespace, "uts-namespace", "The program sees a host name of its own."},
    {Wall::kCgroupNamespace, "cgroup-namespace",
     "The program cannot see where in the host's cgroup tree it runs."},
    {Wall::kTimeNamespace, "time-namespace",
     "The cell's monotonic and boot clocks do not tell how long the host has been up."},
    {Wall::kPrivateRoot, "private-root",
     "The root file system is read-only, and no other cell can be reached through locks or watches "
     "on its files."},
    {Wall::kPrivateDevices, "private-devices",
     "The few device nodes of the cell are its own and not the host's."},
    {Wall::kProc, "proc", "/proc belongs to the cell and shows nothing but its own processes."},
    {Wall::kOwnUid, "own-uid",
     "The program runs under a host user id that no other cell and no person has."},
    {Wall::kInitUid, "init-uid",
     "The process that watches the program from inside the cell has a user id that the program "
     "cannot become."},
    {Wall::kNoCapabilities, "no-capabilities",
     "The program has no capability and no way to gain one."},
    {Wall::kNoNewPrivs, "no-new-privs",
     "No program started in the cell gains privileges from set-user-id bits or file capabilities."},
    {Wall::kLandlock, "landlock",
     "Landlock refuses every path outside those the policy names, whatever the mounts allow."},
    {Wall::kLandlockScope, "landlock-scope",
     "Landlock lets no signal and no connection to an abstract socket leave the cell."},
    {Wall::kSeccomp, "seccomp", "System calls that are not in the profile are refused."},
    {Wall::kMemoryLimit, "memory-limit",
     "A cgroup bounds the memory of the cell as a whole, swap excluded."},
    {Wall::kProcessLimit, "process-limit",
     "A cgroup bounds the number of processes and threads of the cell as a whole."},
    {Wall::kCpuLimit, "cpu-limit",
     "A cgroup bounds the share of the processors that the cell as a whole may take."},
    {Wall::kCpuBill, "cpu-bill",
     "A cgroup counts the processor time of the cell as a whole, children that nobody waits for "
     "included."},
    {Wall::kRlimits, "rlimits",
     "Resource limits of each process bound what no cgroup counts: open files, file size, stack, "
     "locked memory, core dumps."},
}};

constexpr bool in_order() {
  for (int i = 0; i < kWallCount; ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (static_cast<std::size_t>(kDescriptions[at].wall) != at) return false;
  }
  return true;
}
static_assert(in_order(), "a wall's description is found by its number");

const Description& describe(Wall wall) {
  return kDescriptions[static_cast<std::size_t>(wall)];
}

}  // namespace

std::string_view to_string(Wall wall) {
  return describe(wall).name;
}

std::string_view explain(Wall wall) {
  return describe(wall).sentence;
}

Result<Wall> parse_wall(std::string_view name) {
  std::string known;
  for (const Description& description : kDescriptions) {
    if (description.name == name) return description.wall;
    if (!known.empty()) known += ", ";
    known += description.name;
  }
  return fail(Code::kInvalid, "no wall is called " + quote(name) + "; there are " + known);
}

std::vector<std::string> WallSet::names() const {
  std::vector<std::string> names;
  for (const Description& description : kDescriptions) {
    if (has(description.wall)) names.emplace_back(description.name);
  }
  return names;
}

Result<WallSet> parse_walls(std::string_view text) {
  if (text == "FULL") return WallSet::full();
  WallSet walls;
  while (true) {
    const std::size_t comma = text.find(',');
    TRY_ASSIGN(const Wall wall, parse_wall(text.substr(0, comma)));
    walls.add(wall);
    if (comma == std::string_view::npos) return walls;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace belljar
