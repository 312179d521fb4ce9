// Cgroups: limits, bill and membership of a cell, one interface over v1, hybrid and v2 hosts.
//
// Each controller is looked for on its own, so that a host with memory on v1 and cpu on v2 works
// too. A v2 tree without controllers still gives membership, cgroup.kill (kernel 5.14) and the bill
// (cpu.stat). Layout: <hierarchy>/belljar/<slot>, and inside it `user` for the program and, on v2
// with controllers (where inner nodes hold no processes, cgroups(7)), `init` for the cell's init.
// The v2 groups of a zygote's cells are in its branch, <hierarchy>/belljar/<branch>/belljar/<slot>.
//
// Nothing here moves a process. On v2 the processes of a cell are born inside (CLONE_INTO_CGROUP,
// kernel 5.7); on v1 each joins by itself, single-threaded, by writing "0" to a kept-open `tasks`
// file: moving oneself takes no global lock (kernel 5.4), while moving another process stalls for
// an RCU grace period.
//
// Runs in: warden. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "base/units.h"
#include "model/policy.h"
#include "model/wall.h"

namespace belljar::cell {

// So long the last processes of a group that was killed may take to leave it.
inline constexpr Nanoseconds kRemovalPatience = std::chrono::seconds(2);

enum class Controller : std::uint8_t { kMemory, kPids, kCpu, kCpuacct };
inline constexpr int kControllerCount = 4;

struct CgroupUsage {
  std::optional<Nanoseconds> cpu, user, system;  // absent: no counter on this host
  std::uint64_t peak_memory = 0;
  std::uint64_t peak_processes = 0;
  std::uint64_t oom_kills = 0;
  std::uint64_t process_limit_hits = 0;
  std::uint64_t throttled_periods = 0;
  Nanoseconds throttled{};
};

// A branch of the v2 tree for one who is not the warden and makes cells: a zygote. Who clones a
// process into a group must be allowed to move one from its own group there
// (cgroup_attach_permissions(), kernel/cgroup/cgroup.c): so the zygote lives in the branch, and the
// branch is its own. On a host without a v2 tree it is nothing.
//
// Destroying it removes the directories; its processes must have ended, and its slots be gone.
class CgroupBranch {
 public:
  CgroupBranch() = default;
  CgroupBranch(CgroupBranch&&) = default;
  CgroupBranch& operator=(CgroupBranch&&) = default;
  ~CgroupBranch();

  // v2 directory for CLONE_INTO_CGROUP of its owner; -1: none.
  [[nodiscard]] int birthplace() const { return home_.get(); }

 private:
  friend class CgroupHost;
  std::string slots_;  // where its slots are made
  uid_t owner_ = 0;
  Fd home_;
  std::vector<std::string> directories_;  // parents before children
};

// The cgroups of one cell. Destroying it kills what is left inside and removes the directories.
class CgroupSlot {
 public:
  CgroupSlot() = default;
  CgroupSlot(CgroupSlot&&) = default;
  CgroupSlot& operator=(CgroupSlot&&) = default;
  ~CgroupSlot();

  // Writes every limit that this host can hold and reads each back; a value that did not stick is
  // an error. `without` leaves limits out by name.
  Status set_limits(const Limits& limits, WallSet without);
  // The walls that set_limits put up, and the bill.
  [[nodiscard]] WallSet walls() const { return walls_; }

  // How many hierarchies the cell has a directory in.
  [[nodiscard]] unsigned hierarchies() const { return hierarchies_; }

  // What the launch needs. Descriptors stay owned by the slot; -1 or empty where there is none.
  [[nodiscard]] int init_birthplace() const;  // v2 directory for CLONE_INTO_CGROUP of the init
  [[nodiscard]] int user_birthplace() const;  // … of the program
  [[nodiscard]] std::vector<int> init_tasks() const;  // v1 `tasks` files the init joins
  [[nodiscard]] std::vector<int> user_tasks() const;  // … the program joins

  // An eventfd that becomes readable when the kernel runs out of the cell's memory (v1), or an
  // inotify descriptor on memory.events (v2); -1 where there is no memory controller.
  [[nodiscard]] int memory_event() const { return memory_event_.get(); }
  // Whether that event may also mean something else, so that the OOM counter has to be asked.
  [[nodiscard]] bool memory_event_needs_count() const { return memory_event_counts_; }

