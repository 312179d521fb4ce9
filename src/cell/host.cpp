#include "cell/host.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "base/sys.h"
#include "cell/init_image.h"

namespace belljar::cell {
namespace {

// Small files that programs expect and that say nothing about the host's people or services.
constexpr std::array kCopiedFiles{"/etc/ld.so.cache", "/etc/localtime",     "/etc/timezone",
                                  "/etc/os-release",  "/etc/protocols",     "/etc/services",
                                  "/etc/mime.types",  "/etc/debian_version"};
constexpr std::array kSharedDirectories{"/etc/alternatives", "/etc/ssl"};
constexpr std::array kTopDirectories{"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"};
constexpr std::size_t kMaxCopied = 512 * kKiB;

Result<Fd> make_init_image() {
  // MFD_EXEC (kernel 6.3) is needed where vm.memfd_noexec is set, and unknown before.
  constexpr unsigned kMfdExec = 0x0010U;
  int raw = ::memfd_create("belljar-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | kMfdExec);
  if (raw < 0) raw = ::memfd_create("belljar-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (raw < 0) return fail_errno("memfd_create");
  const Fd writable = Fd::adopt(raw);
  TRY(sys::write_all(writable.get(), init_image()));
  if (::fcntl(writable.get(), F_ADD_SEALS,
              F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
    return fail_errno("F_ADD_SEALS");
  }
  // A descriptor open for writing cannot be executed (ETXTBSY, execve(2)).
  return sys::open_file(("/proc/self/fd/" + std::to_string(writable.get())).c_str(), O_RDONLY);
}

// The first two numbers of "6.1.0-28-amd64"; zeros where there is none.
std::pair<int, int> version_of(std::string_view release) {
  std::pair<int, int> version;
  const char* const end = release.data() + release.size();
  const char* const dot = std::from_chars(release.data(), end, version.first).ptr;
  if (dot != end && *dot == '.') std::from_chars(dot + 1, end, version.second);
  return version;
}

}  // namespace

Result<Host> Host::probe(Privilege privilege) {
  Host host;
  host.privilege = privilege;
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  // Off at boot or not built in; any other failure must not pass for "this kernel has none".
  if (abi < 0 && errno != ENOSYS && errno != EOPNOTSUPP)
    return fail_errno("landlock_create_ruleset");
  host.landlock_abi = abi < 0 ? 0 : static_cast<int>(abi);
  host.time_namespace = ::access("/proc/self/ns/time_for_children", F_OK) == 0;
  utsname names{};
  ::uname(&names);
  // The flag has no probe of its own: an unknown one fails the install of the whole filter.
  host.wait_killable = version_of(names.release) >= std::pair(5, 19);
  const Result<std::string> pattern = sys::read_file("/proc/sys/kernel/core_pattern", kKiB);
  host.core_pipe = pattern && pattern->starts_with("|");
  TRY_ASSIGN(host.init_image, make_init_image());

  for (const std::string name : kTopDirectories) {
    const std::string path = "/" + name;
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) {
      if (errno != ENOENT) return fail_errno(path);
      continue;
    }
    if (S_ISLNK(status.st_mode)) {
      std::array<char, 256> target{};
      const ssize_t size = ::readlink(path.c_str(), target.data(), target.size() - 1);
      if (size > 0) host.system_links.emplace_back(name, std::string(target.data()));
    } else if (S_ISDIR(status.st_mode)) {
      host.system_directories.push_back(path);
    }
  }
  for (const char* directory : kSharedDirectories) {
    if (::access(directory, X_OK) == 0) {
      host.etc_directories.emplace_back(directory);
    } else if (errno != ENOENT) {
      return fail_errno(directory);
    }
  }
  for (const char* file : kCopiedFiles) {
    Result<std::string> content = sys::read_file(file, kMaxCopied);
    if (content) host.etc_files.emplace_back(std::string(file + 1), *std::move(content));
  }
  return host;
}

}  // namespace belljar::cell
