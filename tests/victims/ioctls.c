// Asks drivers for what they should not give: terminals, file systems, and 10^5 random numbers
// (T109).
#include "attempt.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int main(void) {
  char byte = 'x';
  int discipline = 3, flags = 0;
  attempt("TIOCSTI", ioctl(0, TIOCSTI, &byte));
  attempt("TIOCLINUX", ioctl(0, TIOCLINUX, &byte));
  attempt("TIOCSETD", ioctl(0, TIOCSETD, &discipline));
  attempt("TIOCCONS", ioctl(0, TIOCCONS, 0));
  int file = open("file", O_CREAT | O_RDWR, 0600);
  attempt("FS_IOC_SETFLAGS", ioctl(file, FS_IOC_SETFLAGS, &flags));
  attempt("FS_IOC_GETFLAGS", ioctl(file, FS_IOC_GETFLAGS, &flags));
  attempt("FICLONE", ioctl(file, FICLONE, 0));
  attempt("FIFREEZE", ioctl(file, FIFREEZE, 0));
  attempt("KVM_GET_API_VERSION", ioctl(file, 0xae00, 0));
  attempt("SIOCSIFFLAGS", ioctl(socket(AF_INET, SOCK_DGRAM, 0), 0x8914, &byte));
  int pair[2], pipes[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 || pipe(pipes) != 0) return 1;
  int fds[] = {0, file, pair[0], pipes[0], open("/dev/null", O_RDWR), open("/", O_RDONLY)};
  uint32_t state = 1;
  long other = 0;
  for (int i = 0; i < 100000; ++i) {
    state = state * 1664525U + 1013904223U;
    // Numbers of terminals and sockets are partly allowed; they are tried by name above.
    if ((state >> 8 & 0xff) == 0x54 || (state >> 8 & 0xff) == 0x89) continue;
    if (ioctl(fds[i % 6], state, &byte) == 0 || errno != ENOTTY) ++other;
  }
  say("attempt random: %s", other ? "others" : "ENOTTY");
  return 0;
}
