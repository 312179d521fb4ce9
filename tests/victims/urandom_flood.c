// Makes the kernel work: reads random bytes for ever (T033).
#include <fcntl.h>
#include <unistd.h>

int main(void) {
  static char block[1 << 20];
  int fd = open("/dev/urandom", O_RDONLY);
  while (read(fd, block, sizeof block) > 0) {
  }
  return 1;
}
