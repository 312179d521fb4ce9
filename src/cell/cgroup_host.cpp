#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "base/sys.h"
#include "cell/cgroup.h"
#include "cell/cgroup_files.h"

namespace belljar::cell {
namespace {

constexpr std::string_view kParentName = "belljar";
constexpr std::array<std::string_view, kControllerCount> kControllerNames{"memory", "pids", "cpu",
                                                                          "cpuacct"};

struct CgroupMount {
  std::string point;
  bool v2 = false;
  std::vector<std::string> options;  // v1: the controllers are among them
};

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return parts;
}

bool contains(const std::vector<std::string>& list, std::string_view item) {
  return std::ranges::find(list, item) != list.end();
}

// proc_pid_mountinfo(5): fields before " - " are the mount's, after it the file system's.
std::vector<CgroupMount> cgroup_mounts() {
  std::vector<CgroupMount> mounts;
  const Result<std::string> text = sys::read_file("/proc/self/mountinfo", 4 * kMiB);
  if (!text) return mounts;
  for (const std::string& line : split(*text, '\n')) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    const std::vector<std::string> before = split(std::string_view(line).substr(0, dash), ' ');
    const std::vector<std::string> after = split(std::string_view(line).substr(dash + 3), ' ');
    if (before.size() < 5 || after.size() < 3) continue;
    if (after[0] != "cgroup" && after[0] != "cgroup2") continue;
    mounts.push_back(
        {.point = before[4], .v2 = after[0] == "cgroup2", .options = split(after[2], ',')});
  }
  return mounts;
}

// The cgroup of this process in the v2 tree, relative to the mount: "/" or "/user.slice/…".
std::string own_unified_path() {
  const Result<std::string> text = sys::read_file("/proc/self/cgroup", kMiB);
  if (!text) return "/";
  for (const std::string& line : split(*text, '\n')) {
    if (line.starts_with("0::")) return line.substr(3);
  }
  return "/";
}

// Made, or there already, perhaps by another user: then it is of use only to that one.
bool make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0) return true;
  return errno == EEXIST && ::access(path.c_str(), W_OK) == 0;
}

