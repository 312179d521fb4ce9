// Opens pipes, grows each to a mebibyte where it may, and fills them all (T015).
#include "attempt.h"

#include <fcntl.h>

int main(void) {
  static char block[65536];
  int made = 0;
  while (1) {
    int ends[2];
    if (pipe2(ends, O_NONBLOCK) != 0) break;
    ++made;
    fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
    while (write(ends[1], block, sizeof block) > 0) {
    }
  }
  attempt("pipe", -1);
  say("made: %d", made);
  return 0;
}
