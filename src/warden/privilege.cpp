#include "warden/privilege.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <sstream>
#include <string>
#include <vector>

#include "base/sys.h"

namespace belljar::warden {
namespace {

constexpr unsigned kWantedRange = 32769;  // two per lease, and root
constexpr ino_t kFirstUserNamespace =
    0xEFFFFFFD;  // PROC_USER_INIT_INO: the host's, on every kernel

// Where root of a container takes uids from: past the leases of root of the host, in a block by the
// number of its pid namespace. Containers do not see each other's leases; of 4096 blocks two that
// live at the same time seldom have the same one.
constexpr uid_t kFirstContainerUid = 0x50000000;
constexpr ino_t kContainerBlocks = 4096;

struct Range {
  std::string start;
  unsigned count = 0;
};

// What the steps of a cell need of root; a container's root lacks some of it.
Result<bool> has_capabilities_for_cells() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct got[2] = {};
  if (::syscall(SYS_capget, &header, got) != 0) return fail_errno("capget");
  constexpr std::uint32_t kNeeded = 1U << CAP_SYS_ADMIN | 1U << CAP_NET_ADMIN | 1U << CAP_SYS_TIME |
                                    1U << CAP_MKNOD | 1U << CAP_SETUID | 1U << CAP_SETGID |
                                    1U << CAP_SETPCAP | 1U << CAP_CHOWN | 1U << CAP_KILL;
  return (got[0].effective & kNeeded) == kNeeded;
}

Result<Range> container_range() {
  struct stat status{};
  if (::stat("/proc/self/ns/pid", &status) != 0) return fail_errno("/proc/self/ns/pid");
  const auto block = static_cast<uid_t>(status.st_ino % kContainerBlocks);
  return Range{.start = std::to_string(kFirstContainerUid + block * (kWantedRange - 1)),
               .count = kWantedRange - 1};
}

// subuid(5): "name-or-uid:start:count". Read directly: a static program has no business in NSS.
Result<Range> subordinate_range(const char* file, uid_t uid) {
  TRY_ASSIGN(const std::string text, sys::read_file(file, kMiB));
  TRY_ASSIGN(const std::string passwd, sys::read_file("/etc/passwd", 16 * kMiB));
  std::string name;
  const std::string uid_field = ":" + std::to_string(uid) + ":";
  for (std::size_t at = 0; at < passwd.size();) {
    const std::size_t end = std::min(passwd.find('\n', at), passwd.size());
    const std::string line = passwd.substr(at, end - at);
    at = end + 1;
    const std::size_t password = line.find(':');
    const std::size_t field =
        password == std::string::npos ? password : line.find(':', password + 1);
    if (field != std::string::npos && line.compare(field, uid_field.size(), uid_field) == 0) {
      name = line.substr(0, password);
      break;
    }
  }
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string who = line.substr(0, first);
    if (who != std::to_string(uid) && (name.empty() || who != name)) continue;
    Range range{.start = line.substr(first + 1, second - first - 1)};
    std::from_chars(line.data() + second + 1, line.data() + line.size(), range.count);
    if (range.count >= kWantedRange - 1) return range;
  }
  return fail(Code::kUnavailable, std::string(file) + " gives this user no range");
}

Status write_map(const char* path, const std::string& text) {
  TRY_ASSIGN(const Fd fd, sys::open_file(path, O_WRONLY));
  const Status written = sys::write_all(fd.get(), text);
  if (!written) return std::unexpected(written.error().context(path));
  return {};
}

// Who writes the map: root may do it alone, anybody else through newuidmap(1).
enum class MapBy { kRoot, kHelper };

// A range must be mapped from outside the namespace: by a child made before it is entered.
class Mapper {
 public:
  static Result<Mapper> start(const Range& uids, const Range& gids, MapBy by) {
    TRY_ASSIGN(sys::Pipe pipe, sys::make_pipe());
    const pid_t warden = ::getpid();
    const std::string uid = std::to_string(::getuid());
    const std::string gid = std::to_string(::getgid());
    const pid_t child = ::fork();
    if (child < 0) return fail_errno("fork");
    if (child == 0) {
      pipe.write.reset();
      char byte = 0;
      if (::read(pipe.read.get(), &byte, 1) != 1) ::_exit(1);
      const bool mapped =
          by == MapBy::kRoot
              ? map_directly(warden, "uid_map", uids) && map_directly(warden, "gid_map", gids)
              : run_map("newuidmap", warden, uid, uids) && run_map("newgidmap", warden, gid, gids);
      ::_exit(mapped ? 0 : 1);
    }
    return Mapper(child, std::move(pipe.write));
  }

