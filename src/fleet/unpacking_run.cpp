#include "fleet/unpacking_run.h"

#include "base/units.h"

namespace belljar::fleet {

Result<std::vector<File>> check_unpacked(std::vector<File> files) {
  constexpr std::size_t kMostBytes = 64 * kMiB;  // what an unpacker may write
  std::size_t bytes = 0;
  for (const File& each : files) bytes += each.path.size() + each.content.size();
  Submission submission{.files = std::move(files)};
  const Status good = check_submission(submission);
  if (!good || submission.files.size() > kMaxFiles || bytes > kMostBytes) {
    return fail(Code::kUnavailable,
                "the worker that unpacked the archive gave back what no archive has");
  }
  return std::move(submission.files);
}

}  // namespace belljar::fleet
