// The system-call policy: a table of what every group of calls gets, put to the compiled programs
// by the evaluator.
#include "cell/seccomp.h"

#include <asm/prctl.h>
#include <asm/termbits.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <map>
#include <vector>

#include "cell/bpf_evaluator.h"

namespace belljar::cell {
namespace {

struct Expected {
  std::uint32_t plain;
  std::uint32_t counting;
};
constexpr Expected kAllowed{SECCOMP_RET_ALLOW, SECCOMP_RET_ALLOW};
constexpr Expected kSkipped{SECCOMP_RET_ERRNO, SECCOMP_RET_ERRNO};
constexpr Expected kKilled{SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_PROCESS};

constexpr Expected quiet(int error) {
  const auto verdict = SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error);
  return {verdict, verdict};
}
constexpr Expected counted(int error) {
  return {SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error), SECCOMP_RET_USER_NOTIF};
}

// Constants of all their types, as the register holds them.
constexpr auto words(auto... values) {
  return std::array<std::uint64_t, sizeof...(values)>{static_cast<std::uint64_t>(values)...};
}

struct Row {
  const char* group;
  int number;
  std::array<std::uint64_t, 6> args;
  Expected expected;
  bool wide = false;  // an argument is compared as a whole
};

std::string describe(const Result<std::uint32_t>& verdict) {
  if (!verdict) return verdict.error().message;
  switch (*verdict & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
      return "allow";
    case SECCOMP_RET_USER_NOTIF:
      return "notify";
    case SECCOMP_RET_KILL_PROCESS:
      return "kill";
    case SECCOMP_RET_ERRNO:
      return "errno " + std::to_string(*verdict & SECCOMP_RET_DATA);
    default:
      return "verdict " + std::to_string(*verdict);
  }
}

seccomp_data data_of(std::uint32_t number,
                     const std::array<std::uint64_t, 6>& args = {},
                     std::uint32_t arch = AUDIT_ARCH_X86_64) {
  seccomp_data data{
      .nr = static_cast<int>(number), .arch = arch, .instruction_pointer = 0, .args = {}};
  std::ranges::copy(args, data.args);
  return data;
}

void expect(const SyscallProfile& profile,
            const seccomp_data& data,
            const Expected& expected,
            std::string_view what) {
  EXPECT_EQ(describe(evaluate_bpf(profile.plain, data)), describe(expected.plain))
      << what << ", plain, number " << data.nr;
  EXPECT_EQ(describe(evaluate_bpf(profile.counting, data)), describe(expected.counting))
      << what << ", counting, number " << data.nr;
}

const SyscallProfile& default_profile() {
  return *find_profile("default");
}
const SyscallProfile& init_profile() {
  return *find_profile("init");
}

// Every denial of the default profile that does not depend on arguments. Whatever has a name and is
// neither here nor in default_rows() is allowed.
const std::map<std::string, Expected>& denials() {
  static const std::map<std::string, Expected> kDenials = [] {
    const std::pair<Expected, std::vector<const char*>> groups[] = {
        {quiet(ENOSYS),
         {"clone3", "io_uring_setup", "io_uring_enter", "io_uring_register", "memfd_secret",
          "remap_file_pages", "modify_ldt", "cachestat", "get_mempolicy", "futex_wake",
          "futex_wait", "futex_requeue", "statmount", "listmount", "listns", "file_getattr",
          "file_setattr"}},
        {quiet(ENOSYS),
         {"_sysctl", "sysfs", "ustat", "uselib", "create_module", "get_kernel_syms", "query_module",
          "nfsservctl", "getpmsg", "putpmsg", "afs_syscall", "tuxcall", "security", "vserver",
          "epoll_ctl_old", "epoll_wait_old", "set_thread_area", "get_thread_area"}},
        {counted(ENOSYS),
         {"io_setup", "io_destroy", "io_submit", "io_cancel", "io_getevents", "io_pgetevents",
          "vmsplice", "mq_open", "mq_unlink", "mq_timedsend", "mq_timedreceive", "mq_notify",
          "mq_getsetattr"}},
        {counted(EPERM),
         {"unshare", "setns", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise",
          "process_mrelease", "kcmp", "pidfd_getfd", "perf_event_open", "lookup_dcookie",
          "userfaultfd"}},
        {quiet(EPERM),
         {"mbind", "set_mempolicy", "set_mempolicy_home_node", "migrate_pages", "move_pages"}},
        {counted(EPERM),
         {"mount",
          "umount2",
          "pivot_root",
          "chroot",
          "open_tree",
          "open_tree_attr",
          "move_mount",
          "fsopen",
          "fsconfig",
          "fsmount",
          "fspick",
          "mount_setattr",
          "quotactl",
          "quotactl_fd",
          "swapon",
          "swapoff",
          "acct",
          "name_to_handle_at",
          "open_by_handle_at",
          "fanotify_init",
          "fanotify_mark"}},
        {counted(EPERM),
         {"bpf",
          "kexec_load",
          "kexec_file_load",
          "init_module",
          "finit_module",
          "delete_module",
          "reboot",
          "syslog",
          "settimeofday",
          "clock_settime",
          "adjtimex",
          "clock_adjtime",
          "iopl",
          "ioperm",
          "sethostname",
          "setdomainname",
          "vhangup",
          "ioprio_set",
          "lsm_get_self_attr",
          "lsm_set_self_attr",
          "lsm_list_modules",
          "add_key",
          "request_key",
          "keyctl"}},
        {kSkipped, {"sync"}},
    };
    std::map<std::string, Expected> denials;
    for (const auto& [expected, calls] : groups) {
      for (const char* call : calls) denials.emplace(call, expected);
    }
    return denials;
  }();
  return kDenials;
}

