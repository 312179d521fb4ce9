#include "app/confinement.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/sys.h"

namespace belljar::app {
namespace {

Status drop_identity(uid_t uid) {
  if (::geteuid() == 0) {
    for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
      if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return fail_errno("PR_CAPBSET_DROP");
    }
    if (::setgroups(0, nullptr) != 0) return fail_errno("setgroups");
    if (::setresgid(uid, uid, uid) != 0) return fail_errno("setresgid");
    if (::setresuid(uid, uid, uid) != 0) return fail_errno("setresuid");
    if (::getuid() != uid || ::setresuid(0, 0, 0) == 0) {
      return fail(Code::kInternal, "this process could become root again");
    }
  }
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) return fail_errno("capset");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("PR_SET_NO_NEW_PRIVS");
  return {};
}

constexpr std::uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kWrite = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                                 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                                 LANDLOCK_ACCESS_FS_MAKE_DIR;

// As of Linux 6.7, which Debian's headers do not know yet.
constexpr int kNetAbi = 4;
constexpr std::uint64_t kBindTcp = 1U << 0U;
constexpr std::uint64_t kConnectTcp = 1U << 1U;
constexpr int kNetPortRule = 2;
struct NetRuleset {
  std::uint64_t files = 0;
  std::uint64_t net = 0;
};
struct NetPort {
  std::uint64_t access = 0;
  std::uint64_t port = 0;
};

// A ruleset of its own: those of files hold whatever becomes of it.
Status restrict_net(std::span<const std::uint16_t> ports) {
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < kNetAbi) return {};
  const NetRuleset attributes{.files = 0, .net = kBindTcp | kConnectTcp};
  const Fd ruleset = Fd::adopt(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
  if (!ruleset.valid()) return fail_errno("landlock_create_ruleset");
  for (const std::uint16_t port : ports) {
    const NetPort rule{.access = kConnectTcp, .port = port};
    if (::syscall(SYS_landlock_add_rule, ruleset.get(), kNetPortRule, &rule, 0) != 0) {
      return fail_errno("landlock_add_rule");
    }
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    return fail_errno("landlock_restrict_self");
  }
  return {};
}

struct FileRule {
  std::string path;
  std::uint64_t access;
  bool needed = true;
};

Status add_rule(int ruleset, const FileRule& rule) {
  const auto folder = sys::open_file(rule.path.c_str(), O_PATH);
  if (!folder && !rule.needed) return {};
  if (!folder) return std::unexpected(folder.error());
  const landlock_path_beneath_attr beneath{.allowed_access = rule.access,
                                           .parent_fd = folder->get()};
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0) {
    return fail_errno("landlock_add_rule");
  }
  return {};
}

Status restrict_files(std::initializer_list<FileRule> rules) {
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1) return {};
  const landlock_ruleset_attr attributes{
      .handled_access_fs = kRead | kWrite | LANDLOCK_ACCESS_FS_EXECUTE |
                           LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                           LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                           LANDLOCK_ACCESS_FS_MAKE_SYM};
  const Fd ruleset = Fd::adopt(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
  if (!ruleset.valid()) return fail_errno("landlock_create_ruleset");
  for (const FileRule& rule : rules) TRY(add_rule(ruleset.get(), rule));
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    return fail_errno("landlock_restrict_self");
  }
  return {};
}

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#endif

// What a sender never does and somebody who took it over would like to.
constexpr int kNeverCalled[] = {
    SYS_execve,
    SYS_execveat,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kill,
    SYS_tkill,
    SYS_pidfd_open,
    SYS_pidfd_getfd,
    SYS_pidfd_send_signal,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_unshare,
    SYS_setns,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_io_uring_setup,
    SYS_userfaultfd,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_memfd_create,
    SYS_personality,
    SYS_init_module,
    SYS_finit_module,
    SYS_kexec_load,
    SYS_open_by_handle_at,
    SYS_listen,
    SYS_accept,
    SYS_accept4,
    SYS_socketpair,
    SYS_fsopen,
    SYS_move_mount,
#if defined(__x86_64__)
    SYS_fork,
    SYS_vfork,
#endif
};

Status restrict_calls() {
  constexpr auto load = [](std::size_t offset) {
    return sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
  };
  constexpr auto answer = [](std::uint32_t what) {
    return sock_filter BPF_STMT(BPF_RET | BPF_K, what);
  };
  // Skips so many instructions where what is loaded is not that.
  constexpr auto unless = [](std::uint32_t value, std::uint8_t skip) {
    return sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip);
  };
  constexpr auto refuse = [](int error) {
    return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error);
  };
  std::vector<sock_filter> code{load(offsetof(seccomp_data, arch)), unless(kArchitecture, 1),
                                sock_filter BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
                                answer(SECCOMP_RET_KILL_PROCESS), load(offsetof(seccomp_data, nr))};
  // The other ABI of x86-64, x32, has numbers of its own.
  code.push_back(sock_filter BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000U, 0, 1));
  code.push_back(answer(SECCOMP_RET_KILL_PROCESS));
  for (const int call : kNeverCalled) {
    code.push_back(unless(static_cast<std::uint32_t>(call), 1));
    code.push_back(answer(refuse(EPERM)));
  }
  // Threads, but no processes; clone3 hides its flags, and glibc does without it.
  code.push_back(unless(SYS_clone3, 1));
  code.push_back(answer(refuse(ENOSYS)));
  code.push_back(unless(SYS_clone, 4));
  code.push_back(load(offsetof(seccomp_data, args[0])));
  code.push_back(sock_filter BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0));
  code.push_back(answer(refuse(EPERM)));
  code.push_back(answer(SECCOMP_RET_ALLOW));
  // IP, and netlink to list this host's own addresses.
  code.push_back(unless(SYS_socket, 8));
  code.push_back(load(offsetof(seccomp_data, args[0])));
  for (const int domain : {AF_INET, AF_INET6, AF_NETLINK}) {
    code.push_back(unless(static_cast<std::uint32_t>(domain), 1));
    code.push_back(answer(SECCOMP_RET_ALLOW));
  }
  code.push_back(answer(refuse(EAFNOSUPPORT)));
  code.push_back(answer(SECCOMP_RET_ALLOW));
  const sock_fprog program{.len = static_cast<unsigned short>(code.size()), .filter = code.data()};
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
    return fail_errno("PR_SET_SECCOMP");
  return {};
}

}  // namespace

Status confine_gateway(uid_t uid,
                       const std::string& state_dir,
                       std::span<const std::uint16_t> ports) {
  TRY(drop_identity(uid));
  TRY(restrict_net(ports));
  // Pseudo-terminals are for interactive runs.
  constexpr std::uint64_t kUse = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
  return restrict_files({{.path = "/", .access = kRead},
                         {.path = state_dir, .access = kRead | kWrite},
                         {.path = "/dev/ptmx", .access = kUse, .needed = false},
                         {.path = "/dev/pts", .access = kUse, .needed = false}});
}

Status confine_sender(uid_t uid) {
  TRY(drop_identity(uid));
  // Where resolv.conf is, or what it is a link to. Whole folders, because it is replaced at any
  // time.
  constexpr std::uint64_t kReadFile = LANDLOCK_ACCESS_FS_READ_FILE;
  TRY(restrict_files({{.path = "/etc", .access = kReadFile},
                      {.path = "/run/systemd/resolve", .access = kReadFile, .needed = false},
                      {.path = "/run/resolvconf", .access = kReadFile, .needed = false},
                      {.path = "/run/NetworkManager", .access = kReadFile, .needed = false}}));
  return restrict_calls();
}

}  // namespace belljar::app
