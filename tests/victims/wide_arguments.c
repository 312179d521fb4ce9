// Repeats what is denied with garbage in the upper half of arguments that are 32 bits wide (T110).
#include "attempt.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static const long garbage[] = {0, 1L << 32, 0xdeadbeefL << 32, 1L << 63};

int main(void) {
  int tcp = socket(AF_INET, SOCK_STREAM, 0);
  char what[64], byte = 'x';
  for (size_t i = 0; i < sizeof garbage / sizeof *garbage; ++i) {
    long high = garbage[i];
#define TRY(name, call) snprintf(what, sizeof what, "%s %zu", name, i), attempt(what, call)
    TRY("TIOCSTI", syscall(SYS_ioctl, 0, TIOCSTI | high, &byte));
    TRY("TIOCLINUX", syscall(SYS_ioctl, 0, TIOCLINUX | high, &byte));
    TRY("vsock", syscall(SYS_socket, AF_VSOCK | high, SOCK_STREAM, 0));
    TRY("raw", syscall(SYS_socket, AF_INET, SOCK_RAW | high, 0));
    TRY("unix", syscall(SYS_socket, AF_UNIX | high, SOCK_STREAM | high, 0));
    TRY("netfilter", syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 12 | high));
    TRY("unshare", syscall(SYS_unshare, CLONE_NEWUSER | high));
    TRY("personality", syscall(SYS_personality, 0x0040000 | high));
    TRY("securebits", syscall(SYS_prctl, PR_SET_SECUREBITS | high, 0, 0, 0, 0));
    TRY("ulp", syscall(SYS_setsockopt, tcp, IPPROTO_TCP | high, TCP_ULP | high, "tls", 4));
    unlink("node");
    TRY("mknod", syscall(SYS_mknod, "node", (S_IFCHR | 0600) | high, 0));
    long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD | high, 0, 0, 0, 0);
    if (child == 0) _exit(0);
    TRY("clone", child);
  }
  return 0;
}