void add_clone(std::vector<Row>& rows) {
  const std::uint64_t thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                               CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
                               CLONE_CHILD_CLEARTID;
  rows.push_back({"clone", SYS_clone, {thread}, kAllowed});
  rows.push_back({"clone", SYS_clone, {SIGCHLD}, kAllowed});
  rows.push_back({"clone", SYS_clone, {CLONE_VM | CLONE_VFORK | SIGCHLD}, kAllowed});
  for (const std::uint64_t flag : words(CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                        CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET)) {
    rows.push_back({"clone", SYS_clone, {flag | SIGCHLD}, counted(EPERM)});
  }
}

void add_sockets(std::vector<Row>& rows) {
  constexpr std::uint64_t kFlags = SOCK_CLOEXEC | SOCK_NONBLOCK;
  for (const std::uint64_t type : words(SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET)) {
    rows.push_back({"unix", SYS_socket, {AF_UNIX, type}, kAllowed});
    rows.push_back({"unix", SYS_socket, {AF_UNIX, type | kFlags}, kAllowed});
  }
  rows.push_back({"unix", SYS_socket, {AF_UNIX, SOCK_RAW}, counted(EAFNOSUPPORT)});
  for (const std::uint64_t family : words(AF_INET, AF_INET6)) {
    for (const std::uint64_t protocol : words(0, IPPROTO_TCP)) {
      rows.push_back({"tcp", SYS_socket, {family, SOCK_STREAM, protocol}, kAllowed});
      rows.push_back({"tcp", SYS_socket, {family, SOCK_STREAM | kFlags, protocol}, kAllowed});
    }
    for (const std::uint64_t protocol : words(0, IPPROTO_UDP)) {
      rows.push_back({"udp", SYS_socket, {family, SOCK_DGRAM | SOCK_CLOEXEC, protocol}, kAllowed});
      rows.push_back({"udp", SYS_socket, {family, SOCK_DGRAM | SOCK_NONBLOCK, protocol}, kAllowed});
    }
    rows.push_back({"mptcp",
                    SYS_socket,
                    {family, SOCK_STREAM | kFlags, IPPROTO_MPTCP},
                    quiet(EPROTONOSUPPORT)});
    rows.push_back(
        {"mptcp", SYS_socket, {family, SOCK_DGRAM, IPPROTO_MPTCP}, counted(EAFNOSUPPORT)});
    for (const std::uint64_t type :
         words(SOCK_RAW, SOCK_RDM, SOCK_SEQPACKET, SOCK_DCCP, SOCK_PACKET)) {
      rows.push_back({"raw", SYS_socket, {family, type | kFlags, 0}, counted(EAFNOSUPPORT)});
    }
    for (const std::uint64_t protocol : words(IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_RAW)) {
      rows.push_back(
          {"protocol", SYS_socket, {family, SOCK_STREAM, protocol}, counted(EAFNOSUPPORT)});
    }
    for (const std::uint64_t protocol :
         words(IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_ICMPV6, IPPROTO_UDPLITE)) {
      rows.push_back({"ping", SYS_socket, {family, SOCK_DGRAM, protocol}, counted(EAFNOSUPPORT)});
    }
  }
  for (std::uint64_t family = 0; family < 256; ++family) {
    if (family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK)
      continue;
    for (const std::uint64_t type : words(SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET)) {
      rows.push_back({"T096", SYS_socket, {family, type | kFlags}, counted(EAFNOSUPPORT)});
      rows.push_back({"T096", SYS_socket, {family, type, IPPROTO_MPTCP}, counted(EAFNOSUPPORT)});
    }
  }
  for (const std::uint64_t type : words(SOCK_RAW, SOCK_DGRAM)) {
    rows.push_back({"T097", SYS_socket, {AF_NETLINK, type | kFlags, NETLINK_ROUTE}, kAllowed});
    rows.push_back({"T097", SYS_socket, {AF_NETLINK, type, IPPROTO_MPTCP}, counted(EAFNOSUPPORT)});
    for (std::uint64_t protocol = 1; protocol < 32; ++protocol) {
      rows.push_back({"T097", SYS_socket, {AF_NETLINK, type, protocol}, counted(EAFNOSUPPORT)});
    }
  }
  rows.push_back(
      {"T097", SYS_socket, {AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE}, counted(EAFNOSUPPORT)});
  for (std::uint64_t family = 0; family < 64; ++family) {
    rows.push_back({"socketpair",
                    SYS_socketpair,
                    {family, SOCK_STREAM | kFlags},
                    family == AF_UNIX ? kAllowed : counted(EAFNOSUPPORT)});
  }
}

