#include "runtime/toolchain.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/glob.h"
#include "base/text.h"

namespace belljar::runtime {
namespace {

namespace fs = std::filesystem;

bool is_within(std::string_view path, std::string_view directory) {
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

bool is_within_any(std::string_view path, const std::vector<std::string>& directories) {
  return std::ranges::any_of(directories, [&](const std::string& d) { return is_within(path, d); });
}

constexpr const char* kLinkerProgram = "linker";

std::vector<std::string> home_directories() {
  std::vector<std::string> homes{"/home", "/root"};
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing of ours changes the environment.
  const char* const home = std::getenv("HOME");
  std::error_code error;
  const fs::path real = fs::canonical(home == nullptr ? "" : home, error);
  // A service's HOME is often "/", which would make every path a person's.
  if (!error && real != "/") homes.push_back(real.string());
  return homes;
}

// What is at the end of all links, or why the candidate cannot be used.
Result<std::string> resolve(const std::string& candidate) {
  std::error_code error;
  const fs::path real = fs::canonical(candidate, error);
  if (error) return fail_errno(candidate, error.value());
  if (!fs::is_regular_file(real, error)) {
    return fail(Code::kNotFound, candidate + ": is not a file");
  }
  if (::faccessat(AT_FDCWD, real.c_str(), X_OK, AT_EACCESS) != 0) return fail_errno(candidate);
  return real.string();
}

Status check_candidate(const std::string& candidate,
                       const std::vector<std::string>& homes,
                       const std::vector<std::string>& shown) {
  TRY_ASSIGN(const std::string real, resolve(candidate));
  if (is_within_any(real, homes)) {
    return fail(Code::kDenied, candidate + ": leads to a home directory");
  }
  if (!is_within_any(real, shown)) {
    return fail(Code::kDenied, candidate + ": leads to " + quote(real) + ", which no cell shows");
  }
  return {};
}

std::vector<std::string> existing_mounts(const Manifest& manifest) {
  std::vector<std::string> found;
  std::error_code error;
  for (const std::string& mount : manifest.mounts) {
    if (mount.find_first_of("*?") == mount.npos) {
      if (fs::is_directory(mount, error)) found.push_back(mount);
      continue;
    }
    const fs::path pattern(mount);
    for (fs::directory_iterator at(pattern.parent_path(), error), end; !error && at != end;
         at.increment(error)) {
      if (at->is_directory(error) && glob_match(mount, at->path().native())) {
        found.push_back(at->path().string());
      }
    }
  }
  std::ranges::sort(found);
  return found;
}

std::vector<std::string> shown_in_a_cell(const std::vector<std::string>& mounts) {
  std::vector<std::string> shown{"/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/alternatives"};
  std::error_code error;
  for (const std::string& mount : mounts) {
    const fs::path real = fs::canonical(mount, error);
    if (!error) shown.push_back(real.string());
  }
  return shown;
}

std::unexpected<Error> missing(const Manifest& manifest,
                               const Program& program,
                               const std::vector<std::string>& reasons) {
  std::string message = manifest.title + " is not installed: apt-get install " + manifest.package;
  message += " brings it (looked for ";
  for (std::size_t i = 0; i < program.candidates.size(); ++i) {
    message += (i == 0 ? "" : ", ") + program.candidates[i];
  }
  message += ")";
  for (const std::string& reason : reasons) message += "; " + reason;
  return fail(Code::kUnavailable, std::move(message));
}

}  // namespace

Toolchain assume(const Manifest& manifest) {
  Toolchain toolchain;
  for (const Program& program : manifest.programs) {
    if (!program.candidates.empty()) {
      toolchain.programs.emplace(program.name, program.candidates.front());
    }
  }
  return toolchain;
}

Result<Toolchain> detect(const Manifest& manifest) {
  Toolchain toolchain{.programs = {}, .linker = {}, .mounts = existing_mounts(manifest)};
  const std::vector<std::string> homes = home_directories();
  const std::vector<std::string> shown = shown_in_a_cell(toolchain.mounts);
  for (const Program& program : manifest.programs) {
    std::vector<std::string> reasons;
    for (const std::string& candidate : program.candidates) {
      const Status usable = check_candidate(candidate, homes, shown);
      if (usable) {
        toolchain.programs.emplace(program.name, candidate);
        break;
      }
      if (usable.error().code == Code::kDenied) reasons.push_back(usable.error().message);
    }
    if (!toolchain.programs.contains(program.name)) return missing(manifest, program, reasons);
  }
  if (!manifest.compile) return toolchain;
  for (const Linker& linker : manifest.compile->linkers) {
    if (!check_candidate(linker.program, homes, shown)) continue;
    toolchain.linker = linker.argument;
    toolchain.programs.emplace(kLinkerProgram, linker.program);
    break;
  }
  return toolchain;
}

Result<Toolchain> ToolchainCache::detect(const Manifest& manifest, Nanoseconds now) {
  constexpr Nanoseconds kKept = std::chrono::seconds(1);
  {
    const std::lock_guard lock(mutex_);
    const auto found = found_.find(manifest.name);
    if (found != found_.end() && now < found->second.since + kKept) return found->second.toolchain;
  }
  TRY_ASSIGN(Toolchain toolchain, runtime::detect(manifest));
  const std::lock_guard lock(mutex_);
  found_.insert_or_assign(manifest.name, Found{.toolchain = toolchain, .since = now});
  return toolchain;
}

}  // namespace belljar::runtime
