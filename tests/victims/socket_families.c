// Asks for a socket of every family there is, and of every netlink protocol (T096, T097).
#include "attempt.h"

#include <sys/socket.h>

static const int kinds[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_RDM, SOCK_SEQPACKET, SOCK_DCCP};

// Any kind will do; the last error tells.
static long open_any(long family, int protocol) {
  long fd = -1;
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds && fd < 0; ++i) {
    fd = syscall(SYS_socket, family, kinds[i], protocol);
  }
  if (fd >= 0) close((int)fd);
  return fd;
}

int main(void) {
  char list[1024] = "", other[1024] = "";
  for (long family = 0; family < 256; ++family) {
    for (int high = 0; high < 2; ++high) {
      long fd = open_any(family | (high ? 1L << 32 : 0), 0);
      char word[16];
      snprintf(word, sizeof word, " %s%ld", high ? "+" : "", family);
      if (fd >= 0) strcat(list, word);
      if (fd < 0 && errno != EAFNOSUPPORT) strcat(other, word);
    }
  }
  say("families:%s", list);
  say("refused in another way:%s", other);
  list[0] = 0;
  for (int protocol = 0; protocol < 32; ++protocol) {
    char word[16];
    snprintf(word, sizeof word, " %d", protocol);
    if (open_any(AF_NETLINK, protocol) >= 0) strcat(list, word);
  }
  say("netlink:%s", list);
  attempt("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
  attempt("alg", socket(AF_ALG, SOCK_SEQPACKET, 0));
  attempt("xdp", socket(AF_XDP, SOCK_RAW, 0));
  attempt("socketpair inet", socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){0, 0}));
  return 0;
}
