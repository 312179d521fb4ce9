// Grows a file beyond the limit with the signal for that left at its default (T022).
#include "attempt.h"

#include <fcntl.h>

int main(void) {
  int fd = open("huge.bin", O_CREAT | O_WRONLY, 0600);
  attempt("grow", ftruncate(fd, 1L << 40));
  return 0;
}
