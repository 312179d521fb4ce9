// Asks which pages of shared files are in memory: who used them lately (T114).
#include "attempt.h"

#include <fcntl.h>
#include <sys/mman.h>

int main(void) {
  unsigned long range[2] = {0, 0}, statistics[5];
  int fd = open("/usr/bin/env", O_RDONLY);
  attempt("cachestat", syscall(451, fd, range, statistics, 0));
  void* own = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  unsigned char there = 0;
  attempt("mincore of own memory", mincore(own, 4096, &there));
  return 0;
}
