#include "engine/header_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/digest.h"
#include "base/sys.h"
#include "base/text.h"
#include "base/wire.h"
#include "cell/spec.h"
#include "engine/toolchain_version.h"

namespace belljar::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxRecord = 1 * kMiB;
constexpr std::size_t kMostKept = 8;  // runtimes with their flags, at 100 to 200 MB each
constexpr std::string_view kFirstLine = "belljar headers 1\n";
constexpr std::string_view kDraft = ".draft";

std::string key_of(const runtime::Manifest& manifest, const runtime::Toolchain& toolchain) {
  WireWriter text;
  text.put_texts(manifest.precompile->headers);
  text.put_texts(manifest.precompile->list);
  text.put_texts(manifest.precompile->argv);
  text.put_texts(manifest.compile->env);
  for (const runtime::Program& program : manifest.programs) {
    const auto found = toolchain.programs.find(program.name);
    if (found == toolchain.programs.end()) continue;
    text.put_text(found->second);
    text.put_text(file_stamp(found->second));
  }
  return manifest.name + "-" + hex(digest(text.bytes())).substr(0, 32);
}

enum class Kind : std::uint8_t { kFolder, kFile };

// Ours or root's, no link, and nobody else may write to it.
bool is_trusted(const std::string& path, Kind kind) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return false;
  const bool right_kind = kind == Kind::kFolder ? S_ISDIR(status.st_mode)
                                                : S_ISREG(status.st_mode) && status.st_nlink == 1;
  return right_kind && (status.st_uid == 0 || status.st_uid == ::geteuid()) &&
         (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

// Lines "in STAMP PATH" and "out STAMP NAME".
struct Record {
  std::map<std::string, std::string, std::less<>> in, out;  // path -> stamp
};

std::string to_text(const Record& record) {
  std::string text(kFirstLine);
  for (const auto& [path, stamp] : record.in) text += "in " + stamp + " " + path + "\n";
  for (const auto& [path, stamp] : record.out) text += "out " + stamp + " " + path + "\n";
  return text;
}

std::optional<Record> parse_record(std::string_view text) {
  if (!text.starts_with(kFirstLine)) return std::nullopt;
  text.remove_prefix(kFirstLine.size());
  Record record;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == text.npos) return std::nullopt;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    const std::size_t first = line.find(' ');
    const std::size_t second = line.find(' ', first + 1);
    if (first == line.npos || second == line.npos) return std::nullopt;
    const std::string_view word = line.substr(0, first);
    if (word != "in" && word != "out") return std::nullopt;
    (word == "in" ? record.in : record.out)
        .emplace(line.substr(second + 1), line.substr(first + 1, second - first - 1));
  }
  return record;
}

// The folder holds what is recorded, as it was, and nothing besides.
bool is_as_recorded(const std::string& show, const Record& record) {
  std::error_code error;
  std::size_t files = 0;
  for (fs::recursive_directory_iterator at(show, error), end; !error && at != end;
       at.increment(error)) {
    const std::string path = at->path().string();
    if (at->symlink_status(error).type() == fs::file_type::directory) {
      if (!is_trusted(path, Kind::kFolder)) return false;
      continue;
    }
    const auto recorded = record.out.find(path.substr(show.size() + 1));
    if (recorded == record.out.end() || !is_trusted(path, Kind::kFile) ||
        file_stamp(path) != recorded->second) {
      return false;
    }
    ++files;
  }
  return !error && files > 0 && files == record.out.size();
}

bool is_current(const std::string& entry) {
  const std::string show = entry + "/show";
  const std::string file = entry + "/record";
  if (!is_trusted(entry, Kind::kFolder) || !is_trusted(show, Kind::kFolder) ||
      !is_trusted(file, Kind::kFile)) {
    return false;
  }
  const Result<std::string> text = sys::read_file(file.c_str(), kMaxRecord);
  if (!text) return false;
  const std::optional<Record> record = parse_record(*text);
  return record && is_as_recorded(show, *record) &&
         std::ranges::all_of(
             record->in, [](const auto& each) { return file_stamp(each.first) == each.second; });
}