void add_socket_options(std::vector<Row>& rows) {
  const auto option = [&](int level, int name, const Expected& expected) {
    rows.push_back({"setsockopt",
                    SYS_setsockopt,
                    {3, static_cast<std::uint64_t>(level), static_cast<std::uint64_t>(name)},
                    expected});
  };
  for (const int name :
       {SO_REUSEADDR, SO_KEEPALIVE, SO_RCVBUF, SO_REUSEPORT, SO_LINGER, SO_DETACH_FILTER}) {
    option(SOL_SOCKET, name, kAllowed);
  }
  for (const int name : {SO_ATTACH_FILTER, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF,
                         SO_ATTACH_REUSEPORT_EBPF, SO_BINDTODEVICE}) {
    option(SOL_SOCKET, name, counted(EPERM));
  }
  option(IPPROTO_TCP, TCP_NODELAY, kAllowed);
  // The same number means another option at another level.
  option(IPPROTO_TCP, SO_ATTACH_FILTER, kAllowed);
  option(IPPROTO_IP, TCP_ULP, kAllowed);
  option(IPPROTO_TCP, UDP_ENCAP, kAllowed);
  option(SOL_SOCKET, 64, kAllowed);
  option(SOL_SOCKET, IP_ADD_MEMBERSHIP, kAllowed);
  option(SOL_SOCKET, IPV6_JOIN_GROUP, kAllowed);
  option(IPPROTO_TCP, TCP_ULP, counted(EPERM));
  option(IPPROTO_UDP, UDP_SEGMENT, kAllowed);
  option(IPPROTO_UDP, UDP_ENCAP, counted(EPERM));
  for (const int level : {int{IPPROTO_IP}, int{IPPROTO_IPV6}}) {
    for (const int name : {64, 65, 96, 97, 128, 129}) option(level, name, counted(EPERM));
    for (int name = 42; name <= 48; ++name) option(level, name, quiet(ENOPROTOOPT));
  }
  option(IPPROTO_IP, IP_TOS, kAllowed);
  option(IPPROTO_IP, IP_MULTICAST_TTL, kAllowed);
  option(IPPROTO_IP, IP_MULTICAST_ALL, kAllowed);
  for (int name = IP_ADD_MEMBERSHIP; name <= 41; ++name)
    option(IPPROTO_IP, name, quiet(ENOPROTOOPT));
  option(IPPROTO_IPV6, IPV6_V6ONLY, kAllowed);
  constexpr int kFlowLabel =
      32;  // IPV6_FLOWLABEL_MGR of linux/in6.h, which does not go with netinet/in.h
  option(IPPROTO_IPV6, kFlowLabel, counted(EPERM));
  option(IPPROTO_IP, kFlowLabel, kAllowed);
  option(IPPROTO_IPV6, IPV6_RECVTCLASS, kAllowed);
  for (const int name :
       {IPV6_JOIN_GROUP, IPV6_LEAVE_GROUP, IPV6_JOIN_ANYCAST, IPV6_LEAVE_ANYCAST}) {
    option(IPPROTO_IPV6, name, quiet(ENOPROTOOPT));
  }
  for (const int level :
       {int{IPPROTO_SCTP}, int{IPPROTO_RAW}, SOL_NETLINK, SOL_PACKET, SOL_ALG, SOL_TLS, -1}) {
    option(level, 1, quiet(ENOPROTOOPT));
  }
}

