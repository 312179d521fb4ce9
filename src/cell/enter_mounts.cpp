#include "cell/enter_mounts.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "cell/enter_processes.h"
#include "cell/readback.h"
#include "cell/zygote_protocol.h"

namespace belljar::cell {
namespace {

struct Device {
  const char* name;
  const char* host_path;
  unsigned minor;
};
// Character devices of major 1, devices.txt of the kernel.
constexpr std::array kDevices{Device{"null", "/dev/null", 3}, Device{"zero", "/dev/zero", 5},
                              Device{"full", "/dev/full", 7}, Device{"random", "/dev/random", 8},
                              Device{"urandom", "/dev/urandom", 9}};

constexpr const char* kRootPoint = "/tmp";

// mkdir -p for a path relative to the working directory.
bool make_directories(const char* path, mode_t mode) {
  std::array<char, 1200> partial{};
  const std::size_t size = std::strlen(path);
  if (size >= partial.size()) {
    errno = ENAMETOOLONG;
    return false;
  }
  std::memcpy(partial.data(), path, size);
  for (std::size_t i = 1; i <= size; ++i) {
    if (i < size && partial[i] != '/') continue;
    const char kept = partial[i];
    partial[i] = '\0';
    if (::mkdir(partial.data(), mode) != 0 && errno != EEXIST) return false;
    partial[i] = kept;
  }
  return true;
}

bool make_parents(const char* path, std::array<char, 1200>& parent) {
  const char* const slash = std::strrchr(path, '/');
  if (slash == nullptr) return true;
  const auto size = static_cast<std::size_t>(slash - path);
  if (size >= parent.size()) {
    errno = ENAMETOOLONG;
    return false;
  }
  std::memcpy(parent.data(), path, size);
  parent[size] = '\0';
  return make_directories(parent.data(), 0755);
}

bool write_file(int directory, const char* path, const char* bytes, std::size_t size, mode_t mode) {
  const int fd =
      ::openat(directory, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd < 0) return false;
  while (size > 0) {
    const ssize_t done = ::write(fd, bytes, size);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) {
      if (done == 0) errno = EIO;
      const int error = errno;
      ::close(fd);
      errno = error;
      return false;
    }
    bytes += done;
    size -= static_cast<std::size_t>(done);
  }
  return ::close(fd) == 0;
}

bool write_files_here(const std::vector<BundleFile>& files, const std::vector<std::string>& paths) {
  std::array<char, 1200> parent{};
  for (std::size_t i = 0; i < files.size(); ++i) {
    const BundleFile& file = files[i];
    if (!make_parents(paths[i].c_str(), parent) ||
        !write_file(AT_FDCWD, paths[i].c_str(), file.content.data(), file.content.size(),
                    file.executable ? 0755 : 0644)) {
      return false;
    }
  }
  return true;
}

bool remount_read_only(const char* path, unsigned long keep) {
  return ::mount(nullptr, path, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | keep, nullptr) == 0;
}

// Whether no mount here tells another namespace of what is mounted on it: mountinfo(5) says
// "shared:" of one that does, and writes a blank in a path as \040.
bool nothing_is_shared() {
  constexpr std::string_view kShared = " shared:";
  const int fd = ::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  std::array<char, 8192> text{};
  std::size_t kept = 0;  // the end of what came before: the word may be cut in two
  bool ok = true;
  while (ok) {
    const ssize_t got = ::read(fd, text.data() + kept, text.size() - kept);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      ok = got == 0;
      break;
    }
    const std::string_view all(text.data(), kept + static_cast<std::size_t>(got));
    ok = all.find(kShared) == all.npos || mismatch();
    kept = std::min(all.size(), kShared.size());
    std::memmove(text.data(), all.data() + all.size() - kept, kept);
  }
  const int error = errno;
  ::close(fd);
  errno = error;
  return ok;
}

