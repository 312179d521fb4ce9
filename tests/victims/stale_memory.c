// Looks for other people's bytes in fresh memory, fresh files and behind the end of stdin (T175).
#include "attempt.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

static int only_zeros(const unsigned char* bytes, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    if (bytes[i] != 0) return 0;
  }
  return 1;
}

static const char* file_of(const char* path) {
  static unsigned char block[16 << 20];
  int fd = open(path, O_CREAT | O_RDWR, 0600);
  if (fd < 0 || ftruncate(fd, sizeof block) != 0 || fallocate(fd, 0, 0, sizeof block) != 0)
    return "refused";
  if (pread(fd, block, sizeof block, 0) != (ssize_t)sizeof block) return "short";
  return only_zeros(block, sizeof block) ? "zeros" : "bytes";
}

int main(void) {
  say("attempt /box: %s", file_of("/box/fresh"));
  say("attempt /tmp: %s", file_of("/tmp/fresh"));
  say("attempt /dev/shm: %s", file_of("/dev/shm/fresh"));
  unsigned char* pages = mmap(NULL, 32 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  say("attempt pages: %s", only_zeros(pages, 32 << 20) ? "zeros" : "bytes");
  unsigned char input[4096];
  memset(input, 0, sizeof input);
  ssize_t size = read(0, input, sizeof input);
  say("attempt stdin: %zd", size);
  say("attempt behind stdin: %s",
      only_zeros(input + (size > 0 ? size : 0), 64) ? "zeros" : "bytes");
  return 0;
}