void add_ioctls(std::vector<Row>& rows) {
  const auto command = [&](std::uint64_t value, const Expected& expected) {
    rows.push_back({"ioctl", SYS_ioctl, {0, value}, expected});
  };
  for (const std::uint64_t value : words(
           TCGETS, TCSETS, TCSETSW, TCSETSF, TCGETS2, TCSETS2, TCSETSW2, TCSETSF2, TCSBRK, TCXONC,
           TCFLSH, TIOCGWINSZ, TIOCSWINSZ, TIOCGPGRP, TIOCSPGRP, TIOCGSID, TIOCOUTQ, FIONREAD,
           FIONBIO, FIOCLEX, FIONCLEX, FIOASYNC, SIOCATMARK, SIOCGIFCONF, SIOCGIFINDEX, SIOCGIFNAME,
           SIOCGIFFLAGS, SIOCGIFADDR, SIOCGIFBRDADDR, SIOCGIFNETMASK, SIOCGIFMTU, SIOCGIFHWADDR)) {
    command(value, kAllowed);
  }
  for (const std::uint64_t value : words(TIOCSTI, TIOCLINUX, TIOCSETD, TIOCCONS))
    command(value, counted(ENOTTY));
  for (const std::uint64_t value :
       words(0, TIOCSCTTY, TIOCNOTTY, 0x80086601, 0x40049409, 0xae01, SIOCSIFFLAGS, 0xffffffff)) {
    command(value, quiet(ENOTTY));  // FS_IOC_GETFLAGS, FICLONE, KVM_CREATE_VM among them
  }
}

void add_prctls(std::vector<Row>& rows) {
  for (const std::uint64_t option : words(
           PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_GET_KEEPCAPS,
           PR_SET_KEEPCAPS, PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP, PR_SET_SECCOMP,
           PR_CAPBSET_READ, PR_GET_TSC, PR_SET_TSC, PR_GET_TIMERSLACK, PR_SET_TIMERSLACK,
           PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS,
           PR_SET_THP_DISABLE, PR_GET_THP_DISABLE, PR_GET_SPECULATION_CTRL)) {
    rows.push_back({"prctl", SYS_prctl, {option, 1}, kAllowed});
  }
  for (const std::uint64_t option :
       words(PR_SET_MM, PR_CAPBSET_DROP, PR_SET_SECUREBITS, PR_CAP_AMBIENT, PR_SET_SPECULATION_CTRL,
             PR_SET_SYSCALL_USER_DISPATCH, PR_SCHED_CORE, PR_SET_PTRACER, PR_MCE_KILL,
             67 /* PR_SET_MEMORY_MERGE */, 0)) {
    rows.push_back({"prctl", SYS_prctl, {option, 1}, quiet(EINVAL)});
  }
  rows.push_back({"prctl", SYS_prctl, {PR_SET_VMA, PR_SET_VMA_ANON_NAME}, kAllowed, true});
  rows.push_back({"prctl", SYS_prctl, {PR_SCHED_CORE, PR_SET_VMA_ANON_NAME}, quiet(EINVAL)});
  rows.push_back({"prctl", SYS_prctl, {PR_SET_VMA, 1}, quiet(EINVAL), true});
  rows.push_back({"prctl", SYS_prctl, {PR_SET_VMA, 1ULL << 32}, quiet(EINVAL), true});
}

