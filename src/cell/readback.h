// The one answer of a set-up step that was done and, read back, is not so. Runs in the cell's
// first processes, before the program: no allocation, errno is the report.
#pragma once

#include <cerrno>

namespace belljar::cell {

[[nodiscard]] inline bool mismatch() {
  errno = EBADE;
  return false;
}

}  // namespace belljar::cell
