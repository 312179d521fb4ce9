// Spreads its memory over 20 children, MIB mebibytes each (T010).
#include "attempt.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

int main(int count, char** words) {
  size_t size = (size_t)(count > 1 ? atoi(words[1]) : 8) << 20;
  int ready[2], go[2];
  if (pipe(ready) != 0 || pipe(go) != 0) return 1;
  for (int i = 0; i < 20; ++i) {
    if (fork() != 0) continue;
    close(go[1]);
    char *piece = malloc(size), byte = 1;
    memset(piece, i + 1, size);
    if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) < 0) _exit(1);
    _exit(0);
  }
  close(ready[1]);
  char byte;
  for (int i = 0; i < 20; ++i)
    if (read(ready[0], &byte, 1) != 1) break;
  attempt("20 children", 0);
  close(go[1]);
  while (wait(NULL) > 0) {
  }
  return 0;
}