  // Once the namespace has been entered.
  bool finish() && {
    [[maybe_unused]] const ssize_t done = ::write(go_.get(), "g", 1);
    go_.reset();  // where the word did not get through, the end does
    int status = 0;
    while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  Mapper(pid_t child, Fd go) : child_(child), go_(std::move(go)) {}

  static bool map_directly(pid_t warden, const char* map, const Range& range) {
    const std::string path = "/proc/" + std::to_string(warden) + "/" + map;
    return write_map(path.c_str(),
                     "0 0 1\n1 " + range.start + " " + std::to_string(range.count) + "\n")
        .has_value();
  }

  static bool run_map(const char* program,
                      pid_t warden,
                      const std::string& own,
                      const Range& range) {
    const pid_t child = ::fork();
    if (child == 0) {
      const std::string path = std::string("/usr/bin/") + program;
      const std::string pid = std::to_string(warden);
      const std::string count = std::to_string(kWantedRange - 1);
      ::execl(path.c_str(), program, pid.c_str(), "0", own.c_str(), "1", "1", range.start.c_str(),
              count.c_str(), static_cast<char*>(nullptr));
      ::_exit(127);
    }
    int status = 0;
    return child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
  }

  pid_t child_;
  Fd go_;
};

// Told by what the engines leave in the root; for the choice of an advice only.
bool in_container() {
  return ::access("/.dockerenv", F_OK) == 0 || ::access("/run/.containerenv", F_OK) == 0;
}

Status enter_user_namespace() {
  if (::unshare(CLONE_NEWUSER) == 0) return {};
  if (errno == EPERM && in_container()) {
    return fail(Code::kUnavailable,
                "cells need user namespaces, and this container refuses them: start it with "
                "--security-opt seccomp=unconfined --security-opt systempaths=unconfined, or see "
                "'Inside a container' in docs/operations.md");
  }
  return fail(Code::kUnavailable,
              "cells need root or user namespaces, and this host refuses them to you (" +
                  fail_errno("unshare").error().message +
                  "): see user.max_user_namespaces, kernel.unprivileged_userns_clone and "
                  "kernel.apparmor_restrict_unprivileged_userns");
}

// A mount namespace to mount in, and a network namespace that can be come back to from a cell's:
// entering one takes the capability in the user namespace that owns it (setns(2)).
Status own_the_rest() {
  if (::unshare(CLONE_NEWNS | CLONE_NEWNET) != 0) return fail_errno("unshare mount namespace");
  return {};
}

}  // namespace

std::optional<uid_t> uid_outside(std::string_view uid_map, uid_t inside) {
  std::istringstream lines{std::string(uid_map)};
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  std::uint64_t count = 0;
  while (lines >> from >> to >> count) {
    if (inside >= from && inside - from < count) return static_cast<uid_t>(to + inside - from);
  }
  return std::nullopt;
}

Result<Person> find_person() {
  struct stat user_namespace{};
  if (::stat("/proc/self/ns/user", &user_namespace) != 0) return fail_errno("/proc/self/ns/user");
  const uid_t uid = ::geteuid();
  if (user_namespace.st_ino == kFirstUserNamespace)
    return Person{.uid = uid, .root_of_host = uid == 0};
  TRY_ASSIGN(const std::string uid_map, sys::read_file("/proc/self/uid_map", kMiB));
  // An unmapped uid has no number outside either: the kernel's stand-in is all there is.
  return Person{.uid = uid_outside(uid_map, uid).value_or(uid), .root_of_host = false};
}

Result<cell::Privilege> become_root(const Person& person) {
  // Root without the capabilities is root of a container: a user namespace gives what it lacks.
  TRY_ASSIGN(const bool capable, has_capabilities_for_cells());
  if (person.root_of_host && capable) {
    if (::unshare(CLONE_NEWNS) != 0) return fail_errno("unshare mount namespace");
    return cell::Privilege::kRoot;
  }
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  const MapBy by = person.root_of_host ? MapBy::kRoot : MapBy::kHelper;
  const bool helpers =
      ::access("/usr/bin/newuidmap", X_OK) == 0 && ::access("/usr/bin/newgidmap", X_OK) == 0;
  const Result<Range> uids =
      by == MapBy::kRoot ? container_range() : subordinate_range("/etc/subuid", uid);
  const Result<Range> gids =
      by == MapBy::kRoot ? container_range() : subordinate_range("/etc/subgid", uid);
  if (uids && gids && (by == MapBy::kRoot || helpers)) {
    TRY_ASSIGN(Mapper mapper, Mapper::start(*uids, *gids, by));
    TRY(enter_user_namespace());
    if (std::move(mapper).finish() && ::setresgid(0, 0, 0) == 0 && ::setresuid(0, 0, 0) == 0) {
      TRY(own_the_rest());
      return cell::Privilege::kUidRange;
    }
    // Refused: the namespace has no map yet, so the single uid can still be mapped.
  } else {
    TRY(enter_user_namespace());
  }
  TRY(write_map("/proc/self/setgroups", "deny"));
  TRY(write_map("/proc/self/uid_map", "0 " + std::to_string(uid) + " 1\n"));
  TRY(write_map("/proc/self/gid_map", "0 " + std::to_string(gid) + " 1\n"));
  TRY(own_the_rest());
  return cell::Privilege::kSingleUid;
}

}  // namespace belljar::warden
