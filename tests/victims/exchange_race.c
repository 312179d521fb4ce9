// Exchanges a file and a link to a file of the host without pause, also after its end (T047).
#include "attempt.h"

#include <fcntl.h>
#include <stdio.h>

int main(int count, char** words) {
  if (count < 2) return 2;
  int fd = open("wanted.txt", O_CREAT | O_WRONLY, 0600);
  if (write(fd, "plain", 5) != 5) return 1;
  attempt("link", symlink(words[1], "link.txt"));
  for (int i = 0; i < 2; ++i) {
    if (fork() != 0) continue;
    while (1) renameat2(AT_FDCWD, "wanted.txt", AT_FDCWD, "link.txt", RENAME_EXCHANGE);
  }
  for (int i = 0; i < 1000; ++i) {
    renameat2(AT_FDCWD, "wanted.txt", AT_FDCWD, "link.txt", RENAME_EXCHANGE);
  }
  return 0;
}
