// Flushes every file system of the host, again and again (T024).
#include "attempt.h"

#include <fcntl.h>

int main(void) {
  int fd = open("file", O_CREAT | O_WRONLY, 0600);
  for (int i = 0; i < 20000; ++i) sync();
  attempt("sync", 0);
  attempt("fsync", fsync(fd));
  attempt("syncfs", syncfs(fd));
  return 0;
}
