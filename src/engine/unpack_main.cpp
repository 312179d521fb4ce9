#include "engine/unpack_main.h"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <set>
#include <string>

#include "base/bundle.h"
#include "base/sys.h"
#include "base/units.h"
#include "model/submission.h"

namespace belljar::engine {
namespace {

constexpr std::size_t kMaxPacked = 48 * kMiB;
constexpr std::size_t kReadBlock = 64 * kKiB;

struct FreeArchive {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
using Reader = std::unique_ptr<archive, FreeArchive>;

std::unexpected<Error> refuse(const std::string& name, const std::string& why) {
  return fail(Code::kInvalid, "'" + name + "': " + why);
}

// "./a/b" is how tar writes "a/b"; nothing else is repaired.
std::string plain_name(std::string name) {
  while (name.starts_with("./")) name.erase(0, 2);
  return name;
}

Status check_kind(archive_entry* entry, const std::string& name) {
  if (archive_entry_hardlink(entry) != nullptr) return refuse(name, "hard links are refused");
  if (archive_entry_is_encrypted(entry) != 0) return refuse(name, "encrypted entries are refused");
  if (archive_entry_sparse_count(entry) > 0) return refuse(name, "sparse files are refused");
  switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
    case AE_IFDIR:
      return {};
    case AE_IFLNK:
      return refuse(name, "symbolic links are refused");
    default:
      return refuse(name, "only regular files and directories are taken");
  }
}

// Counts what really comes out; the size that the archive states is not believed.
Result<std::string> content_of(archive* reader,
                               const std::string& name,
                               std::size_t room,
                               std::size_t most) {
  std::string content;
  std::string block(kReadBlock, '\0');
  while (true) {
    const la_ssize_t got = archive_read_data(reader, block.data(), block.size());
    if (got == 0) return content;
    if (got < 0) {
      const char* const text = archive_error_string(reader);
      return refuse(name, text != nullptr ? text : "broken data");
    }
    content.append(block.data(), static_cast<std::size_t>(got));
    if (content.size() > room) {
      return refuse(name, "over " + format_bytes(most) + " unpacked in all");
    }
  }
}

}  // namespace

Result<std::string> unpack_archive(std::string_view bytes, std::size_t most) {
  const Reader reader(archive_read_new());
  // Only by the central directory, so that one reading of the archive decides.
  archive_read_support_format_zip_seekable(reader.get());
  archive_read_support_format_tar(reader.get());
  archive_read_support_format_gnutar(reader.get());
  archive_read_support_filter_gzip(reader.get());
  if (archive_read_open_memory(reader.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) {
    const char* const text = archive_error_string(reader.get());
    return fail(Code::kInvalid, text != nullptr ? text : "not an archive");
  }
  std::string bundle;
  std::set<std::string> seen;
  std::size_t room = most;
  while (true) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(reader.get(), &entry);
    if (status == ARCHIVE_EOF) break;
    if (status != ARCHIVE_OK) {
      const char* const text = archive_error_string(reader.get());
      return fail(Code::kInvalid, text != nullptr ? text : "broken archive");
    }
    const char* const raw = archive_entry_pathname(entry);
    if (raw == nullptr) return fail(Code::kInvalid, "an entry has no readable name");
    std::string name = plain_name(raw);
    TRY(check_kind(entry, name));
    if (archive_entry_filetype(entry) == AE_IFDIR) {
      while (name.ends_with('/')) name.pop_back();
      if (name.empty() || name == ".") continue;
    }
    if (const Status ok = check_path(name); !ok) return refuse(name, ok.error().message);
    if (archive_entry_filetype(entry) == AE_IFDIR) continue;
    if (!seen.insert(name).second) return refuse(name, "stands in the archive twice");
    if (seen.size() > kMaxFiles)
      return refuse(name, "over " + std::to_string(kMaxFiles) + " files");
    TRY_ASSIGN(const std::string content, content_of(reader.get(), name, room, most));
    room -= content.size();
    append_file(
        bundle,
        {.path = name, .content = content, .executable = (archive_entry_perm(entry) & 0111) != 0});
  }
  if (seen.empty()) return fail(Code::kInvalid, "no file in it");
  append_end(bundle, false);
  return bundle;
}

int unpack_main() {
  const auto bundle = []() -> Result<std::string> {
    TRY_ASSIGN(const std::string bytes, sys::read_file("/proc/self/fd/0", kMaxPacked));
    return unpack_archive(bytes);
  }();
  if (!bundle) {
    std::fprintf(stderr, "%s\n", bundle.error().message.c_str());
    return 1;
  }
  return sys::write_all(STDOUT_FILENO, *bundle) ? 0 : 1;
}

}  // namespace belljar::engine
