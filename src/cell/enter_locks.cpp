#include "cell/enter_locks.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "cell/enter.h"
#include "cell/readback.h"

namespace belljar::cell {
namespace {

// The kernel's struct of ABI 6; older kernels accept the longer one when the rest is zero.
struct RulesetAttributes {
  std::uint64_t handled_fs;
  std::uint64_t handled_net;
  std::uint64_t scoped;
};

constexpr std::uint64_t kFileRights = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                      LANDLOCK_ACCESS_FS_READ_FILE | 1ULL << 14 | 1ULL << 15;

bool opens(int probe) {
  std::array<char, 32> path{};
  std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", probe);
  const int fd = ::open(path.data(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ::close(fd);
  return true;
}

bool add_rule(int ruleset, const LandlockRule& rule) {
  landlock_path_beneath_attr beneath{};
  beneath.allowed_access = rule.access;
  beneath.parent_fd = ::open(rule.path.c_str(), O_PATH | O_CLOEXEC);
  if (beneath.parent_fd < 0) return false;
  struct stat status{};
  // Every file has a type: an answer without one was none, and would make the rule narrower.
  bool ok = ::fstat(beneath.parent_fd, &status) == 0 && (status.st_mode != 0 || mismatch());
  if (ok && !S_ISDIR(status.st_mode)) beneath.allowed_access &= kFileRights;
  ok =
      ok && ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0;
  const int error = errno;
  ::close(beneath.parent_fd);
  errno = error;
  return ok;
}

bool send_listener(int report, int listener) {
  const EnterReport message{.kind = EnterReport::Kind::kListener};
  iovec vector{.iov_base = const_cast<EnterReport*>(&message), .iov_len = sizeof message};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* const rights = CMSG_FIRSTHDR(&header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof listener);
  std::memcpy(CMSG_DATA(rights), &listener, sizeof listener);
  return ::sendmsg(report, &header, MSG_NOSIGNAL) == sizeof message;
}

}  // namespace

bool landlock(const LaunchPlan& plan, int probe) {
  if (!plan.walls.has(Wall::kLandlock)) return true;
  if (!opens(probe)) return false;
  const RulesetAttributes attributes{
      .handled_fs = plan.landlock_handled, .handled_net = 0, .scoped = plan.landlock_scoped};
  // Zero tail fields are cut so that kernels that do not know them see the size they know.
  const std::size_t size =
      plan.landlock_scoped != 0 ? sizeof attributes : sizeof attributes.handled_fs;
  const auto ruleset =
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0));
  if (ruleset < 0) return false;
  bool ok = true;
  for (const LandlockRule& rule : plan.landlock_rules) ok = ok && add_rule(ruleset, rule);
  ok = ok && ::syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
  const int error = errno;
  ::close(ruleset);
  errno = error;
  if (!ok) return false;
  if (opens(probe)) return mismatch();
  return errno == EACCES || mismatch();
}

bool limit_resources(const LaunchPlan& plan) {
  if (!plan.walls.has(Wall::kRlimits)) return true;
  for (const ResourceLimit& limit : plan.rlimits) {
    rlimit current{.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    const auto resource = static_cast<__rlimit_resource>(limit.resource);
    if (::prlimit(0, resource, nullptr, &current) != 0) return false;
    const rlimit wanted{.rlim_cur = std::min(limit.soft, current.rlim_max),
                        .rlim_max = std::min(limit.hard, current.rlim_max)};
    if (::prlimit(0, resource, &wanted, nullptr) != 0) return false;
    rlimit got{};
    if (::prlimit(0, resource, nullptr, &got) != 0) return false;
    if (got.rlim_cur != wanted.rlim_cur || got.rlim_max != wanted.rlim_max) return mismatch();
  }
  return true;
}

bool filter_calls(const LaunchPlan& plan) {
  if (!plan.walls.has(Wall::kSeccomp)) return true;
  const sock_fprog program{.len = static_cast<unsigned short>(plan.user_filter.size()),
                           .filter = const_cast<sock_filter*>(plan.user_filter.data())};
  const unsigned flags =
      plan.user_filter_counts
          ? SECCOMP_FILTER_FLAG_NEW_LISTENER |
                (plan.listener_wait_killable ? SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV : 0U)
          : 0U;
  const long result = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
  if (result < 0) return false;
  if (plan.user_filter_counts) {
    if (!send_listener(plan.fds.report, static_cast<int>(result))) return false;
    if (::close(static_cast<int>(result)) != 0) return false;
  }
  return ::prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER || mismatch();
}

}  // namespace belljar::cell
