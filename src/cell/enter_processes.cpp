#include "cell/enter_processes.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "cell/init_protocol.h"
#include "cell/readback.h"

namespace belljar::cell {
namespace {

constexpr const char* kHostname = "cell";

bool write_whole(const char* path, const char* text, std::size_t size) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t done = ::write(fd, text, size);
  const int error = errno;
  ::close(fd);
  errno = error;
  return done == static_cast<ssize_t>(size);
}

// The whole of a small /proc file, NUL-terminated; false when it does not fit.
bool read_small(const char* path, std::array<char, 4096>& buffer) {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t got = ::read(fd, buffer.data(), buffer.size() - 1);
  const int error = errno;
  ::close(fd);
  errno = got >= 0 ? EOVERFLOW : error;
  if (got < 0 || static_cast<std::size_t>(got) == buffer.size() - 1) return false;
  buffer[static_cast<std::size_t>(got)] = '\0';
  return true;
}

// Up and out of the way of the low numbers that dup2 is about to fill.
bool move_up(int& fd) {
  if (fd < 0) return true;
  fd = ::fcntl(fd, F_DUPFD_CLOEXEC, 64);
  return fd >= 0;
}

}  // namespace

bool map_user(const LaunchPlan& plan) {
  if (!plan.identity.nested_user_namespace) return true;
  // setgroups must be denied before an unprivileged gid map is written, user_namespaces(7).
  return write_whole("/proc/self/setgroups", "deny", 4) &&
         write_whole("/proc/self/uid_map", plan.uid_map.data(), plan.uid_map.size()) &&
         write_whole("/proc/self/gid_map", plan.uid_map.data(), plan.uid_map.size()) &&
         ::getuid() == plan.identity.user;
}

bool reset_signals() {
  // CLONE_CLEAR_SIGHAND spares what is ignored, and whoever started the warden may have ignored
  // anything. By raw call: the library's hides the two signals it keeps for itself.
  struct KernelAction {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)();
    std::uint64_t mask;
  };
  const KernelAction standard{};
  for (int signal = 1; signal <= 64; ++signal) {
    if (signal == SIGKILL || signal == SIGSTOP) continue;
    if (::syscall(SYS_rt_sigaction, signal, &standard, nullptr, sizeof standard.mask) != 0)
      return false;
    KernelAction got{.handler = SIG_IGN, .flags = 0, .restorer = nullptr, .mask = 0};
    if (::syscall(SYS_rt_sigaction, signal, nullptr, &got, sizeof got.mask) != 0) return false;
    if (got.handler != SIG_DFL) return mismatch();
  }
  const std::uint64_t none = 0;
  return ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none) == 0;
}

bool open_channels(Channels& channels) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
  channels.go_read = ends[0];
  channels.go_write = ends[1];
  return true;
}

bool bring_loopback_up() {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return false;
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  const bool ok = ::ioctl(socket, SIOCSIFFLAGS, &request) == 0;
  const int error = errno;
  ::close(socket);
  errno = error;
  return ok;
}

bool join_network(const LaunchPlan& plan) {
  if (!plan.walls.has(Wall::kNetNamespace)) return true;
  // A namespace that was cloned with this process has its `lo` still down.
  if (plan.fds.net < 0) return !plan.loopback || bring_loopback_up();
  if (::setns(plan.fds.net, CLONE_NEWNET) != 0) return false;
  struct stat wanted{};
  struct stat got{};
  if (::fstat(plan.fds.net, &wanted) != 0 || ::stat("/proc/self/ns/net", &got) != 0) return false;
  return wanted.st_ino == got.st_ino || mismatch();
}

bool own_clocks(const LaunchPlan& plan) {
  if (!plan.walls.has(Wall::kTimeNamespace)) return true;
  // Holds for the children: pid 2 is the first to live in it, time_namespaces(7).
  return ::unshare(CLONE_NEWTIME) == 0 &&
         write_whole("/proc/self/timens_offsets", plan.time_offsets.data(),
                     plan.time_offsets.size());
}

bool allow_oom_kill() {
  return write_whole("/proc/self/oom_score_adj", "0", 1);
}

bool join_groups(const std::vector<int>& tasks) {
  for (const int fd : tasks) {
    if (::write(fd, "0", 1) != 1) return false;
  }
  return true;
}

bool set_hostname(const LaunchPlan& plan) {
  if (!plan.walls.has(Wall::kUtsNamespace)) return true;
  if (::sethostname(kHostname, std::strlen(kHostname)) != 0 || ::setdomainname("", 0) != 0)
    return false;
  utsname names{};
  return ::uname(&names) == 0 && (std::strcmp(names.nodename, kHostname) == 0 || mismatch());
}

long fork_program(const LaunchPlan& plan) {
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  if (plan.interpreter != nullptr) {
    // The C library goes on in the child and must find its new thread id where it keeps it, as its
    // own fork(3) sees to.
    arguments.flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
    arguments.child_tid = plan.thread_id;
  }
  if (plan.fds.user_birthplace >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(plan.fds.user_birthplace);
  }
  return ::syscall(SYS_clone3, &arguments, sizeof arguments);
}

