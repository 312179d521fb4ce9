// Reserves 64 GiB of addresses and touches none: language runtimes do so, it must be allowed
// (T009).
#include "attempt.h"

#include <sys/mman.h>

int main(void) {
  void* place = mmap(NULL, 64UL << 30, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  attempt("reserve", place == MAP_FAILED ? -1 : 0);
  return 0;
}
