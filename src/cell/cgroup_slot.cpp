#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/sys.h"
#include "cell/cgroup.h"
#include "cell/cgroup_files.h"
#include "cell/cgroup_freezer.h"

namespace belljar::cell {
namespace {

constexpr std::uint64_t kCpuPeriodMicroseconds = 100'000;  // the kernel's default
constexpr std::string_view kReclaimStep = "8M";
// Of an empty group: what the kernel holds ready for it per processor, and what it frees late.
constexpr std::uint64_t kMostLeft = 512 * kKiB;

// A limit in bytes sticks rounded down to pages.
bool stuck(std::uint64_t wanted, std::uint64_t got) {
  return got <= wanted && wanted - got < 65536;
}

Status write_checked(int directory, const char* file, std::uint64_t value) {
  TRY(write_cgroup(directory, file, std::to_string(value)));
  TRY_ASSIGN(const std::uint64_t got, read_cgroup_number(directory, file));
  if (stuck(value, got)) return {};
  return fail(Code::kInternal, std::string("cgroup: ") + file + " did not take the limit");
}

std::optional<Nanoseconds> microseconds_of(const std::string& lines, std::string_view key) {
  const std::optional<std::uint64_t> value = value_of(lines, key);
  if (!value) return std::nullopt;
  return std::chrono::microseconds(*value);
}

}  // namespace

CgroupSlot::~CgroupSlot() {
  if (directories_.empty()) return;
  kill_all();
  (void)remove(kRemovalPatience).has_value();
}

const CgroupSlot::Directory* CgroupSlot::directory(Controller controller) const {
  const int index = place_[static_cast<std::size_t>(controller)];
  return index < 0 ? nullptr : &at(index);
}

Result<std::string> CgroupSlot::read(const Directory& directory, const char* file) {
  const auto known = std::ranges::find(directory.open, file, &std::pair<std::string, Fd>::first);
  if (known != directory.open.end()) return read_open_cgroup(known->second.get(), file);
  Fd fd = Fd::adopt(::openat(directory.fd.get(), file, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(std::string("cgroup: open ") + file);
  directory.open.emplace_back(file, std::move(fd));
  return read_open_cgroup(directory.open.back().second.get(), file);
}

Result<std::uint64_t> CgroupSlot::read_number(const Directory& directory, const char* file) {
  TRY_ASSIGN(const std::string text, read(directory, file));
  return cgroup_number(text, file);
}

Status CgroupSlot::set_limits(const Limits& limits, WallSet without) {
  const Held wanted{.memory = limits.memory,
                    .processes = limits.processes,
                    .cpus_milli = limits.cpus_milli,
                    .without = without};
  // Nobody but this slot writes to its files.
  if (held_ == wanted) return {};
  held_.reset();
  walls_ = {};
  const Directory* const memory = directory(Controller::kMemory);
  if (memory != nullptr && !without.has(Wall::kMemoryLimit)) {
    const int fd = memory->fd.get();
    if (memory->v2) {
      TRY(write_checked(fd, "memory.max", limits.memory));
      // Absent where the kernel has no swap accounting; then there is no swap to use either.
      if (::faccessat(fd, "memory.swap.max", F_OK, 0) == 0) {
        TRY(write_checked(fd, "memory.swap.max", 0));
      }
      if (unified_user_ >= 0) {
        const int user = at(unified_user_).fd.get();
        TRY(write_checked(user, "memory.oom.group", 1));
      }
      memory_event_counts_ = true;
      memory_event_ = Fd::adopt(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
      if (!memory_event_.valid()) return fail_errno("inotify_init1");
      const std::string events = memory->path + "/memory.events";
      if (::inotify_add_watch(memory_event_.get(), events.c_str(), IN_MODIFY) < 0) {
        return fail_errno("inotify_add_watch memory.events");
      }
    } else {
      constexpr const char* kWithSwap = "memory.memsw.limit_in_bytes";
      const bool counts_swap = ::faccessat(fd, kWithSwap, F_OK, 0) == 0;
      // The limit must not be above the one with swap, which a slot that is used again still has.
      if (counts_swap) {
        TRY(write_cgroup(fd, kWithSwap, "-1"));
      }
      TRY(write_checked(fd, "memory.limit_in_bytes", limits.memory));
      if (counts_swap) {
        TRY(write_checked(fd, kWithSwap, limits.memory));
      }
      TRY(write_checked(fd, "memory.swappiness", 0));
      memory_event_ = Fd::adopt(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
      const Fd control = Fd::adopt(::openat(fd, "memory.oom_control", O_RDONLY | O_CLOEXEC));
      if (!memory_event_.valid() || !control.valid()) return fail_errno("memory.oom_control");
      TRY(write_cgroup(fd, "cgroup.event_control",
                       std::to_string(memory_event_.get()) + " " + std::to_string(control.get())));
    }
    walls_.add(Wall::kMemoryLimit);
  }
  const Directory* const pids = directory(Controller::kPids);
  if (pids != nullptr && !without.has(Wall::kProcessLimit)) {
    const int fd = pids->v2 ? at(unified_user_).fd.get() : pids->fd.get();
    TRY(write_checked(fd, "pids.max", limits.processes));
    walls_.add(Wall::kProcessLimit);
  }
  const Directory* const cpu = directory(Controller::kCpu);
  if (cpu != nullptr && !without.has(Wall::kCpuLimit)) {
    const std::uint64_t quota = limits.cpus_milli * kCpuPeriodMicroseconds / 1000;
    if (cpu->v2) {
      const int fd = at(unified_user_).fd.get();
      const std::string value =
          std::to_string(quota) + " " + std::to_string(kCpuPeriodMicroseconds);
      TRY(write_cgroup(fd, "cpu.max", value));
      TRY_ASSIGN(const std::string got, read_cgroup(fd, "cpu.max"));
      if (got != value) return fail(Code::kInternal, "cgroup: cpu.max did not take the limit");
    } else {
      TRY(write_checked(cpu->fd.get(), "cpu.cfs_quota_us", quota));
    }
    walls_.add(Wall::kCpuLimit);
  }
  if (cpu_usage_.valid() && !without.has(Wall::kCpuBill)) walls_.add(Wall::kCpuBill);
  held_ = wanted;
  return {};
}

int CgroupSlot::init_birthplace() const {
  return unified_init_ < 0 ? -1 : at(unified_init_).fd.get();
}

int CgroupSlot::user_birthplace() const {
  return unified_user_ < 0 ? -1 : at(unified_user_).fd.get();
}

std::vector<int> CgroupSlot::init_tasks() const {
  std::vector<int> fds;
  for (const Fd& fd : init_tasks_) fds.push_back(fd.get());
  return fds;
}

std::vector<int> CgroupSlot::user_tasks() const {
  std::vector<int> fds;
  for (const Fd& fd : user_tasks_) fds.push_back(fd.get());
  return fds;
}

std::optional<Nanoseconds> CgroupSlot::cpu_time() const {
  if (!cpu_usage_.valid()) return std::nullopt;
  std::array<char, 2048> buffer{};
  const ssize_t got = ::pread(cpu_usage_.get(), buffer.data(), buffer.size() - 1, 0);
  if (got <= 0) return std::nullopt;
  const std::string text(buffer.data(), static_cast<std::size_t>(got));
  if (cpu_usage_v2_) return microseconds_of(text, "usage_usec");
  std::uint64_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{}) {
    return std::nullopt;
  }
  return Nanoseconds(value);
}

Result<CgroupUsage> CgroupSlot::usage() const {
  CgroupUsage usage;
  if (walls_.has(Wall::kCpuBill)) {
    if (cpu_usage_v2_) {
      const Directory& user = at(unified_user_);
      TRY_ASSIGN(const std::string stat, read(user, "cpu.stat"));
      usage.cpu = microseconds_of(stat, "usage_usec");
      usage.user = microseconds_of(stat, "user_usec");
      usage.system = microseconds_of(stat, "system_usec");
    } else if (const Directory* const bill = directory(Controller::kCpuacct)) {
      TRY_ASSIGN(const std::uint64_t total, read_number(*bill, "cpuacct.usage"));
      TRY_ASSIGN(const std::uint64_t user, read_number(*bill, "cpuacct.usage_user"));
      usage.cpu = Nanoseconds(total);
      usage.user = Nanoseconds(user);
      usage.system = Nanoseconds(total > user ? total - user : 0);
    }
    if (!usage.cpu) return fail(Code::kInternal, "cgroup: the processor bill cannot be read");
  }
  if (walls_.has(Wall::kMemoryLimit)) {
    const Directory& memory = *directory(Controller::kMemory);
    if (memory.v2) {
      // memory.peak came with kernel 5.19; before it the peak is not known.
      usage.peak_memory = read_number(memory, "memory.peak").value_or(0);
      TRY_ASSIGN(const std::string events, read(memory, "memory.events"));
      usage.oom_kills = value_of(events, "oom_kill").value_or(0);
    } else {
      TRY_ASSIGN(usage.peak_memory, read_number(memory, "memory.max_usage_in_bytes"));
      TRY_ASSIGN(const std::string control, read(memory, "memory.oom_control"));
      usage.oom_kills = value_of(control, "oom_kill").value_or(0);
    }
  }
  if (walls_.has(Wall::kProcessLimit)) {
    const Directory& pids = *directory(Controller::kPids);
    const Directory& counted = pids.v2 ? at(unified_user_) : pids;
    // pids.peak came with kernel 6.6.
    usage.peak_processes = read_number(counted, "pids.peak").value_or(0);
    TRY_ASSIGN(const std::string events, read(counted, "pids.events"));
    usage.process_limit_hits = value_of(events, "max").value_or(0);
  }
  if (walls_.has(Wall::kCpuLimit)) {
    const Directory& cpu = *directory(Controller::kCpu);
    const Directory& throttled = cpu.v2 ? at(unified_user_) : cpu;
    TRY_ASSIGN(const std::string stat, read(throttled, "cpu.stat"));
    usage.throttled_periods = value_of(stat, "nr_throttled").value_or(0);
    usage.throttled = cpu.v2 ? microseconds_of(stat, "throttled_usec").value_or(Nanoseconds{})
                             : Nanoseconds(value_of(stat, "throttled_time").value_or(0));
  }
  return usage;
}

Status CgroupSlot::freeze(bool stop) const {
  if (unified_user_ >= 0) {
    return write_cgroup(user_birthplace(), "cgroup.freeze", stop ? "1" : "0");
  }
  if (freezer_ < 0) return fail(Code::kUnavailable, "cgroup: there is no freezer");
  return freeze_v1(at(freezer_).fd.get(), stop);
}

Result<bool> CgroupSlot::is_frozen() const {
  if (unified_user_ < 0 && freezer_ >= 0) return is_v1_frozen(at(freezer_).fd.get());
  TRY_ASSIGN(const std::string events, read(at(unified_user_), "cgroup.events"));
  return value_of(events, "frozen") == 1U;
}

void CgroupSlot::kill_frozen() const {
  if (unified_user_ >= 0 || freezer_ < 0) return;
  kill_and_thaw_v1(at(freezer_).fd.get());
}

bool CgroupSlot::reclaim_some() const {
  const Directory* const memory = directory(Controller::kMemory);
  // EAGAIN: it found less than that.
  return memory != nullptr && memory->v2 &&
         write_cgroup(memory->fd.get(), "memory.reclaim", kReclaimStep).has_value();
}

void CgroupSlot::rest() {
  held_.reset();
  init_tasks_.clear();
  user_tasks_.clear();
  for (Directory& each : directories_) each.open.clear();
}

void CgroupSlot::lift_cpu_limit() {
  held_.reset();
  const Directory* const cpu = directory(Controller::kCpu);
  if (cpu == nullptr || !walls_.has(Wall::kCpuLimit)) return;
  if (cpu->v2) {
    (void)write_cgroup(at(unified_user_).fd.get(), "cpu.max", "max").has_value();
  } else {
    (void)write_cgroup(cpu->fd.get(), "cpu.cfs_quota_us", "-1").has_value();
  }
}

void CgroupSlot::kill_all() const {
  if (unified_ >= 0 && write_cgroup(at(unified_).fd.get(), "cgroup.kill", "1")) {
    return;
  }
  for (const Directory& directory : directories_) kill_listed(directory.fd.get());
  kill_frozen();
}

bool CgroupSlot::is_empty() const {
  return std::ranges::all_of(directories_, [](const Directory& directory) {
    // Opened anew: an open list of v1 stays for a second as it was read last (cgroup_pidlist, v1).
    const Result<std::string> inside = read_cgroup(directory.fd.get(), "cgroup.procs");
    return inside && inside->empty();
  });
}

bool CgroupSlot::renew() {
  const Directory* const memory = directory(Controller::kMemory);
  if (!held_ || memory == nullptr || memory->v2 || !walls_.has(Wall::kMemoryLimit)) return false;
  pollfd event{.fd = memory_event_.get(), .events = POLLIN, .revents = 0};
  const Result<CgroupUsage> used = usage();
  if (!used || used->oom_kills > 0 || used->process_limit_hits > 0 || used->peak_processes != 1 ||
      ::poll(&event, 1, 0) != 0) {
    return false;
  }
  constexpr const char* kPeak = "memory.max_usage_in_bytes";
  if (!write_cgroup(memory->fd.get(), kPeak, "0")) return false;
  const Result<std::uint64_t> left = read_number(*memory, kPeak);
  renewed_ = left && *left <= kMostLeft;
  return renewed_;
}

Status CgroupSlot::remove(Nanoseconds patience) {
  held_.reset();
  const Nanoseconds deadline = sys::now() + patience;
  for (; !directories_.empty(); directories_.pop_back()) {
    TRY(remove_group(directories_.back().path, deadline));
  }
  return {};
}

}  // namespace belljar::cell
