// Lets a child die of the memory limit and ends as if nothing had been (T011).
#include "attempt.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

int main(int count, char** words) {
  size_t size = (size_t)(count > 1 ? atoi(words[1]) : 1024) << 20;
  pid_t child = fork();
  if (child == 0) {
    char* piece = malloc(size);
    memset(piece, 1, size);
    _exit(piece[size / 2] == 1 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  say("attempt child: %s", WIFEXITED(status) ? "ok" : "killed");
  return 0;
}