bool is_mounted_as(const char* path, long magic, unsigned long flags) {
  struct statfs status{};
  if (::statfs(path, &status) != 0) return false;
  const auto got = static_cast<unsigned long>(status.f_flags);
  if (status.f_type == magic && (got & flags) == flags) return true;
  return mismatch();
}

bool make_mount_points(const LaunchPlan& plan) {
  for (const char* directory : {"box", "tmp", "dev", "proc", "etc", "run", "var", "root", "home"}) {
    if (::mkdir(directory, 0755) != 0) return false;
  }
  if (::symlink("/tmp", "var/tmp") != 0) return false;
  for (const OverlayMount& overlay : plan.overlays) {
    if (!make_directories(overlay.target.c_str(), 0755)) return false;
  }
  return true;
}

// Of /dev, or of the rest of the root.
bool make_links(const LaunchPlan& plan, bool of_dev) {
  for (const Link& link : plan.links) {
    const bool is_of_dev = std::strncmp(link.path.c_str(), "dev/", 4) == 0;
    if (is_of_dev == of_dev && ::symlink(link.target.c_str(), link.path.c_str()) != 0) return false;
  }
  return true;
}

long root_magic(const LaunchPlan& plan) {
  return plan.root_layers.empty() ? TMPFS_MAGIC : OVERLAYFS_SUPER_MAGIC;
}

}  // namespace

bool stop_propagation() {
  return ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 && nothing_is_shared();
}

bool mount_root(const LaunchPlan& plan, Channels& channels) {
  ::umask(022);
  struct stat before{};
  if (::stat(kRootPoint, &before) != 0) return false;
  constexpr unsigned long kFlags = MS_NOSUID | MS_NODEV;
  const bool layered = !plan.root_layers.empty();
  const int mounted =
      layered
          ? ::mount("overlay", kRootPoint, "overlay", kFlags | MS_RDONLY, plan.root_layers.c_str())
          : ::mount("tmpfs", kRootPoint, "tmpfs", kFlags, "size=8m,nr_inodes=2048,mode=0755");
  if (mounted != 0 || ::chdir(kRootPoint) != 0) return false;
  // Read back before the first thing is made here: elsewhere it would be made on the host.
  struct stat root{};
  if (::stat(".", &root) != 0) return false;
  if (root.st_dev == before.st_dev || !is_mounted_as(".", root_magic(plan), ST_NOSUID | ST_NODEV)) {
    return mismatch();
  }
  channels.root = root.st_dev;
  return layered || make_mount_points(plan);
}

bool mount_system(const LaunchPlan& plan) {
  constexpr unsigned long kFlags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOATIME;
  for (const OverlayMount& overlay : plan.overlays) {
    const char* const target = overlay.target.c_str();
    if (plan.walls.has(Wall::kPrivateRoot)) {
      const auto mount = [target](const std::string& options) {
        return ::mount("overlay", target, "overlay", kFlags, options.c_str()) == 0;
      };
      const bool has_plain = !overlay.plain_options.empty();
      if (!mount(overlay.options) && !(has_plain && mount(overlay.plain_options))) return false;
    } else if (::mount(overlay.source.c_str(), target, nullptr, MS_BIND | MS_REC, nullptr) != 0 ||
               !remount_read_only(target, MS_NOSUID | MS_NODEV)) {
      return false;
    }
  }
  return true;
}

// A node of the host's, whose mount may have flags that must stay (mount_namespaces(7)).
bool bind_device(const char* host_path, const char* path) {
  constexpr unsigned long kFlags = MS_NOSUID | MS_NOEXEC;
  struct statfs status{};
  if (::mknod(path, S_IFREG | 0666, 0) != 0 ||
      ::mount(host_path, path, nullptr, MS_BIND, nullptr) != 0 || ::statfs(path, &status) != 0) {
    return false;
  }
  const unsigned long kept = (status.f_flags & ST_RDONLY) != 0 ? MS_RDONLY : 0UL;
  if (::mount(nullptr, path, nullptr, MS_REMOUNT | MS_BIND | kFlags | kept, nullptr) != 0)
    return false;
  return ::statfs(path, &status) == 0 &&
         ((status.f_flags & (ST_NOSUID | ST_NOEXEC)) == (ST_NOSUID | ST_NOEXEC) || mismatch());
}