bool verify_groups(const LaunchPlan& plan) {
  if (plan.cgroup_count == 0) return true;
  std::array<char, 4096> text{};
  if (!read_small("/proc/self/cgroup", text)) return false;
  unsigned found = 0;
  for (const char* at = text.data(); (at = std::strstr(at, plan.cgroup_mark.c_str())) != nullptr;
       ++at) {
    // "/belljar/c1" must not be found in "/belljar/c12".
    const char next = at[plan.cgroup_mark.size()];
    if (next == '\n' || next == '/' || next == '\0') ++found;
  }
  return found == plan.cgroup_count || mismatch();
}

bool own_cgroup_namespace(const LaunchPlan& plan) {
  if (!plan.walls.has(Wall::kCgroupNamespace)) return true;
  // After the groups were joined: the namespace's root is where this process is now.
  if (::unshare(CLONE_NEWCGROUP) != 0) return false;
  if (plan.cgroup_count == 0) return true;
  std::array<char, 4096> text{};
  if (!read_small("/proc/self/cgroup", text)) return false;
  return std::strstr(text.data(), plan.cgroup_mark.c_str()) == nullptr || mismatch();
}

bool own_session(const LaunchPlan& plan) {
  const pid_t session = ::setsid();
  if (session < 0) return false;
  if (session != ::getpid()) return mismatch();
  return !plan.terminal || ::ioctl(plan.fds.in, TIOCSCTTY, 0) == 0;
}

bool give_pipe(int fd, uid_t user) {
  struct statfs status{};
  if (::fstatfs(fd, &status) != 0) return false;
  return status.f_type != PIPEFS_MAGIC || ::fchown(fd, user, user) == 0;
}

bool install_stdio(const LaunchPlan& plan) {
  int in = plan.fds.in;
  int out = plan.fds.out;
  int err = plan.fds.err;
  if (!move_up(in) || !move_up(out) || !move_up(err)) return false;
  if (!plan.identity.nested_user_namespace) {
    for (const int fd : {in, out, err}) {
      if (!give_pipe(fd, plan.identity.user)) return false;
    }
  }
  // dup2 clears close-on-exec on the copies; everything else is closed by the execution.
  return ::dup2(in, 0) == 0 && ::dup2(out, 1) == 1 && ::dup2(err, 2) == 2;
}

bool close_spare_descriptors(const LaunchPlan& plan, const Channels& channels) {
  std::array<int, 5> kept{plan.fds.report, channels.go_read, plan.fds.program, plan.fds.park,
                          channels.box};
  std::ranges::sort(kept);
  unsigned from = STDERR_FILENO + 1;
  for (const int fd : kept) {
    if (fd < 0) continue;
    const auto number = static_cast<unsigned>(fd);
    if (number > from && ::syscall(SYS_close_range, from, number - 1, 0U) != 0) return false;
    from = number + 1;
  }
  return ::syscall(SYS_close_range, from, ~0U, 0U) == 0;
}

bool wait_for_init(int go_read) {
  char byte = 0;
  ssize_t got = 0;
  do {
    got = ::read(go_read, &byte, 1);
  } while (got < 0 && errno == EINTR);
  if (got == 1) return true;
  if (got == 0) errno = EPIPE;
  return false;
}

void execute_program(const LaunchPlan& plan) {
  // Nothing but 0, 1 and 2 may be open in the program, whoever forgot a flag.
  if (::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) != 0) return;
  if (plan.fds.program >= 0) {
    ::syscall(SYS_execveat, plan.fds.program, "", plan.argv.data(), plan.envp.data(),
              AT_EMPTY_PATH);
  } else {
    ::execve(plan.argv[0], plan.argv.data(), plan.envp.data());
  }
}

bool arrange_for_init(const LaunchPlan& plan, const Channels& channels) {
  int control = plan.fds.control;
  int go = channels.go_write;
  int image = plan.fds.init_image;
  int report = plan.fds.report;
  for (int* const fd : {&control, &go, &image, &report}) {
    if (!move_up(*fd)) return false;
  }
  if (::dup2(control, kInitControlFd) < 0 || ::dup2(go, kInitGoFd) < 0) return false;
  if (::dup3(image, kInitImageFd, O_CLOEXEC) < 0) return false;
  if (::dup2(report, kInitReportFd) < 0) return false;
  return ::syscall(SYS_close_range, 0U, 2U, 0U) == 0 &&
         ::syscall(SYS_close_range, kInitReportFd + 1U, ~0U, 0U) == 0;
}

void execute_init(const LaunchPlan& plan) {
  std::array<char*, 1> no_environment{nullptr};
  ::syscall(SYS_execveat, kInitImageFd, "", plan.init_argv.data(), no_environment.data(),
            AT_EMPTY_PATH);
}

}  // namespace belljar::cell