void add_rest(std::vector<Row>& rows) {
  struct MakeNode {
    int call;
    std::size_t mode_at;
  };
  for (const MakeNode make : {MakeNode{SYS_mknod, 1}, MakeNode{SYS_mknodat, 2}}) {
    const auto mode = [&rows, make](std::uint64_t type, const Expected& expected) {
      Row row{"mknod", make.call, {}, expected};
      row.args[make.mode_at] = type | 0644;
      rows.push_back(row);
    };
    for (const std::uint64_t type : words(0, S_IFREG, S_IFIFO, S_IFSOCK)) mode(type, kAllowed);
    for (const std::uint64_t type : words(S_IFCHR, S_IFBLK, S_IFDIR, S_IFLNK))
      mode(type, counted(EPERM));
  }
  for (const std::uint64_t persona : words(0U, 8U, 0x20000U, 0x20008U, 0xffffffffU)) {
    rows.push_back({"personality", SYS_personality, {persona}, kAllowed});
  }
  for (const std::uint64_t persona : words(0x40000U, 0x100000U, 0x400000U, 1U, 0xfffffffeU)) {
    rows.push_back({"personality", SYS_personality, {persona}, counted(EPERM)});
  }
  for (const std::uint64_t operation :
       words(SECCOMP_SET_MODE_STRICT, SECCOMP_SET_MODE_FILTER, SECCOMP_GET_ACTION_AVAIL)) {
    rows.push_back({"seccomp", SYS_seccomp, {operation, 0}, kAllowed});
    rows.push_back({"seccomp", SYS_seccomp, {operation, SECCOMP_FILTER_FLAG_TSYNC}, kAllowed});
    rows.push_back(
        {"seccomp", SYS_seccomp, {operation, SECCOMP_FILTER_FLAG_NEW_LISTENER | 1}, quiet(EPERM)});
  }
  rows.push_back({"seccomp", SYS_seccomp, {SECCOMP_GET_NOTIF_SIZES, 0}, quiet(EPERM)});

  rows.push_back({"mmap", SYS_mmap, {0, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS}, kAllowed});
  rows.push_back({"mmap", SYS_mmap, {0, 4096, 3, MAP_PRIVATE | MAP_HUGETLB}, quiet(ENOMEM)});
  rows.push_back({"memfd", SYS_memfd_create, {0, MFD_CLOEXEC | MFD_ALLOW_SEALING}, kAllowed});
  rows.push_back({"memfd", SYS_memfd_create, {0, MFD_CLOEXEC | MFD_HUGETLB}, quiet(ENOMEM)});
  rows.push_back({"shmget", SYS_shmget, {0, 4096, IPC_CREAT | 0600}, kAllowed});
  rows.push_back({"shmget", SYS_shmget, {0, 4096, IPC_CREAT | SHM_HUGETLB}, quiet(ENOMEM)});
}

std::vector<Row> default_rows() {
  std::vector<Row> rows;
  add_clone(rows);
  add_sockets(rows);
  add_socket_options(rows);
  add_ioctls(rows);
  add_prctls(rows);
  add_rest(rows);
  return rows;
}

std::vector<Row> init_rows() {
  constexpr std::uint64_t kMinusOne = 0xffffffff;
  const Expected denied = quiet(EPERM);
  std::vector<Row> rows = {
      {"kill", SYS_kill, {kMinusOne, SIGKILL}, kAllowed},
      {"kill", SYS_kill, {kMinusOne, SIGTERM}, denied},
      {"kill", SYS_kill, {2, SIGINT}, kAllowed},
      {"kill", SYS_kill, {1, SIGTERM}, denied},
      {"kill", SYS_kill, {3, SIGTERM}, denied},
      {"kill", SYS_kill, {0xfffffffe, SIGTERM}, denied},
      {"openat", SYS_openat, {0, 0, O_RDONLY | O_DIRECTORY | O_CLOEXEC}, kAllowed},
      {"openat", SYS_openat, {0, 0, O_WRONLY}, denied},
      {"openat", SYS_openat, {0, 0, O_RDWR}, denied},
      {"openat", SYS_openat, {0, 0, O_RDONLY | O_CREAT}, denied},
      {"openat", SYS_openat, {0, 0, O_RDONLY | O_TRUNC}, denied},
      {"openat", SYS_openat, {0, 0, O_RDONLY | O_APPEND}, denied},
      {"openat", SYS_openat, {0, 0, O_RDONLY | O_PATH}, denied},
      {"mmap", SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE}, kAllowed},
      {"mmap", SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC}, denied},
      {"arch_prctl", SYS_arch_prctl, {ARCH_SET_FS}, kAllowed},
      {"arch_prctl", SYS_arch_prctl, {ARCH_SET_GS}, denied},
      {"prctl", SYS_prctl, {PR_SET_DUMPABLE, 0}, kAllowed, true},
      {"prctl", SYS_prctl, {PR_SET_DUMPABLE, 1}, denied, true},
      {"prctl", SYS_prctl, {PR_SET_DUMPABLE, 1ULL << 32}, denied, true},
      {"prctl", SYS_prctl, {PR_SET_NO_NEW_PRIVS, 0}, denied},
      {"fcntl", SYS_fcntl, {0, F_SETLK}, denied},
      {"fcntl", SYS_fcntl, {0, F_NOTIFY}, denied},
  };
  for (const std::uint64_t option :
       words(PR_SET_NAME, PR_SET_PDEATHSIG, PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP)) {
    rows.push_back({"prctl", SYS_prctl, {option, 9}, kAllowed});
  }
  for (const std::uint64_t option :
       words(PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, PR_SET_PTRACER, PR_SET_MM)) {
    rows.push_back({"prctl", SYS_prctl, {option, 9}, denied});
  }
  for (const std::uint64_t command : words(F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC)) {
    rows.push_back({"fcntl", SYS_fcntl, {0, command}, kAllowed});
  }
  return rows;
}

