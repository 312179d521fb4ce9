#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void) {
  char one[] = "/tmp/fidelity-XXXXXX";
  char other[] = "/tmp/fidelity-XXXXXX";
  char back[16];
  const int fd = mkstemp(one);
  if (fd < 0 || mkstemp(other) < 0 || write(fd, "hello", 5) != 5) return 1;
  const int again = open(one, O_RDONLY);
  printf("wrote and read back %zd bytes\n", read(again, back, sizeof back));
  if (strcmp(one, other) != 0) printf("two names differ\n");
  unlink(one);
  if (access(one, F_OK) != 0) printf("gone after removal\n");
}