// Turns on the controllers that the parent has for its children; says which are on afterwards.
std::vector<std::string> enable_controllers(const std::string& directory) {
  const Fd fd = Fd::adopt(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return {};
  for (const std::string_view name : {"memory", "pids", "cpu"}) {
    // A controller that is not there or not delegated is a gap, said by the caller.
    (void)write_cgroup(fd.get(), "cgroup.subtree_control", "+" + std::string(name)).has_value();
  }
  const Result<std::string> on = read_cgroup(fd.get(), "cgroup.subtree_control");
  return on ? split(*on, ' ') : std::vector<std::string>{};
}

// A rootless warden may only build under its own cgroup, and v2 allows controllers only where no
// process sits in the inner node: so the warden and the process that started it step aside into a
// leaf. This happens once, at start-up, never on the way of a run.
void step_aside(const std::string& own) {
  const std::string leaf = own + "/belljar-supervisor";
  if (!make_directory(leaf)) return;
  const Fd fd = Fd::adopt(::open(leaf.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return;
  for (const pid_t pid : {::getpid(), ::getppid()}) {
    if (pid > 1) (void)write_cgroup(fd.get(), "cgroup.procs", std::to_string(pid)).has_value();
  }
}

// Whether a cgroup other than the root of all holds processes of its own. Such a one must not turn
// on controllers: the kernel refuses memory but takes pids and cpu, which makes it the root of a
// threaded subtree whose children can hold no process (cgroups(7), "domain invalid").
bool crowded(const std::string& directory) {
  if (::access((directory + "/cgroup.type").c_str(), F_OK) != 0) return false;
  const Result<std::string> inside = sys::read_file((directory + "/cgroup.procs").c_str(), kMiB);
  return !inside || !inside->empty();
}

// Whoever owns a group's list may bring processes into it, as far as the group above is theirs too.
Status hand_over(const std::string& group, uid_t owner) {
  const std::string list = group + "/cgroup.procs";
  return ::chown(list.c_str(), owner, owner) == 0 ? Status{} : fail_errno("cgroup: chown");
}

}  // namespace

CgroupHost CgroupHost::detect() {
  CgroupHost host;
  std::vector<CgroupMount> mounts = cgroup_mounts();
  // v2 first: what it has need not be looked for on v1, and its cpu.stat is bill enough.
  std::ranges::partition(mounts, [](const CgroupMount& mount) { return mount.v2; });
  for (const CgroupMount& mount : mounts) {
    if (mount.v2) {
      if (host.unified_ >= 0) continue;
      std::string base = mount.point;
      if (::access((base + "/cgroup.procs").c_str(), W_OK) != 0) {
        // Not ours to write at the top: only below our own cgroup, where it was delegated.
        base = mount.point + own_unified_path();
        if (base.ends_with("/")) base.pop_back();
        if (base.ends_with("/belljar-supervisor")) base = base.substr(0, base.rfind('/'));
        if (::access(base.c_str(), W_OK) != 0) continue;
      }
      if (crowded(base)) step_aside(base);
      const std::string parent = base + "/" + std::string(kParentName);
      if (!make_directory(parent)) continue;
      if (!crowded(base)) (void)enable_controllers(base);
      const std::vector<std::string> on = enable_controllers(parent);
      host.unified_ = static_cast<int>(host.hierarchies_.size());
      host.hierarchies_.push_back({.parent = parent, .v2 = true, .controllers = !on.empty()});
      for (int i = 0; i < kControllerCount; ++i) {
        if (contains(on, kControllerNames[static_cast<std::size_t>(i)])) {
          host.home_[static_cast<std::size_t>(i)] = host.unified_;
        }
      }
      continue;
    }
    std::vector<std::size_t> wanted;
    for (std::size_t i = 0; i < kControllerCount; ++i) {
      const bool bill_is_there =
          host.unified_ >= 0 && static_cast<Controller>(i) == Controller::kCpuacct;
      if (host.home_[i] < 0 && !bill_is_there && contains(mount.options, kControllerNames[i])) {
        wanted.push_back(i);
      }
    }
    const bool freezer = host.unified_ < 0 && contains(mount.options, "freezer");
    const std::string parent = mount.point + "/" + std::string(kParentName);
    if ((wanted.empty() && !freezer) || !make_directory(parent)) continue;
    for (const std::size_t i : wanted) host.home_[i] = static_cast<int>(host.hierarchies_.size());
    host.hierarchies_.push_back({.parent = parent, .freezer = freezer});
  }
  for (int i = 0; i < 3; ++i) {
    if (host.home_[static_cast<std::size_t>(i)] < 0) {
      host.gaps_.push_back("no writable cgroup with the " +
                           std::string(kControllerNames[static_cast<std::size_t>(i)]) +
                           " controller");
    }
  }
  return host;
}

std::string_view CgroupHost::mode() const {
  const bool v2 = unified_ >= 0;
  const bool v1 = std::ranges::any_of(hierarchies_, [](const Hierarchy& h) { return !h.v2; });
  return v2 && v1 ? "hybrid" : v2 ? "v2" : v1 ? "v1" : "none";
}

std::string_view CgroupHost::freezer() const {
  if (unified_ >= 0) return "v2";
  return std::ranges::any_of(hierarchies_, &Hierarchy::freezer) ? "v1" : "none";
}

WallSet CgroupHost::walls() const {
  WallSet walls;
  const auto has = [&](Controller controller) {
    return home_[static_cast<std::size_t>(controller)] >= 0;
  };
  if (has(Controller::kMemory)) walls.add(Wall::kMemoryLimit);
  if (has(Controller::kPids)) walls.add(Wall::kProcessLimit);
  if (has(Controller::kCpu)) walls.add(Wall::kCpuLimit);
  if (unified_ >= 0 || has(Controller::kCpuacct)) walls.add(Wall::kCpuBill);
  return walls;
}

std::vector<std::string> CgroupHost::slot_names() const {
  std::vector<std::string> names;
  for (const Hierarchy& hierarchy : hierarchies_) {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(hierarchy.parent, ignored)) {
      if (!entry.is_directory(ignored)) continue;
      const std::string name = entry.path().filename();
      if (!contains(names, name)) names.push_back(name);
    }
  }
  return names;
}

Result<CgroupBranch> CgroupHost::make_branch(std::string_view name, uid_t owner) const {
  CgroupBranch branch;
  if (unified_ < 0) return branch;
  const Hierarchy& hierarchy = hierarchies_[static_cast<std::size_t>(unified_)];
  const std::string top = hierarchy.parent + "/" + std::string(name);
  const std::string home = top + "/zygote";
  branch.slots_ = top + "/" + std::string(kParentName);
  branch.owner_ = owner;
  if (::access(top.c_str(), F_OK) == 0) sweep(name);
  for (const std::string& each : {top, home, branch.slots_}) {
    if (::mkdir(each.c_str(), 0755) != 0) return fail_errno("cgroup: mkdir");
    branch.directories_.push_back(each);
  }
  if (hierarchy.controllers) {
    (void)enable_controllers(top);
    (void)enable_controllers(branch.slots_);
  }
  TRY(hand_over(top, owner));
  TRY(hand_over(home, owner));
  TRY_ASSIGN(branch.home_, sys::open_file(home.c_str(), O_RDONLY | O_DIRECTORY));
  return branch;
}

CgroupBranch::~CgroupBranch() {
  const Nanoseconds deadline = sys::now() + kRemovalPatience;
  for (; !directories_.empty(); directories_.pop_back()) {
    if (!remove_group(directories_.back(), deadline)) return;
  }
}

Result<CgroupSlot> CgroupHost::make_slot(std::string_view name, const CgroupBranch* branch) const {
  CgroupSlot slot;
  const auto add = [&](const std::string& path, bool v2) -> Result<int> {
    if (::mkdir(path.c_str(), 0755) != 0) {
      if (errno != EEXIST) return fail_errno("cgroup: mkdir");
      sweep(name);
      if (::mkdir(path.c_str(), 0755) != 0) return fail_errno("cgroup: mkdir");
    }
    CgroupSlot::Directory directory{.path = path, .v2 = v2, .fd = {}};
    directory.fd = Fd::adopt(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.fd.valid()) return fail_errno("cgroup: open");
    slot.directories_.push_back(std::move(directory));
    return static_cast<int>(slot.directories_.size()) - 1;
  };
  for (std::size_t i = 0; i < hierarchies_.size(); ++i) {
    const Hierarchy& hierarchy = hierarchies_[i];
    const bool branched = hierarchy.v2 && branch != nullptr;
    const std::string path =
        (branched ? branch->slots_ : hierarchy.parent) + "/" + std::string(name);
    TRY_ASSIGN(const int top, add(path, hierarchy.v2));
    ++slot.hierarchies_;
    bool user_joins = false;
    for (std::size_t c = 0; c < kControllerCount; ++c) {
      if (home_[c] != static_cast<int>(i)) continue;
      slot.place_[c] = top;
      // Init belongs to the memory bill, but must neither be throttled nor counted.
      if (static_cast<Controller>(c) != Controller::kMemory) user_joins = true;
    }
    if (hierarchy.freezer) {
      // Init answers while the program stands still.
      slot.freezer_ = top;
      user_joins = true;
    }
    if (hierarchy.v2) {
      const int slot_fd = slot.at(top).fd.get();
      slot.unified_ = top;
      slot.unified_init_ = top;
      if (hierarchy.controllers) {
        for (const std::string_view controller : {"+memory", "+pids", "+cpu"}) {
          (void)write_cgroup(slot_fd, "cgroup.subtree_control", controller).has_value();
        }
        TRY_ASSIGN(slot.unified_init_, add(path + "/init", true));
      }
      TRY_ASSIGN(slot.unified_user_, add(path + "/user", true));
      const int user_fd = slot.at(slot.unified_user_).fd.get();
      slot.cpu_usage_ = Fd::adopt(::openat(user_fd, "cpu.stat", O_RDONLY | O_CLOEXEC));
      slot.cpu_usage_v2_ = true;
      for (std::size_t at = static_cast<std::size_t>(top);
           branched && at < slot.directories_.size(); ++at) {
        TRY(hand_over(slot.directories_[at].path, branch->owner_));
      }
    } else {
      const int slot_fd = slot.at(top).fd.get();
      Fd tasks = Fd::adopt(::openat(slot_fd, "tasks", O_WRONLY | O_CLOEXEC));
      if (!tasks.valid()) return fail_errno("cgroup: open tasks");
      if (user_joins) {
        slot.user_tasks_.push_back(std::move(tasks));
      } else {
        slot.init_tasks_.push_back(std::move(tasks));
      }
      if (slot.place_[static_cast<std::size_t>(Controller::kCpuacct)] == top) {
        slot.cpu_usage_ = Fd::adopt(::openat(slot_fd, "cpuacct.usage", O_RDONLY | O_CLOEXEC));
      }
    }
  }
  return slot;
}

void CgroupHost::sweep(std::string_view name) const {
  CgroupSlot slot;
  for (const Hierarchy& hierarchy : hierarchies_) {
    const std::string top = hierarchy.parent + "/" + std::string(name);
    std::vector<std::string> groups{top};
    std::error_code error;
    for (std::filesystem::recursive_directory_iterator at(top, error), end; at != end && !error;
         at.increment(error)) {
      std::error_code unseen;
      if (at->is_directory(unseen)) groups.push_back(at->path());
    }
    for (const std::string& each : groups) {
      Fd fd = Fd::adopt(::open(each.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!fd.valid()) continue;
      if (hierarchy.v2 && each == top) slot.unified_ = static_cast<int>(slot.directories_.size());
      if (hierarchy.freezer) slot.freezer_ = static_cast<int>(slot.directories_.size());
      slot.directories_.push_back({.path = each, .v2 = hierarchy.v2, .fd = std::move(fd)});
    }
  }
  // ~CgroupSlot kills and removes.
}

}  // namespace belljar::cell
