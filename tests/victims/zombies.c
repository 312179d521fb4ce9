// Adopts orphans and never waits for any, until no process can be made (T079).
#include "attempt.h"

#include <stdlib.h>
#include <sys/prctl.h>

int main(int count, char** words) {
  int most = count > 1 ? atoi(words[1]) : 10000, made = 0;
  pid_t child = 0;
  attempt("subreaper", prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
  while (made < most && (child = fork()) > 0) ++made;
  if (child == 0 && made < most) _exit(0);
  attempt("fork", child);
  return 0;
}
