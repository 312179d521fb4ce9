// Opens socket pairs and fills the buffers of each, in both directions (T016).
#include "attempt.h"

#include <sys/socket.h>

int main(void) {
  static char block[65536];
  int made = 0;
  while (1) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0) break;
    ++made;
    for (int i = 0; i < 2; ++i) {
      int size = 1 << 24;
      setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
      while (write(ends[i], block, sizeof block) > 0) {
      }
    }
  }
  attempt("socketpair", -1);
  return 0;
}
