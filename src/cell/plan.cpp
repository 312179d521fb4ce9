#include "cell/plan.h"

#include <linux/landlock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "cell/init_protocol.h"
#include "cell/seccomp.h"
#include "cell/zygote_protocol.h"
#include "model/submission.h"

namespace belljar::cell {
namespace {

// Rights by Landlock ABI, landlock(7). Each ABI adds to the one before.
constexpr std::uint64_t kAbi1 = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
constexpr std::uint64_t kRefer = 1ULL << 13;               // ABI 2
constexpr std::uint64_t kTruncate = 1ULL << 14;            // ABI 3
constexpr std::uint64_t kIoctlDev = 1ULL << 15;            // ABI 5
constexpr std::uint64_t kScopeAbstractSocket = 1ULL << 0;  // ABI 6
constexpr std::uint64_t kScopeSignal = 1ULL << 1;          // ABI 6

constexpr std::uint64_t kReadAndRun =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;

std::uint64_t handled_rights(int abi) {
  std::uint64_t rights = kAbi1;
  if (abi >= 2) rights |= kRefer;
  if (abi >= 3) rights |= kTruncate;
  if (abi >= 5) rights |= kIoctlDev;
  return rights;
}

std::string scratch_options(std::uint64_t bytes,
                            std::uint64_t inodes,
                            const char* mode,
                            uid_t owner) {
  const std::string id = std::to_string(owner);
  return "size=" + std::to_string(bytes) + ",nr_inodes=" + std::to_string(inodes) +
         ",mode=" + mode + ",uid=" + id + ",gid=" + id;
}

bool is_directory(const std::string& path) {
  struct stat status{};
  return !path.empty() && ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

void plan_root(LaunchPlan& plan, const Host& host) {
  for (const auto& [path, target] : host.system_links) plan.links.push_back({target, path});
  plan.links.push_back({"/proc/self/fd", "dev/fd"});
  plan.links.push_back({"/proc/self/fd/0", "dev/stdin"});
  plan.links.push_back({"/proc/self/fd/1", "dev/stdout"});
  plan.links.push_back({"/proc/self/fd/2", "dev/stderr"});
  plan.links.push_back({"/proc/self/mounts", "etc/mtab"});

  plan.small_files = user_files(plan.identity.user);
  plan.small_files.push_back({"etc/hosts", "127.0.0.1 localhost cell\n::1 localhost\n"});
  plan.small_files.push_back({"etc/hostname", "cell\n"});
  plan.small_files.push_back({"etc/host.conf", "multi on\n"});
  plan.small_files.push_back({"etc/resolv.conf", ""});
  plan.small_files.push_back(
      {"etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\nservices: files\n"});
  for (const auto& [path, content] : host.etc_files) plan.small_files.push_back({path, content});
}

void plan_files(LaunchPlan& plan, const Host& host, const CellSpec& spec) {
  if (plan.root_layers.empty()) plan_root(plan, host);
  const std::string nothing = plan.root_layers.empty() ? "run" : kZygoteNothing;
  const auto overlay = [&plan, &spec, &nothing](const std::string& source) {
    // An overlay without an upper layer needs two lower ones; where there are no headers to lie
    // over the host's, the second is an empty directory of the new root, where the path is relative
    // because the child stands there, or of a zygote's. Headers are only a help, and may have gone
    // meanwhile.
    const std::string headers = spec.headers + source;
    OverlayMount mount{.source = source,
                       .target = source.substr(1),
                       .options = "lowerdir=" + source + ":" + nothing,
                       .plain_options = {}};
    if (!spec.headers.empty() && is_directory(headers)) {
      mount.plain_options = std::move(mount.options);
      mount.options = "lowerdir=" + headers + ":" + source;
    }
    plan.overlays.push_back(std::move(mount));
  };
  for (const std::string& directory : host.system_directories) overlay(directory);
  for (const std::string& directory : host.etc_directories) overlay(directory);
  for (const std::string& directory : spec.mounts) {
    const auto covers = [&directory](const OverlayMount& mount) {
      return directory == mount.source || directory.starts_with(mount.source + "/");
    };
    if (std::ranges::none_of(plan.overlays, covers)) overlay(directory);
  }

  const Limits& limits = spec.limits;
  plan.scratches.push_back({"box",
                            scratch_options(limits.box, limits.inodes, "0755", plan.identity.user),
                            spec.writable_box});
  plan.scratches.push_back({"tmp",
                            scratch_options(limits.tmp, limits.inodes, "1777", plan.identity.user),
                            spec.writable_tmp});
  plan.scratches.push_back({"dev/shm",
                            scratch_options(limits.tmp, limits.inodes, "1777", plan.identity.user),
                            spec.writable_tmp});
}

void plan_rlimits(LaunchPlan& plan, const Host& host, const Limits& limits) {
  const auto set = [&plan](int resource, rlim_t value) {
    plan.rlimits.push_back({resource, value, value});
  };
  // With a bill the cell's clock is the warden's, and this is a backstop; without one it is all
  // there is. The hard limit comes a second later: at the soft one SIGXCPU tells why, where the
  // hard one alone would be a SIGKILL (getrlimit(2)).
  const auto seconds =
      static_cast<rlim_t>(std::chrono::ceil<std::chrono::seconds>(limits.cpu).count());
  const rlim_t soft = plan.walls.has(Wall::kCpuBill) ? seconds + 2 : seconds;
  plan.rlimits.push_back({RLIMIT_CPU, soft, soft + 1});
  set(RLIMIT_FSIZE, limits.file_size);
  set(RLIMIT_NOFILE, limits.open_files);
  set(RLIMIT_STACK, limits.stack);
  set(RLIMIT_MEMLOCK, 64 * kKiB);
  set(RLIMIT_MSGQUEUE, 0);
  set(RLIMIT_SIGPENDING, 1024);
  set(RLIMIT_NICE, 0);
  set(RLIMIT_RTPRIO, 0);
  // Zero does not stop a core helper that reads from a pipe, one does: core(5).
  set(RLIMIT_CORE, host.core_pipe ? 1U : 0U);
  // Counted per uid: only where no other cell shares it.
  if (plan.walls.has(Wall::kOwnUid)) set(RLIMIT_NPROC, limits.processes + 8);
}

// The files of a parked cell come after its locks. A read-only /box is then read-only by its mount
// alone: the one descriptor that leads around the mount is closed before the program.
void plan_landlock(LaunchPlan& plan, const Host& host, const CellSpec& spec) {
  const std::uint64_t handled = handled_rights(host.landlock_abi);
  const std::uint64_t no_devices =
      handled & ~(static_cast<std::uint64_t>(LANDLOCK_ACCESS_FS_MAKE_CHAR) |
                  LANDLOCK_ACCESS_FS_MAKE_BLOCK | kIoctlDev);
  plan.landlock_handled = handled;
  if (plan.walls.has(Wall::kLandlockScope))
    plan.landlock_scoped = kScopeAbstractSocket | kScopeSignal;
  const auto rule = [&plan](std::string path, std::uint64_t access) {
    plan.landlock_rules.push_back({std::move(path), access});
  };
  rule("/", LANDLOCK_ACCESS_FS_READ_DIR);
  rule("/etc", LANDLOCK_ACCESS_FS_READ_FILE);
  for (const SmallFile& file : plan.small_files) {
    if (file.executable) rule("/" + file.path, kReadAndRun);
  }
  rule("/proc", LANDLOCK_ACCESS_FS_READ_FILE);
  rule("/dev", LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                   (handled & (kTruncate | kIoctlDev)));
  for (const OverlayMount& overlay : plan.overlays) rule(overlay.source, kReadAndRun);
  const bool parked = plan.fds.park >= 0;
  const std::uint64_t box = spec.writable_box || parked ? no_devices : kReadAndRun;
  const std::uint64_t tmp = spec.writable_tmp ? no_devices : kReadAndRun;
  rule("/box", box);
  rule("/tmp", tmp);
  rule("/dev/shm", tmp);
}

std::vector<char*> pointers(std::vector<std::string>& texts, std::size_t from, std::size_t count) {
  std::vector<char*> list;
  for (std::size_t i = from; i < from + count; ++i) list.push_back(texts[i].data());
  list.push_back(nullptr);
  return list;
}

// The cell's clocks start near zero, so that the host's uptime is not to be read.
Result<std::string> clock_offsets() {
  timespec monotonic{};
  timespec boot{};
  if (::clock_gettime(CLOCK_MONOTONIC, &monotonic) != 0 ||
      ::clock_gettime(CLOCK_BOOTTIME, &boot) != 0) {
    return fail_errno("clock_gettime");
  }
  return "monotonic -" + std::to_string(monotonic.tv_sec) + " 0\nboottime -" +
         std::to_string(boot.tv_sec) + " 0\n";
}

}  // namespace

std::vector<SmallFile> user_files(uid_t user) {
  const std::string id = std::to_string(user);
  return {{"etc/passwd",
           "root:x:0:0:root:/root:/usr/sbin/nologin\n"
           "sandbox:x:" +
               id + ":" + id +
               ":sandbox:/box:/bin/sh\n"
               "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
          {"etc/group", "root:x:0:\nsandbox:x:" + id + ":\nnogroup:x:65534:\n"}};
}

WallSet launch_walls(const Host& host, const CellSpec& spec, WallSet cgroup_walls) {
  WallSet walls{Wall::kPidNamespace, Wall::kMountNamespace, Wall::kNetNamespace,
                Wall::kIpcNamespace, Wall::kUtsNamespace,   Wall::kCgroupNamespace,
                Wall::kPrivateRoot,  Wall::kProc,           Wall::kNoCapabilities,
                Wall::kNoNewPrivs,   Wall::kSeccomp,        Wall::kRlimits};
  if (host.time_namespace) walls.add(Wall::kTimeNamespace);
  // mknod(2) of devices is for root of the host; inside a user namespace the host's are bound.
  if (host.privilege == Privilege::kRoot) walls.add(Wall::kPrivateDevices);
  if (host.privilege != Privilege::kSingleUid) {
    walls.add(Wall::kOwnUid);
    walls.add(Wall::kInitUid);
  }
  if (host.landlock_abi >= 1) walls.add(Wall::kLandlock);
  if (host.landlock_abi >= 6) walls.add(Wall::kLandlockScope);
  for (int i = 0; i < kWallCount; ++i) {
    if (cgroup_walls.has(static_cast<Wall>(i))) walls.add(static_cast<Wall>(i));
  }
  return walls.minus(spec.without);
}

Result<std::unique_ptr<LaunchPlan>> make_plan(const Host& host,
                                              const CellSpec& spec,
                                              const Bundle& files,
                                              const Identity& identity,
                                              const LaunchFds& fds,
                                              const CgroupPlace& cgroups,
                                              const Warmth& warmth) {
  auto plan = std::make_unique<LaunchPlan>();
  plan->fds = fds;
  plan->identity = identity;
  plan->walls = launch_walls(host, spec, cgroups.walls);
  plan->devices = warmth.devices;
  plan->root_layers = warmth.root_layers;
  plan->interpreter = warmth.interpreter;
  plan->thread_id = warmth.thread_id;
  if (!warmth.devices.empty() && !spec.without.has(Wall::kPrivateDevices))
    plan->walls.add(Wall::kPrivateDevices);
  const WallSet missing = spec.require.minus(plan->walls);
  if (!missing.empty()) {
    std::string names;
    for (const std::string& name : missing.names()) names += (names.empty() ? "" : ", ") + name;
    return fail(Code::kDenied, "required walls cannot be put up here: " + names);
  }
  const SyscallProfile* const user = find_profile(spec.profile);
  if (user == nullptr || spec.profile == "init") {
    return fail(Code::kInvalid, "syscalls: no profile '" + spec.profile + "'");
  }
  plan->user_filter = user->counting;
  plan->user_filter_counts = true;
  plan->listener_wait_killable = host.wait_killable;
  plan->cgroup_mark = cgroups.mark;
  plan->cgroup_count = cgroups.count;
  plan->loopback = spec.loopback;
  plan->terminal = spec.terminal;
  if (identity.nested_user_namespace) plan->uid_map = std::to_string(identity.user) + " 0 1\n";
  if (plan->walls.has(Wall::kTimeNamespace)) {
    TRY_ASSIGN(plan->time_offsets, clock_offsets());
  }

  for (const std::string& directory : spec.mounts) {
    if (!is_directory(directory)) {
      return fail(Code::kUnavailable, "mounts: no directory " + directory + " on this host");
    }
  }
  plan_files(*plan, host, spec);
  plan->small_files.insert(plan->small_files.end(), warmth.files.begin(), warmth.files.end());
  plan_rlimits(*plan, host, spec.limits);
  if (plan->walls.has(Wall::kLandlock)) plan_landlock(*plan, host, spec);
  plan->files = files.files;
  for (const BundleFile& file : files.files) plan->file_paths.emplace_back(file.path);

  std::vector<std::string>& texts = plan->texts;
  texts = spec.argv;
  texts.insert(texts.end(), spec.env.begin(), spec.env.end());
  const std::size_t init_from = texts.size();
  texts.insert(texts.end(), {"init", std::to_string(identity.init), std::to_string(identity.user),
                             std::to_string(spec.limits.artifacts), std::to_string(kMaxFiles)});
  texts.insert(texts.end(), spec.artifacts.begin(), spec.artifacts.end());
  const std::size_t waiting_from = texts.size();
  texts.insert(texts.end(), warmth.waiting_argv.begin(), warmth.waiting_argv.end());
  texts.insert(texts.end(), warmth.waiting_env.begin(), warmth.waiting_env.end());
  plan->argv = pointers(texts, 0, spec.argv.size());
  plan->envp = pointers(texts, spec.argv.size(), spec.env.size());
  plan->init_argv = pointers(texts, init_from, waiting_from - init_from);
  if (!warmth.waiting_file.empty()) {
    plan->waiting_file = warmth.waiting_file;
    plan->waiting_folder = warmth.waiting_folder;
    const std::size_t count = warmth.waiting_argv.size();
    plan->waiting_argv = pointers(texts, waiting_from, count);
    plan->waiting_envp = pointers(texts, waiting_from + count, warmth.waiting_env.size());
  }
  return plan;
}

}  // namespace belljar::cell
