// SubmissionFiles: what the command line names on disk, read into the files of a submission.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/submission.h"

namespace belljar::app {

// At most `limit` bytes of a file, a pipe or a device, whole; kInvalid when there is more.
// `name` is what an error calls it.
Result<std::string> read_whole(int fd, std::string_view name, std::uint64_t limit);
Result<std::string> read_named(const std::string& path, std::uint64_t limit);

// The last component: "prog.py" of "a/prog.py".
std::string_view base_name(std::string_view path);

class SubmissionFiles {
 public:
  // Together the files may have `most_bytes`, and be kMaxFiles.
  explicit SubmissionFiles(std::uint64_t most_bytes) : left_(most_bytes), most_bytes_(most_bytes) {}

  // The file at `path`, links followed because a person named it, as `name` in /box; the files
  // beneath it under `name` where it is a directory.
  Status add(const std::string& path, const std::string& name);
  Status add_file(const std::string& path, const std::string& name);
  // Every regular file beneath the directory, as `prefix` and its path from there. No link is
  // followed, hidden names are left out, the order is that of the names.
  Status add_directory(const std::string& path, const std::string& prefix);

  // Symbolic links that were left out.
  [[nodiscard]] std::size_t links() const { return links_; }
  [[nodiscard]] const std::vector<File>& files() const { return files_; }
  std::vector<File> take() && { return std::move(files_); }

 private:
  Status walk(int directory, const std::string& path, const std::string& prefix, int depth);
  Status visit(int directory,
               const std::string& entry,
               const std::string& path,
               const std::string& name,
               int depth);
  Status keep(int fd, const std::string& path, const std::string& name);

  std::vector<File> files_;
  std::uint64_t left_;
  std::uint64_t most_bytes_;
  std::size_t links_ = 0;
};

}  // namespace belljar::app
