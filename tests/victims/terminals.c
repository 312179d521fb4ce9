// Takes pseudo-terminals, and plays with the terminal it may have got (T029, T083).
#include "attempt.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>

int main(void) {
  attempt("ptmx", open("/dev/ptmx", O_RDWR));
  attempt("tty", open("/dev/tty", O_RDWR));
  attempt("pts/0", open("/dev/pts/0", O_RDWR));
  for (int fd = 0; fd < 3; ++fd) {
    char what[32];
    snprintf(what, sizeof what, "TIOCSCTTY %d", fd);
    attempt(what, ioctl(fd, TIOCSCTTY, 1));
    snprintf(what, sizeof what, "tcsetpgrp %d", fd);
    attempt(what, tcsetpgrp(fd, getpgrp()));
  }
  attempt("setpgid", setpgid(0, 0));
  return 0;
}