bool make_device_nodes(const char* folder, bool private_nodes) {
  for (const Device& device : kDevices) {
    std::array<char, 64> path{};
    std::snprintf(path.data(), path.size(), "%s/%s", folder, device.name);
    if (private_nodes) {
      if (::mknod(path.data(), S_IFCHR | 0666, ::makedev(1, device.minor)) != 0) return false;
    } else if (!bind_device(device.host_path, path.data())) {
      return false;
    }
  }
  return true;
}

bool make_devices(const LaunchPlan& plan) {
  constexpr unsigned long kFlags = MS_NOSUID | MS_NOEXEC;
  if (plan.devices.empty()) {
    if (::mount("tmpfs", "dev", "tmpfs", kFlags, "size=64k,nr_inodes=32,mode=0755") != 0)
      return false;
    ::umask(0);
    const bool made = make_device_nodes("dev", plan.walls.has(Wall::kPrivateDevices));
    ::umask(022);
    if (!made || ::mkdir("dev/shm", 0755) != 0) return false;
  } else if (::mount(plan.devices.c_str(), "dev", nullptr, MS_BIND, nullptr) != 0) {
    return false;
  }
  // A folder of nodes that is there already has its links too.
  return (!plan.devices.empty() || make_links(plan, true)) && make_links(plan, false);
}

bool mount_scratch(const LaunchPlan& plan) {
  for (const Scratch& scratch : plan.scratches) {
    if (::mount("tmpfs", scratch.target, "tmpfs", MS_NOSUID | MS_NODEV, scratch.options.c_str()) !=
        0) {
      return false;
    }
  }
  return true;
}

bool mount_proc(const LaunchPlan& plan) {
  const char* const options = plan.walls.has(Wall::kProc) ? "subset=pid,hidepid=2" : nullptr;
  const unsigned long read_only = plan.walls.has(Wall::kProc) ? MS_RDONLY : 0;
  return ::mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC | read_only, options) ==
         0;
}

bool write_small_files(const std::vector<SmallFile>& files) {
  std::array<char, 1200> parent{};
  for (const SmallFile& file : files) {
    if (!make_parents(file.path.c_str(), parent) ||
        !write_file(AT_FDCWD, file.path.c_str(), file.content.data(), file.content.size(),
                    file.executable ? 0755 : 0644)) {
      return false;
    }
  }
  return true;
}

bool make_tree(const LaunchPlan& plan) {
  return make_mount_points(plan) && make_links(plan, false) && write_small_files(plan.small_files);
}

bool write_small_files(const LaunchPlan& plan, Channels& channels) {
  // A file that no Landlock rule covers and no name leads to: how the lock is read back later.
  if (!plan.root_layers.empty()) {
    channels.probe = ::open(kZygoteProbe, O_PATH | O_CLOEXEC);
    return channels.probe >= 0;
  }
  if (!write_small_files(plan.small_files)) return false;
  if (!write_file(AT_FDCWD, "probe", "", 0, 0644)) return false;
  channels.probe = ::open("probe", O_PATH | O_CLOEXEC);
  return channels.probe >= 0 && ::unlink("probe") == 0;
}

