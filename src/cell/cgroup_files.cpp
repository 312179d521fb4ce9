#include "cell/cgroup_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <limits>

#include "base/fd.h"
#include "base/sys.h"

namespace belljar::cell {

Status write_cgroup(int directory, const char* file, std::string_view value) {
  const Fd fd = Fd::adopt(::openat(directory, file, O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(std::string("cgroup: open ") + file);
  if (::write(fd.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size())) {
    return fail_errno(std::string("cgroup: write ") + file);
  }
  return {};
}

Result<std::string> read_cgroup(int directory, const char* file) {
  const Fd fd = Fd::adopt(::openat(directory, file, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(std::string("cgroup: open ") + file);
  return read_open_cgroup(fd.get(), file);
}

Result<std::string> read_open_cgroup(int file, const char* name) {
  std::array<char, 8192> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled
  const ssize_t got = ::pread(file, buffer.data(), buffer.size(), 0);
  if (got < 0) return fail_errno(std::string("cgroup: read ") + name);
  std::string text(buffer.data(), static_cast<std::size_t>(got));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

Result<std::string> read_cgroup_list(int directory, const char* file) {
  const Fd fd = Fd::adopt(::openat(directory, file, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(std::string("cgroup: open ") + file);
  std::array<char, 8192> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled
  std::string text;
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0) return fail_errno(std::string("cgroup: read ") + file);
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

Result<std::uint64_t> read_cgroup_number(int directory, const char* file) {
  TRY_ASSIGN(const std::string text, read_cgroup(directory, file));
  return cgroup_number(text, file);
}

Result<std::uint64_t> cgroup_number(std::string_view text, const char* name) {
  if (text == "max") return std::numeric_limits<std::uint64_t>::max();
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end == text.data()) {
    return fail(Code::kInternal, std::string("cgroup: ") + name + " holds no number");
  }
  return value;
}

std::optional<std::uint64_t> value_of(std::string_view lines, std::string_view key) {
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ' ') continue;
    std::uint64_t value = 0;
    const std::string_view text = line.substr(key.size() + 1);
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc{}) {
      return value;
    }
  }
  return std::nullopt;
}

Status remove_group(const std::string& path, Nanoseconds deadline) {
  while (::rmdir(path.c_str()) != 0 && errno != ENOENT) {
    if (errno != EBUSY || sys::now() > deadline) return fail_errno("cgroup: rmdir");
    const timespec pause{.tv_sec = 0, .tv_nsec = 200'000};
    ::nanosleep(&pause, nullptr);
  }
  return {};
}

}  // namespace belljar::cell
