// Climbs out of its root: chroot in a chroot, pivot_root, and dot-dot at the top (T067).
#include "attempt.h"

#include <fcntl.h>
#include <sys/stat.h>

int main(void) {
  mkdir("inner", 0700);
  int here = open(".", O_RDONLY);
  attempt("chroot", chroot("inner"));
  attempt("fchdir", fchdir(here));
  attempt("pivot_root", syscall(SYS_pivot_root, ".", "inner"));
  struct stat top, above;
  stat("/", &top);
  stat("/../../..", &above);
  say("attempt above the root: %s",
      top.st_ino == above.st_ino && top.st_dev == above.st_dev ? "same" : "other");
  return 0;
}
