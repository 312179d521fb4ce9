// Touches 64 MiB and hides it: "freed", in a "child", or in a "memfd" that it closes (T122).
#include "attempt.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { kSize = 64 << 20 };

static void touch_and_free(void) {
  char* piece = mmap(NULL, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(piece, 1, kSize);
  munmap(piece, kSize);
}

int main(int count, char** words) {
  const char* how = count > 1 ? words[1] : "freed";
  if (strcmp(how, "freed") == 0) touch_and_free();
  if (strcmp(how, "child") == 0) {
    if (fork() == 0) {
      touch_and_free();
      _exit(0);
    }
    wait(NULL);
  }
  if (strcmp(how, "memfd") == 0) {
    static char block[1 << 20];
    int fd = memfd_create("hidden", 0);
    for (int i = 0; i < 64; ++i) {
      if (write(fd, block, sizeof block) != (ssize_t)sizeof block) return 1;
    }
    close(fd);
  }
  attempt(how, 0);
  return 0;
}
