#include "base/descriptors.h"

#include <sys/resource.h>

#include <algorithm>

namespace belljar {
namespace {

// Below fs.nr_open of every kernel, which is 2^20 unless it was lowered.
constexpr rlim_t kEnough = 1U << 18U;

}  // namespace

void take_all_descriptors() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  const rlimit more{.rlim_cur = kEnough, .rlim_max = std::max(files.rlim_max, kEnough)};
  if (files.rlim_max < kEnough && ::setrlimit(RLIMIT_NOFILE, &more) == 0) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

}  // namespace belljar