// What init may do whatever the arguments.
const std::vector<int>& init_calls() {
  static const std::vector<int> kCalls = {
      SYS_read,         SYS_readv,          SYS_write,        SYS_writev,     SYS_sendto,
      SYS_sendmsg,      SYS_recvfrom,       SYS_recvmsg,      SYS_ppoll,      SYS_close,
      SYS_close_range,  SYS_lseek,          SYS_openat2,      SYS_newfstatat, SYS_fstat,
      SYS_getdents64,   SYS_statfs,         SYS_fstatfs,      SYS_wait4,      SYS_waitid,
      SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_signalfd4,  SYS_clock_gettime,
      SYS_getresuid,    SYS_setresuid,      SYS_dup3,         SYS_munmap,     SYS_brk,
      SYS_mkdirat,      SYS_renameat,       SYS_unlinkat,     SYS_exit,       SYS_exit_group,
  };
  return kCalls;
}

bool decided_by_arguments(const std::vector<Row>& rows, int number) {
  return std::ranges::any_of(rows, [&](const Row& row) { return row.number == number; });
}

TEST(Seccomp, DefaultAnswersEveryNumber) {
  const std::vector<Row> rows = default_rows();
  for (int number = 0; number < 1024; ++number) {
    if (decided_by_arguments(rows, number)) continue;
    const std::string name = syscall_name(number);
    const auto denial = denials().find(name);
    const bool known = !name.starts_with("syscall_") && number <= 470;
    const Expected expected = denial != denials().end() ? denial->second
                              : known                   ? kAllowed
                                                        : quiet(ENOSYS);
    expect(default_profile(), data_of(static_cast<std::uint32_t>(number)), expected, name);
  }
}

TEST(Seccomp, EveryDenialOfTheTableIsAKnownCall) {
  std::map<std::string, int> numbers;
  for (int number = 0; number < 1024; ++number) numbers[syscall_name(number)] = number;
  for (const auto& [name, expected] : denials()) EXPECT_TRUE(numbers.contains(name)) << name;
}

TEST(Seccomp, DefaultDecidesByArguments) {
  for (const Row& row : default_rows()) {
    expect(default_profile(), data_of(static_cast<std::uint32_t>(row.number), row.args),
           row.expected, row.group);
  }
}

TEST(Seccomp, InitAnswersEveryNumber) {
  const std::vector<Row> rows = init_rows();
  for (int number = 0; number < 1024; ++number) {
    if (decided_by_arguments(rows, number)) continue;
    const bool allowed = std::ranges::find(init_calls(), number) != init_calls().end();
    expect(init_profile(), data_of(static_cast<std::uint32_t>(number)),
           allowed ? kAllowed : quiet(EPERM), syscall_name(number));
  }
}

TEST(Seccomp, InitDecidesByArguments) {
  for (const Row& row : init_rows()) {
    expect(init_profile(), data_of(static_cast<std::uint32_t>(row.number), row.args), row.expected,
           row.group);
  }
}

// T110: the kernel reads an int from the low half alone, and so must the filter.
TEST(Seccomp, GarbageInTheUpperHalfOfAnArgumentChangesNothing) {
  const auto check = [](const SyscallProfile& profile, const std::vector<Row>& rows) {
    for (const Row& row : rows) {
      if (row.wide) continue;
      for (const std::uint64_t garbage :
           words(0x1ULL << 32, 0xffffffffULL << 32, 0xdeadbeefULL << 32)) {
        std::array<std::uint64_t, 6> args = row.args;
        for (auto& argument : args) argument |= garbage;
        expect(profile, data_of(static_cast<std::uint32_t>(row.number), args), row.expected,
               row.group);
      }
    }
  };
  check(default_profile(), default_rows());
  check(init_profile(), init_rows());
}

