#include "syscall_constants.h"

#include <asm/prctl.h>
#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>

namespace belljar::tools {
namespace {

struct Constant {
  std::string_view name;
  std::uint64_t value;
};

#define NAMED(constant)                             \
  Constant {                                        \
    #constant, static_cast<std::uint64_t>(constant) \
  }
constexpr Constant kConstants[] = {
    NAMED(AF_INET),
    NAMED(AF_INET6),
    NAMED(AF_NETLINK),
    NAMED(AF_UNIX),
    NAMED(ARCH_SET_FS),
    NAMED(CLONE_NEWCGROUP),
    NAMED(CLONE_NEWIPC),
    NAMED(CLONE_NEWNET),
    NAMED(CLONE_NEWNS),
    NAMED(CLONE_NEWPID),
    NAMED(CLONE_NEWUSER),
    NAMED(CLONE_NEWUTS),
    NAMED(FIOASYNC),
    NAMED(FIOCLEX),
    NAMED(FIONBIO),
    NAMED(FIONCLEX),
    NAMED(FIONREAD),
    NAMED(F_DUPFD_CLOEXEC),
    NAMED(F_GETFD),
    NAMED(F_GETFL),
    NAMED(F_SETFD),
    NAMED(F_SETFL),
    NAMED(IPPROTO_IP),
    NAMED(IPPROTO_IPV6),
    NAMED(IPPROTO_MPTCP),
    NAMED(IPPROTO_TCP),
    NAMED(IPPROTO_UDP),
    NAMED(IPV6_JOIN_ANYCAST),
    NAMED(IPV6_JOIN_GROUP),
    NAMED(IPV6_LEAVE_ANYCAST),
    NAMED(IPV6_LEAVE_GROUP),
    NAMED(MAP_HUGETLB),
    NAMED(MFD_HUGETLB),
    NAMED(NETLINK_ROUTE),
    NAMED(O_ACCMODE),
    NAMED(O_APPEND),
    NAMED(O_CREAT),
    NAMED(O_PATH),
    NAMED(O_RDONLY),
    NAMED(O_TRUNC),
    NAMED(PROT_EXEC),
    NAMED(PR_CAPBSET_READ),
    NAMED(PR_GET_CHILD_SUBREAPER),
    NAMED(PR_GET_DUMPABLE),
    NAMED(PR_GET_KEEPCAPS),
    NAMED(PR_GET_NAME),
    NAMED(PR_GET_NO_NEW_PRIVS),
    NAMED(PR_GET_PDEATHSIG),
    NAMED(PR_GET_SECCOMP),
    NAMED(PR_GET_SPECULATION_CTRL),
    NAMED(PR_GET_THP_DISABLE),
    NAMED(PR_GET_TIMERSLACK),
    NAMED(PR_GET_TSC),
    NAMED(PR_SET_CHILD_SUBREAPER),
    NAMED(PR_SET_DUMPABLE),
    NAMED(PR_SET_KEEPCAPS),
    NAMED(PR_SET_NAME),
    NAMED(PR_SET_NO_NEW_PRIVS),
    NAMED(PR_SET_PDEATHSIG),
    NAMED(PR_SET_SECCOMP),
    NAMED(PR_SET_THP_DISABLE),
    NAMED(PR_SET_TIMERSLACK),
    NAMED(PR_SET_TSC),
    NAMED(PR_SET_VMA),
    NAMED(PR_SET_VMA_ANON_NAME),
    NAMED(SECCOMP_FILTER_FLAG_NEW_LISTENER),
    NAMED(SECCOMP_GET_ACTION_AVAIL),
    NAMED(SECCOMP_SET_MODE_FILTER),
    NAMED(SECCOMP_SET_MODE_STRICT),
    NAMED(SHM_HUGETLB),
    NAMED(SIGKILL),
    NAMED(SIOCATMARK),
    NAMED(SIOCGIFADDR),
    NAMED(SIOCGIFBRDADDR),
    NAMED(SIOCGIFCONF),
    NAMED(SIOCGIFFLAGS),
    NAMED(SIOCGIFHWADDR),
    NAMED(SIOCGIFINDEX),
    NAMED(SIOCGIFMTU),
    NAMED(SIOCGIFNAME),
    NAMED(SIOCGIFNETMASK),
    NAMED(SOCK_CLOEXEC),
    NAMED(SOCK_DGRAM),
    NAMED(SOCK_NONBLOCK),
    NAMED(SOCK_RAW),
    NAMED(SOCK_SEQPACKET),
    NAMED(SOCK_STREAM),
    NAMED(SOL_SOCKET),
    NAMED(SO_ATTACH_BPF),
    NAMED(SO_ATTACH_FILTER),
    NAMED(SO_ATTACH_REUSEPORT_CBPF),
    NAMED(SO_ATTACH_REUSEPORT_EBPF),
    NAMED(SO_BINDTODEVICE),
    NAMED(S_IFIFO),
    NAMED(S_IFMT),
    NAMED(S_IFREG),
    NAMED(S_IFSOCK),
    NAMED(TCFLSH),
    NAMED(TCGETS),
    NAMED(TCGETS2),
    NAMED(TCP_ULP),
    NAMED(TCSBRK),
    NAMED(TCSETS),
    NAMED(TCSETS2),
    NAMED(TCSETSF),
    NAMED(TCSETSF2),
    NAMED(TCSETSW),
    NAMED(TCSETSW2),
    NAMED(TCXONC),
    NAMED(TIOCCONS),
    NAMED(TIOCGPGRP),
    NAMED(TIOCGSID),
    NAMED(TIOCGWINSZ),
    NAMED(TIOCLINUX),
    NAMED(TIOCOUTQ),
    NAMED(TIOCSETD),
    NAMED(TIOCSPGRP),
    NAMED(TIOCSTI),
    NAMED(TIOCSWINSZ),
    NAMED(UDP_ENCAP),
};

constexpr Constant kErrnos[] = {
    NAMED(EAFNOSUPPORT), NAMED(EINVAL), NAMED(EMFILE), NAMED(ENOMEM),          NAMED(ENOPROTOOPT),
    NAMED(ENOSYS),       NAMED(ENOTTY), NAMED(EPERM),  NAMED(EPROTONOSUPPORT),
};
#undef NAMED

}  // namespace

std::optional<std::uint64_t> find_constant(std::string_view name) {
  for (const Constant& constant : kConstants) {
    if (constant.name == name) return constant.value;
  }
  return std::nullopt;
}

std::optional<int> find_errno(std::string_view name) {
  for (const Constant& constant : kErrnos) {
    if (constant.name == name) return static_cast<int>(constant.value);
  }
  return std::nullopt;
}

}  // namespace belljar::tools
