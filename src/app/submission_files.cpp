#include "app/submission_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "base/fd.h"
#include "base/text.h"
#include "base/units.h"

namespace belljar::app {
namespace {

constexpr std::size_t kReadBytes = 64 * kKiB;

// What a person named cannot be read: their mistake, whatever the reason is.
std::unexpected<Error> cannot_read(std::string_view path, int err) {
  return fail(Code::kInvalid,
              "cannot read " + quote(path) + ": " +
                  (strerrordesc_np(err) != nullptr ? strerrordesc_np(err) : "unknown error"));
}

// Reads until the end, or until `limit` is passed: then nothing.
Result<std::optional<std::string>> read_within(int fd, std::string_view name, std::uint64_t limit) {
  std::string bytes;
  struct stat facts{};
  if (fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode)) {
    const auto size = static_cast<std::uint64_t>(facts.st_size);
    if (size > limit) return std::nullopt;
    bytes.reserve(size);
  }
  std::array<char, kReadBytes> buffer;
  while (true) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot_read(name, errno);
    if (got == 0) return bytes;
    bytes.append(buffer.data(), static_cast<std::size_t>(got));
    if (bytes.size() > limit) return std::nullopt;
  }
}

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

}  // namespace

Result<std::string> read_whole(int fd, std::string_view name, std::uint64_t limit) {
  TRY_ASSIGN(std::optional<std::string> bytes, read_within(fd, name, limit));
  if (!bytes) return fail(Code::kInvalid, quote(name) + " is larger than " + format_bytes(limit));
  return std::move(*bytes);
}

Result<std::string> read_named(const std::string& path, std::uint64_t limit) {
  const Fd fd = Fd::adopt(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd.valid()) return cannot_read(path, errno);
  return read_whole(fd.get(), path, limit);
}

std::string_view base_name(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path.substr(path.rfind('/') + 1);
}

Status SubmissionFiles::add(const std::string& path, const std::string& name) {
  struct stat facts{};
  if (stat(path.c_str(), &facts) != 0) return cannot_read(path, errno);
  if (S_ISDIR(facts.st_mode)) return add_directory(path, name + "/");
  return add_file(path, name);
}

Status SubmissionFiles::add_file(const std::string& path, const std::string& name) {
  const Fd fd = Fd::adopt(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd.valid()) return cannot_read(path, errno);
  return keep(fd.get(), path, name);
}

Status SubmissionFiles::add_directory(const std::string& path, const std::string& prefix) {
  const Fd fd = Fd::adopt(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return cannot_read(path, errno);
  return walk(fd.get(), path, prefix, 0);
}

Status SubmissionFiles::walk(int directory,
                             const std::string& path,
                             const std::string& prefix,
                             int depth) {
  if (depth >= static_cast<int>(kMaxPathDepth)) {
    return fail(Code::kInvalid, quote(path) + " is more than " + std::to_string(kMaxPathDepth) +
                                    " directories deep");
  }
  // fdopendir takes its descriptor for itself.
  const int own = fcntl(directory, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return cannot_read(path, errno);
  const std::unique_ptr<DIR, CloseDirectory> listing(fdopendir(own));
  if (!listing) {
    const int err = errno;
    close(own);
    return cannot_read(path, err);
  }
  std::vector<std::string> entries;
  while (const dirent* const entry = readdir(listing.get())) {
    if (entry->d_name[0] != '.') entries.emplace_back(entry->d_name);
  }
  std::ranges::sort(entries);
  for (const std::string& entry : entries)
    TRY(visit(directory, entry, path + "/" + entry, prefix + entry, depth));
  return {};
}

Status SubmissionFiles::visit(int directory,
                              const std::string& entry,
                              const std::string& path,
                              const std::string& name,
                              int depth) {
  struct stat facts{};
  if (fstatat(directory, entry.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0)
    return cannot_read(path, errno);
  if (S_ISLNK(facts.st_mode)) ++links_;
  if (!S_ISDIR(facts.st_mode) && !S_ISREG(facts.st_mode)) return {};
  const int kind = S_ISDIR(facts.st_mode) ? O_DIRECTORY : 0;
  const Fd fd = Fd::adopt(openat(directory, entry.c_str(),
                                 O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | kind));
  if (!fd.valid()) return cannot_read(path, errno);
  return kind == O_DIRECTORY ? walk(fd.get(), path, name + "/", depth + 1)
                             : keep(fd.get(), path, name);
}

Status SubmissionFiles::keep(int fd, const std::string& path, const std::string& name) {
  if (files_.size() == kMaxFiles) {
    return fail(Code::kInvalid,
                "more than " + std::to_string(kMaxFiles) + " files at " + quote(path));
  }
  struct stat facts{};
  if (fstat(fd, &facts) != 0) return cannot_read(path, errno);
  TRY_ASSIGN(std::optional<std::string> content, read_within(fd, path, left_));
  if (!content) {
    return fail(Code::kInvalid, "the files are larger than " + format_bytes(most_bytes_) +
                                    " together, at " + quote(path));
  }
  left_ -= content->size();
  files_.push_back(File{
      .path = name, .content = std::move(*content), .executable = (facts.st_mode & S_IXUSR) != 0});
  return {};
}

}  // namespace belljar::app
