// Touches one byte in every two mebibytes, so that page tables weigh as much as pages (T017).
#include "attempt.h"

#include <stdlib.h>
#include <sys/mman.h>

int main(int count, char** words) {
  size_t touches = count > 1 ? (size_t)atoi(words[1]) : 1UL << 19;
  char* place = mmap(NULL, touches << 21, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (place == MAP_FAILED) return 1;
  madvise(place, touches << 21, MADV_NOHUGEPAGE);
  for (size_t i = 0; i < touches; ++i) place[i << 21] = 1;
  attempt("touch", 0);
  return 0;
}