// T107
TEST(Seccomp, AForeignArchitectureKills) {
  for (const SyscallProfile* profile : {&default_profile(), &init_profile()}) {
    for (const std::uint32_t arch :
         {std::uint32_t{AUDIT_ARCH_I386}, std::uint32_t{AUDIT_ARCH_AARCH64}, 0U}) {
      for (std::uint32_t number = 0; number < 600; ++number) {
        expect(*profile, data_of(number, {}, arch), kKilled, "foreign architecture");
      }
    }
  }
}

TEST(Seccomp, ANumberOfTheX32AbiKills) {
  for (const SyscallProfile* profile : {&default_profile(), &init_profile()}) {
    for (std::uint32_t number = 0; number < 1024; ++number) {
      expect(*profile, data_of(0x40000000U | number), kKilled, "x32");
      expect(*profile, data_of(0xc0000000U | number), kKilled, "x32");
    }
    for (const std::uint32_t number : {0x7ffffff8U, 0x7fffffffU, 0xfffffff8U, 0xfffffffeU}) {
      expect(*profile, data_of(number), kKilled, "x32");
    }
  }
}

// T106
TEST(Seccomp, ANumberOfNoAbiIsUnknown) {
  for (const std::uint32_t number : {1024U, 4095U, 0x3fffffffU, 0x80000000U, 0x80000001U,
                                     0x80000008U, 0xbfffffffU, 0xffffffffU}) {
    expect(default_profile(), data_of(number), quiet(ENOSYS), "no call");
    expect(init_profile(), data_of(number), quiet(EPERM), "no call");
  }
}

// T118
TEST(Seccomp, TheTableRunsEveryInstruction) {
  const auto check = [](std::span<const sock_filter> program, const std::vector<Row>& rows) {
    EXPECT_LT(program.size(), BPF_MAXINSNS);
    std::vector<bool> executed(program.size());
    const auto run = [&](const seccomp_data& data) {
      EXPECT_TRUE(evaluate_bpf(program, data, &executed));
    };
    for (std::uint32_t number = 0; number < 1024; ++number) run(data_of(number));
    for (const std::uint32_t number :
         {0x3fffffffU, 0x40000000U, 0x80000000U, 0xc0000000U, 0xffffffffU}) {
      run(data_of(number));
    }
    run(data_of(0, {}, AUDIT_ARCH_I386));
    for (const Row& row : rows) run(data_of(static_cast<std::uint32_t>(row.number), row.args));
    for (std::size_t at = 0; at < executed.size(); ++at) EXPECT_TRUE(executed[at]) << at;
  };
  check(default_profile().plain, default_rows());
  check(default_profile().counting, default_rows());
  check(init_profile().plain, init_rows());
  check(init_profile().counting, init_rows());
}

TEST(Seccomp, CountedDenialsHaveTheErrnoOfTheirRule) {
  EXPECT_EQ(denial_errno(default_profile(), SYS_ptrace), EPERM);
  EXPECT_EQ(denial_errno(default_profile(), SYS_socket), EAFNOSUPPORT);
  EXPECT_EQ(denial_errno(default_profile(), SYS_ioctl), ENOTTY);
  EXPECT_EQ(denial_errno(default_profile(), SYS_mq_open), ENOSYS);
  EXPECT_EQ(denial_errno(default_profile(), SYS_read), EPERM);
  EXPECT_EQ(denial_errno(default_profile(), -1), EPERM);
}

TEST(Seccomp, ProfilesAndNames) {
  EXPECT_EQ(find_profile("default")->name, "default");
  EXPECT_EQ(find_profile("init")->name, "init");
  EXPECT_EQ(find_profile("none"), nullptr);
  EXPECT_EQ(syscall_name(SYS_ptrace), "ptrace");
  EXPECT_EQ(syscall_name(467), "open_tree_attr");
  EXPECT_EQ(syscall_name(400), "syscall_400");
  EXPECT_EQ(syscall_name(999), "syscall_999");
  EXPECT_EQ(syscall_name(-1), "syscall_-1");
}

}  // namespace
}  // namespace belljar::cell
