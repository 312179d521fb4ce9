// Crashes with MIB mebibytes in memory, after asking for a core file of any size (T035).
#include "attempt.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

int main(int count, char** words) {
  size_t size = (size_t)(count > 1 ? atoi(words[1]) : 64) << 20;
  struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
  attempt("unlimited core", setrlimit(RLIMIT_CORE, &limit));
  getrlimit(RLIMIT_CORE, &limit);
  say("attempt core bytes: %lu", (unsigned long)limit.rlim_max);
  attempt("dumpable", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
  char* piece = malloc(size);
  memset(piece, 1, size);
  abort();
}
