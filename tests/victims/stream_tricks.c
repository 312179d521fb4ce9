// Changes flags and sizes of its streams, to change those of whoever is behind them (T186).
#include "attempt.h"

#include <fcntl.h>

int main(void) {
  for (int fd = 0; fd < 3; ++fd) {
    char what[32];
    snprintf(what, sizeof what, "nonblock %d", fd);
    attempt(what, fcntl(fd, F_SETFL, O_NONBLOCK));
    fcntl(fd, F_SETPIPE_SZ, 4096);
    fcntl(fd, F_SETOWN, 1);
    fcntl(fd, F_SETSIG, 9);
  }
  static char block[100000];
  memset(block, 'z', sizeof block);
  size_t sent = 0;
  while (sent < sizeof block) {
    ssize_t done = write(1, block + sent, sizeof block - sent);
    if (done > 0) sent += (size_t)done;
  }
  return 0;
}
