// Opens, duplicates and makes sockets until there is no descriptor left, at most MOST (T025).
#include "attempt.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

static int open_file(void) {
  return open("/dev/null", O_RDONLY);
}
static int duplicate(void) {
  return dup(0);
}
static int open_socket(void) {
  return socket(AF_UNIX, SOCK_STREAM, 0);
}

int main(int count, char** words) {
  int most = count > 1 ? atoi(words[1]) : 1 << 20;
  int (*ways[])(void) = {open_file, duplicate, open_socket};
  const char* names[] = {"open", "dup", "socket"};
  for (int way = 0; way < 3; ++way) {
    int made = 0, fd = 0;
    while (made < most && (fd = ways[way]()) >= 0) ++made;
    attempt(names[way], fd < 0 ? -1 : 0);
    close_range(3, ~0U, 0);
  }
  return 0;
}
