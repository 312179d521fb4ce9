#include "warden/privilege.h"

#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string>
#include <vector>

#include "base/sys.h"

namespace belljar::warden {
namespace {

constexpr unsigned kWantedRange = 32769;  // two per lease, and root

struct Range {
  std::string start;
  unsigned count = 0;
};

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
  return sys::write_all(fd.get(), text);
}

// newuidmap(1) must be run from outside the namespace: by a child made before it is entered.
class Mapper {
 public:
  static Result<Mapper> start(const Range& uids, const Range& gids) {
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
          run_map("newuidmap", warden, uid, uids) && run_map("newgidmap", warden, gid, gids);
      ::_exit(mapped ? 0 : 1);
    }
    return Mapper(child, std::move(pipe.write));
  }

  // Once the namespace has been entered.
  bool finish() && {
    [[maybe_unused]] const ssize_t done = ::write(go_.get(), "g", 1);
    int status = 0;
    while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  Mapper(pid_t child, Fd go) : child_(child), go_(std::move(go)) {}

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

Status enter_user_namespace() {
  if (::unshare(CLONE_NEWUSER) == 0) return {};
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

Result<cell::Privilege> become_root() {
  if (::geteuid() == 0) {
    if (::unshare(CLONE_NEWNS) == 0) return cell::Privilege::kRoot;
    // Root without the capability is root of a container: a user namespace gives what it lacks.
    if (errno != EPERM) return fail_errno("unshare mount namespace");
  }
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  const Result<Range> uids = subordinate_range("/etc/subuid", uid);
  const Result<Range> gids = subordinate_range("/etc/subgid", uid);
  if (uids && gids && ::access("/usr/bin/newuidmap", X_OK) == 0 &&
      ::access("/usr/bin/newgidmap", X_OK) == 0) {
    TRY_ASSIGN(Mapper mapper, Mapper::start(*uids, *gids));
    TRY(enter_user_namespace());
    if (std::move(mapper).finish() && ::setresgid(0, 0, 0) == 0 && ::setresuid(0, 0, 0) == 0) {
      TRY(own_the_rest());
      return cell::Privilege::kUidRange;
    }
    // newuidmap refused: the namespace has no map yet, so the single uid can still be mapped.
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
