#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace belljar {

void check_failed(const char* condition, std::source_location where) {
  std::fprintf(stderr, "belljar: broken invariant at %s:%u: %s\n", where.file_name(), where.line(),
               condition);
  std::abort();
}

}  // namespace belljar
