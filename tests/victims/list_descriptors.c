// Looks which descriptors it was given, by asking for each number (T055).
#include "attempt.h"

#include <fcntl.h>

int main(void) {
  for (int fd = 0; fd < 65536; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) say("open: %d", fd);
  }
  return 0;
}
