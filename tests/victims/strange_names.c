// Takes names that break parsers: a parenthesis, a new line, half a character, no words (T081).
#include "attempt.h"

#include <sys/prctl.h>
#include <sys/wait.h>

int main(int count, char** words) {
  const char* names[] = {") R 1 1 (", "a\nb) S 0", "\x1b[31m\xc3", "", "oom-kill: \xff"};
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
    if (fork() != 0) continue;
    prctl(PR_SET_NAME, names[i], 0, 0, 0);
    while (1) pause();
  }
  attempt("name", prctl(PR_SET_NAME, ") Z 1 1 1\n", 0, 0, 0));
  memset(words[0], '\n', strlen(words[0]));
  (void)count;
  return 0;
}