  [[nodiscard]] Result<CgroupUsage> usage() const;
  // Processor time so far; cheap, for polling. Absent where there is no counter.
  [[nodiscard]] std::optional<Nanoseconds> cpu_time() const;
  // Stops the program's processes where they stand, or lets them go on: in the v2 tree (kernel
  // 5.2), also on hybrid hosts, where what is stopped can still be killed; else by the v1 freezer.
  // It takes a moment, and is to be asked for: the kernel tells of it up to 10 ms late
  // (cgroup_file_notify()).
  [[nodiscard]] Status freeze(bool stop) const;
  [[nodiscard]] Result<bool> is_frozen() const;
  // What the v1 freezer holds dies only once it is let go (freezer-subsystem.rst): SIGKILL waits
  // for each of its processes before that, so that none of them runs again. Nothing on v2.
  void kill_frozen() const;
  // Gives the host some of the memory that it can have without asking anybody: pages of files that
  // can be read again. False: there is no more of it, or no way to it (memory.reclaim of v2, kernel
  // 5.19). Takes a few milliseconds.
  [[nodiscard]] bool reclaim_some() const;
  // Closes what only a launch needs, and what is opened again when it is read: for a cell that is
  // there for long. No other cell can have the slot after it.
  void rest();
  // Lifts the processor share so that killed processes die at once.
  void lift_cpu_limit();
  // SIGKILL to every process in the slot, by cgroup.kill where there is a v2 tree.
  void kill_all() const;
  // Whether no process is in it. One that was killed leaves a moment after it was reaped.
  [[nodiscard]] bool is_empty() const;
  // Only when empty: makes it ready for one more cell, or answers that it is not fit for one. It is
  // where no count of the last cell would be in the bill of the next: there was one process in it,
  // as far as the kernel counts them (6.6), no limit was hit, and next to no memory is left. What
  // only grows (processor time, throttling) is for the caller to take off. Not where memory is on
  // v2, whose peak stays.
  [[nodiscard]] bool renew();
  [[nodiscard]] bool is_renewed() const { return renewed_; }
  // Removes the directories; kInternal names one that is still populated after `patience`.
  Status remove(Nanoseconds patience);

 private:
  friend class CgroupHost;
  struct Directory {
    std::string path;
    bool v2 = false;
    Fd fd;  // O_DIRECTORY
    // Files that were read once: of those of a slot that serves many cells the same few are read
    // again and again.
    mutable std::vector<std::pair<std::string, Fd>> open{};
  };
  static Result<std::string> read(const Directory& directory, const char* file);
  static Result<std::uint64_t> read_number(const Directory& directory, const char* file);
  // Index into directories_ per controller, or -1.
  std::array<int, kControllerCount> place_{-1, -1, -1, -1};
  int freezer_ = -1;       // index of the v1 freezer's directory, where there is no v2 tree
  int unified_ = -1;       // index of the v2 slot directory
  int unified_user_ = -1;  // … of its `user`
  int unified_init_ = -1;  // … of its `init`; equal to unified_ where no controller is on v2
  std::vector<Directory> directories_;  // parents before children
  std::vector<Fd> init_tasks_, user_tasks_;
  Fd cpu_usage_;  // kept open for polling
  bool cpu_usage_v2_ = false;
  Fd memory_event_;
  bool memory_event_counts_ = false;
  WallSet walls_;
  unsigned hierarchies_ = 0;
  struct Held {
    std::uint64_t memory, processes, cpus_milli;
    WallSet without;
    bool operator==(const Held&) const = default;
  };
  std::optional<Held> held_;  // the limits that were written and read back
  bool renewed_ = false;

  [[nodiscard]] const Directory& at(int index) const {
    return directories_[static_cast<std::size_t>(index)];
  }
  // None where the host does not have it.
  [[nodiscard]] const Directory* directory(Controller controller) const;
};

// The cgroup hierarchies of this host, found once.
class CgroupHost {
 public:
  // Never fails: a host without usable cgroups gives mode "none". `owner` is where a rootless
  // warden was started; see docs/operations.md for delegation.
  static CgroupHost detect();

  [[nodiscard]] std::string_view mode() const;  // "v2", "hybrid", "v1", "none"
  // What slots are frozen by: "v2", "v1" where there is no v2 tree, "none".
  [[nodiscard]] std::string_view freezer() const;
  [[nodiscard]] bool can_freeze() const { return freezer() != "none"; }
  // Walls that slots of this host can put up.
  [[nodiscard]] WallSet walls() const;
  // Why a controller is missing, for `belljar doctor`; empty when all are there.
  [[nodiscard]] const std::vector<std::string>& gaps() const { return gaps_; }

  // A fresh slot; the name must be unique on this host (the uid lease sees to that). A directory of
  // that name left by a warden that was killed is emptied and removed first.
  // In a branch it is that one's owner who clones the cell's processes.
  Result<CgroupSlot> make_slot(std::string_view name, const CgroupBranch* branch = nullptr) const;
  // One of that name that is there already is swept.
  Result<CgroupBranch> make_branch(std::string_view name, uid_t owner) const;

  // Names of the slots and branches that exist now, in any hierarchy.
  [[nodiscard]] std::vector<std::string> slot_names() const;
  // Kills and removes a slot or a branch by name: for what a killed warden left behind.
  void sweep(std::string_view name) const;

 private:
  struct Hierarchy {
    std::string parent;  // …/belljar
    bool v2 = false;
    bool controllers = false;  // v2 with controllers enabled for the slots
    bool freezer = false;      // v1 that slots are frozen in
  };
  std::vector<Hierarchy> hierarchies_;
  std::array<int, kControllerCount> home_{-1, -1, -1, -1};
  int unified_ = -1;
  std::vector<std::string> gaps_;
};

}  // namespace belljar::cell