Status make_folder(const std::string& path) {
  // For everybody to read, as a cell does with a uid of its own; the folders above may be closed.
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno(path);
  return {};
}

Status write_new(const std::string& path, std::string_view bytes) {
  TRY_ASSIGN(const Fd fd,
             sys::open_file(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
  TRY(sys::write_all(fd.get(), bytes));
  if (::fchmod(fd.get(), 0644) != 0) return fail_errno(path);
  return {};
}

Status write_entry(const std::string& entry, const MadeHeaders& made) {
  TRY(make_folder(entry));
  const std::string show = entry + "/show";
  TRY(make_folder(show));
  Record record;
  record.in.insert(made.sources.begin(), made.sources.end());
  for (const auto& [path, bytes] : made.files) {
    const std::string file = path.substr(1) + ".gch";
    for (std::size_t slash = file.find('/'); slash != file.npos; slash = file.find('/', slash + 1))
      TRY(make_folder(show + "/" + file.substr(0, slash)));
    TRY(write_new(show + "/" + file, bytes));
    record.out.emplace(file, file_stamp(show + "/" + file));
  }
  return write_new(entry + "/record", to_text(record));
}

// Drafts that were never finished, and what was made longest ago.
void clear_out(const std::string& folder) {
  std::error_code error;
  std::vector<std::pair<fs::file_time_type, fs::path>> kept;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (at->path().filename().native().starts_with(kDraft)) {
      fs::remove_all(at->path(), error);
    } else {
      kept.emplace_back(fs::last_write_time(at->path(), error), at->path());
    }
  }
  std::ranges::sort(kept, std::greater());
  for (std::size_t i = kMostKept; i < kept.size(); ++i) fs::remove_all(kept[i].second, error);
}

}  // namespace

std::string HeaderStore::find(const runtime::Manifest& manifest,
                              const runtime::Toolchain& toolchain) const {
  if (!manifest.precompile || !manifest.compile) return {};
  for (const std::string& folder : folders_) {
    std::error_code error;
    const std::string real = fs::canonical(folder, error).string();
    if (error || !cell::can_show(real) || !is_trusted(real, Kind::kFolder)) continue;
    const std::string entry = real + "/" + key_of(manifest, toolchain);
    if (is_current(entry)) return entry + "/show";
  }
  return {};
}

Status keep_headers(const std::string& folder,
                    const runtime::Manifest& manifest,
                    const runtime::Toolchain& toolchain,
                    const MadeHeaders& made) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail_errno(folder, error.value());
  const std::string real = fs::canonical(folder, error).string();
  if (error) return fail_errno(folder, error.value());
  // Root's are for everybody on this host, a person's for that person.
  if (::geteuid() != 0 && ::chmod(real.c_str(), 0700) != 0) return fail_errno(real);
  if (!cell::can_show(real)) {
    return fail(Code::kInvalid,
                quote(real) + ": no cell can show a folder in /tmp, or with , : or \\ in its name");
  }
  if (!is_trusted(real, Kind::kFolder)) {
    return fail(Code::kDenied, quote(real) + ": somebody else could write to it");
  }
  TRY_ASSIGN(const Fd lock, sys::open_file(real.c_str(), O_RDONLY | O_DIRECTORY));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(Code::kExhausted, quote(real) + ": somebody else is precompiling");
  }
  const std::string entry = real + "/" + key_of(manifest, toolchain);
  if (is_current(entry)) return {};
  clear_out(real);
  const std::string draft = real + "/" + std::string(kDraft);
  if (const Status written = write_entry(draft, made); !written) {
    fs::remove_all(draft, error);
    return written;
  }
  fs::remove_all(entry, error);
  if (::rename(draft.c_str(), entry.c_str()) != 0) return fail_errno(entry);
  return {};
}

}  // namespace belljar::engine
