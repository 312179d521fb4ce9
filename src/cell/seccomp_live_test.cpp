// The system-call policy in the kernel: the compiled programs installed in a child.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <vector>

#include "base/fd.h"
#include "cell/seccomp.h"

namespace belljar::cell {
namespace {

const SyscallProfile& default_profile() {
  return *find_profile("default");
}

long install(std::span<const sock_filter> program, unsigned flags) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  const sock_fprog filter{.len = static_cast<unsigned short>(program.size()),
                          .filter = const_cast<sock_filter*>(program.data())};
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
}

// The wait status of a child that runs `body` and exits with what it returns.
int status_of_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

int status_under_filter(const std::function<int()>& body) {
  return status_of_child([&] { return install(default_profile().plain, 0) == 0 ? body() : 255; });
}

bool fails(long result, int error) {
  return result == -1 && errno == error;
}

TEST(SeccompLive, DenialsAnswerWithTheirErrno) {
  constexpr std::uint64_t kGarbage = 0xdeadbeefULL << 32;
  const std::vector<std::function<bool()>> checks = {
      [] { return ::getpid() == ::syscall(SYS_getpid); },
      [] { return fails(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr), EPERM); },
      [] { return fails(::syscall(SYS_clone3, nullptr, 0), ENOSYS); },
      [] { return fails(::syscall(SYS_unshare, CLONE_NEWUSER), EPERM); },
      [] { return fails(::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), EPERM); },
      [] { return fails(::socket(AF_VSOCK, SOCK_STREAM, 0), EAFNOSUPPORT); },
      [=] {
        return fails(::syscall(SYS_socket, AF_VSOCK | kGarbage, SOCK_STREAM, 0), EAFNOSUPPORT);
      },
      [] { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0; },
      [] { return fails(::syscall(SYS_ioctl, 0, TIOCSTI, "x"), ENOTTY); },
      [=] { return fails(::syscall(SYS_ioctl, 0, TIOCSTI | kGarbage, "x"), ENOTTY); },
      [] { return fails(::prctl(PR_SCHED_CORE, 0, 0, 0, 0), EINVAL); },
      [] { return fails(::mknod("device", S_IFCHR | 0600, 0), EPERM); },
      [] {
        constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB;
        return fails(::syscall(SYS_mmap, 0, 1 << 21, PROT_READ, kFlags, -1, 0), ENOMEM);
      },
      [] { return ::syscall(SYS_sync) == 0; },
      [] { return fails(::syscall(SYS_mq_open, "/x", 0, 0, 0), ENOSYS); },
      [] { return fails(::syscall(999), ENOSYS); },
      [] { return fails(::syscall(-1), ENOSYS); },
  };
  for (std::size_t check = 0; check < checks.size(); ++check) {
    const int status = status_under_filter([&] { return checks[check]() ? 0 : 1; });
    EXPECT_TRUE(WIFEXITED(status)) << check;
    EXPECT_EQ(WEXITSTATUS(status), 0) << check;
  }
}

TEST(SeccompLive, ExitCodesAndSignalsComeBack) {
  EXPECT_EQ(WEXITSTATUS(status_under_filter([] { return 42; })), 42);
  EXPECT_EQ(WTERMSIG(status_under_filter([] { return ::raise(SIGTERM); })), SIGTERM);
}

TEST(SeccompLive, TheX32AbiEndsInSigsys) {
  const int status =
      status_under_filter([] { return static_cast<int>(::syscall(0x40000000 | SYS_getpid)); });
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGSYS);
}

TEST(SeccompLive, The32BitGateEndsInSigsys) {
  const auto getpid_of_i386 = [] {
    long result = 20;  // getpid in the i386 table
    asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
    return result > 0 ? 0 : 1;
  };
  const int control = status_of_child(getpid_of_i386);
  if (!WIFEXITED(control)) GTEST_SKIP() << "this kernel has no 32-bit gate";
  const int status = status_under_filter(getpid_of_i386);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGSYS);
}

TEST(SeccompLive, TheFilterIsInheritedAndCannotBeLoosened) {
  const int status = status_under_filter([] {
    const sock_filter allow[] = {
        {.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = SECCOMP_RET_ALLOW}};
    if (install(allow, 0) != 0) return 1;
    const pid_t child = ::fork();
    if (child == 0) ::_exit(fails(::syscall(SYS_unshare, CLONE_NEWUSER), EPERM) ? 0 : 2);
    int inner = -1;
    ::waitpid(child, &inner, 0);
    return WEXITSTATUS(inner);
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(SeccompLive, ACountedDenialReachesTheListenerAndAnswersWithItsErrno) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  Fd reader = Fd::adopt(ends[0]);
  Fd writer = Fd::adopt(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto listener =
        static_cast<int>(install(default_profile().counting, SECCOMP_FILTER_FLAG_NEW_LISTENER));
    if (::write(writer.get(), &listener, sizeof listener) != sizeof listener) ::_exit(2);
    ::_exit(fails(::syscall(SYS_keyctl, 0, 0, 0, 0, 0), EPERM) ? 7 : 1);
  }
  writer.reset();
  int remote = -1;
  ASSERT_EQ(::read(reader.get(), &remote, sizeof remote), ssize_t{sizeof remote});
  ASSERT_GE(remote, 0);
  const Fd process = Fd::adopt(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  const Fd listener =
      Fd::adopt(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), remote, 0)));
  ASSERT_TRUE(listener.valid());

  seccomp_notif call{};
  ASSERT_EQ(::ioctl(listener.get(), SECCOMP_IOCTL_NOTIF_RECV, &call), 0);
  EXPECT_EQ(syscall_name(call.data.nr), "keyctl");
  seccomp_notif_resp answer{};
  answer.id = call.id;
  answer.error = -denial_errno(default_profile(), call.data.nr);
  ASSERT_EQ(::ioctl(listener.get(), SECCOMP_IOCTL_NOTIF_SEND, &answer), 0);

  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

}  // namespace
}  // namespace belljar::cell
