// Pins memory, and asks for kinds of memory that no limit of the cell counts (T031).
#include "attempt.h"

#include <sys/mman.h>

static long map_huge(void) {
  void* place =
      mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
  return place == MAP_FAILED ? -1 : 0;
}

int main(void) {
  static char pages[8 << 20];
  attempt("mlock 8 MiB", mlock(pages, sizeof pages));
  attempt("mlockall", mlockall(MCL_CURRENT | MCL_FUTURE));
  attempt("huge mmap", map_huge());
  attempt("huge memfd", memfd_create("huge", MFD_HUGETLB));
  attempt("memfd_secret", syscall(447, 0));
  return 0;
}
