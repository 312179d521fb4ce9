// Leaves children that grow, cut, punch and rewrite a wanted file for ever (T023, T054).
#include "attempt.h"

#include <fcntl.h>
#include <sys/mman.h>

int main(void) {
  static char block[65536];
  memset(block, 'A', sizeof block);
  int fd = open("wanted.txt", O_CREAT | O_RDWR, 0600);
  if (write(fd, block, sizeof block) != (ssize_t)sizeof block) return 1;
  for (int kind = 0; kind < 3; ++kind) {
    if (fork() != 0) continue;
    while (1) {
      if (kind == 0 && (ftruncate(fd, 0) != 0 || ftruncate(fd, 4 * sizeof block) != 0)) _exit(1);
      if (kind == 1) fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, sizeof block);
      if (kind == 2 && pwrite(fd, block, sizeof block, 0) < 0) _exit(1);
    }
  }
  attempt("leave", 0);
  return 0;
}
