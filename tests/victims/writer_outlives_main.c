// Ends at once while its child writes to stdout without pause (T077, T187).
#include "attempt.h"

int main(void) {
  int ready[2];
  char byte;
  if (pipe(ready) != 0) return 1;
  if (fork() == 0) {
    say("child writes");
    if (write(ready[1], "x", 1) != 1) _exit(1);
    while (1) say("child goes on");
  }
  if (read(ready[0], &byte, 1) != 1) return 1;
  say("main ends");
  return 0;
}