bool write_files(const LaunchPlan& plan) {
  // As the program's user, so that ownership and quota are right from the first byte.
  const bool other_user = !plan.identity.nested_user_namespace;
  if (other_user) {
    ::setfsgid(plan.identity.user);
    ::setfsuid(plan.identity.user);
  }
  const int box = ::open("box", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool ok = box >= 0 && ::fchdir(box) == 0 && write_files_here(plan.files, plan.file_paths);
  const int error = errno;
  if (box >= 0) ::close(box);
  if (other_user) {
    ::setfsuid(0);
    ::setfsgid(0);
  }
  // kRootPoint is the top of the new root, on which the working directory stood before.
  if (ok && ::chdir(kRootPoint) != 0) return false;
  errno = error;
  return ok;
}

bool write_late_files(const std::vector<BundleFile>& files, int box) {
  std::vector<std::string> paths;
  paths.reserve(files.size());
  for (const BundleFile& file : files) paths.emplace_back(file.path);
  if (box < 0) return write_files_here(files, paths);
  return ::fchdir(box) == 0 && write_files_here(files, paths) && ::chdir("/box") == 0 &&
         ::close(box) == 0;
}

bool pivot() {
  // pivot_root(".", "."): the old root lands on top of the new one and is taken off, pivot_root(2).
  return ::syscall(SYS_pivot_root, ".", ".") == 0 && ::umount2(".", MNT_DETACH) == 0 &&
         ::chdir("/") == 0;
}

bool make_read_only(const LaunchPlan& plan, Channels& channels) {
  const bool late_box = plan.fds.park >= 0 && !plan.scratches.front().writable;
  if (late_box) {
    // Read-only is the mount in the cell; this is another one of the same files, without a name.
    channels.box = static_cast<int>(
        ::syscall(SYS_open_tree, AT_FDCWD, "/box", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    if (channels.box < 0) return false;
  }
  if (!remount_read_only("/", MS_NOSUID | MS_NODEV)) return false;
  if (!remount_read_only("/dev", MS_NOSUID | MS_NOEXEC)) return false;
  for (const Scratch& scratch : plan.scratches) {
    if (scratch.writable) continue;
    std::array<char, 32> path{"/"};
    std::strncat(path.data(), scratch.target, path.size() - 2);
    if (!remount_read_only(path.data(), MS_NOSUID | MS_NODEV)) return false;
  }
  return ::chdir("/box") == 0;
}

bool verify_mounts(const LaunchPlan& plan, const Channels& channels) {
  constexpr unsigned long kSafe = ST_NOSUID | ST_NODEV;
  if (!is_mounted_as("/", root_magic(plan), kSafe | ST_RDONLY)) return false;
  if (!is_mounted_as("/dev", TMPFS_MAGIC, ST_NOSUID | ST_NOEXEC | ST_RDONLY)) return false;
  const unsigned long proc_flags = plan.walls.has(Wall::kProc) ? kSafe | ST_RDONLY : kSafe;
  if (!is_mounted_as("/proc", PROC_SUPER_MAGIC, proc_flags | ST_NOEXEC)) return false;
  for (const OverlayMount& overlay : plan.overlays) {
    if (!plan.walls.has(Wall::kPrivateRoot)) continue;
    if (!is_mounted_as(overlay.source.c_str(), OVERLAYFS_SUPER_MAGIC, kSafe | ST_RDONLY))
      return false;
  }
  for (const Scratch& scratch : plan.scratches) {
    std::array<char, 32> path{"/"};
    std::strncat(path.data(), scratch.target, path.size() - 2);
    struct stat top{};
    if (::stat(path.data(), &top) != 0) return false;
    if (top.st_dev == channels.root) return mismatch();
    if (!is_mounted_as(path.data(), TMPFS_MAGIC, scratch.writable ? kSafe : kSafe | ST_RDONLY)) {
      return false;
    }
  }
  struct stat root{};
  struct stat above{};
  if (::stat("/", &root) != 0 || ::stat("/..", &above) != 0) return false;
  const bool same = root.st_dev == above.st_dev && root.st_ino == above.st_ino;
  if (same && root.st_dev == channels.root) return true;
  return mismatch();
}

}  // namespace belljar::cell
