#include "app/artifact_files.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "base/sys.h"
#include "base/text.h"

namespace belljar::app {
namespace {

Fd open_beneath(int directory, const std::string& path, int flags, mode_t mode = 0) {
  open_how how{};
  how.flags = static_cast<__u64>(flags | O_CLOEXEC);
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return Fd::adopt(
      static_cast<int>(syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how)));
}

std::unexpected<Error> cannot_write(std::string_view path, int err) {
  return std::unexpected(fail_errno("cannot write the artifact " + quote(path), err).error());
}

// The directory that holds `path`, made where it is missing.
Result<Fd> open_parent(int root, const std::string& path) {
  Fd directory = open_beneath(root, ".", O_RDONLY | O_DIRECTORY);
  if (!directory.valid()) return cannot_write(path, errno);
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = path.find('/', begin)) != std::string::npos; begin = end + 1) {
    const std::string component = path.substr(begin, end - begin);
    if (mkdirat(directory.get(), component.c_str(), 0777) != 0 && errno != EEXIST)
      return cannot_write(path, errno);
    Fd next = open_beneath(directory.get(), component, O_RDONLY | O_DIRECTORY);
    if (!next.valid()) return cannot_write(path, errno);
    directory = std::move(next);
  }
  return directory;
}

Status write_artifact(int root, const File& artifact, Replace replace) {
  TRY(check_artifact_path(artifact.path));
  TRY_ASSIGN(const Fd parent, open_parent(root, artifact.path));
  const std::string name = artifact.path.substr(artifact.path.rfind('/') + 1);
  // Replacing means a new file: what stands there may be a link or have a second name elsewhere.
  if (replace == Replace::kYes && unlinkat(parent.get(), name.c_str(), 0) != 0 && errno != ENOENT)
    return cannot_write(artifact.path, errno);
  const Fd file = open_beneath(parent.get(), name, O_WRONLY | O_CREAT | O_EXCL,
                               artifact.executable ? 0777 : 0666);
  if (!file.valid() && errno == EEXIST) {
    return fail(Code::kDenied,
                "the artifact " + quote(artifact.path) + " is already there, see --force");
  }
  if (!file.valid()) return cannot_write(artifact.path, errno);
  if (const Status written = sys::write_all(file.get(), artifact.content); !written)
    return cannot_write(artifact.path, written.error().sys);
  return {};
}

}  // namespace

Status write_artifacts(const std::string& directory,
                       std::span<const File> artifacts,
                       Replace replace) {
  if (artifacts.empty()) return {};
  if (mkdir(directory.c_str(), 0777) != 0 && errno != EEXIST)
    return fail_errno("cannot make the directory " + quote(directory));
  TRY_ASSIGN(const Fd root, sys::open_file(directory.c_str(), O_RDONLY | O_DIRECTORY));
  for (const File& artifact : artifacts) TRY(write_artifact(root.get(), artifact, replace));
  return {};
}

}  // namespace belljar::app
