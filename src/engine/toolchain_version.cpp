#include "engine/toolchain_version.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>

#include "base/sys.h"

namespace belljar::engine {
namespace {

constexpr std::size_t kMaxEntry = 4096;
constexpr std::size_t kMostKnown = 256;

// $XDG_CACHE_HOME/belljar or ~/.cache/belljar; empty when there is neither.
std::string directory() {
  if (const char* const cache = std::getenv("XDG_CACHE_HOME");
      cache != nullptr && cache[0] == '/') {
    return std::string(cache) + "/belljar";
  }
  const char* const home = std::getenv("HOME");
  return home != nullptr && home[0] == '/' ? std::string(home) + "/.cache/belljar" : std::string();
}

std::string file_of(const std::string& key) {
  return directory() + "/version-" + std::to_string(std::hash<std::string>{}(key));
}

}  // namespace

std::string file_stamp(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return {};
  const auto nanoseconds = [](const timespec& time) {
    return std::to_string(time.tv_sec) + "." + std::to_string(time.tv_nsec);
  };
  return std::to_string(status.st_ino) + ":" + std::to_string(status.st_size) + ":" +
         nanoseconds(status.st_mtim) + ":" + nanoseconds(status.st_ctim);
}

std::string VersionCache::key(const std::string& runtime, const runtime::Toolchain& toolchain) {
  std::string key = runtime;
  for (const auto& [name, path] : toolchain.programs) {
    key += " " + path + ":" + file_stamp(path);
  }
  return key;
}

void VersionCache::remember(const std::string& key, const std::string& version) {
  const std::lock_guard lock(mutex_);
  // Only toolchains that are replaced again and again come to so many.
  if (known_.size() >= kMostKnown) known_.clear();
  known_[key] = version;
}

std::optional<std::string> VersionCache::find(const std::string& key) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = known_.find(key); found != known_.end()) return found->second;
  }
  if (directory().empty()) return std::nullopt;
  const Result<std::string> entry = sys::read_file(file_of(key).c_str(), kMaxEntry);
  // The key stands in the entry: two keys with one hash do not share an answer.
  if (!entry || !entry->starts_with(key + "\n")) return std::nullopt;
  remember(key, entry->substr(key.size() + 1));
  return entry->substr(key.size() + 1);
}

void VersionCache::store(const std::string& key, const std::string& version) {
  remember(key, version);
  if (directory().empty() || key.size() + version.size() + 1 > kMaxEntry) return;
  const std::string home = directory();
  ::mkdir(home.substr(0, home.rfind('/')).c_str(), 0700);
  ::mkdir(home.c_str(), 0700);
  const std::string file = file_of(key);
  const std::string draft = file + "." + std::to_string(::gettid());
  Result<Fd> fd = sys::open_file(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
  if (!fd || !sys::write_all(fd->get(), key + "\n" + version) ||
      ::rename(draft.c_str(), file.c_str()) != 0) {
    ::unlink(draft.c_str());
  }
}

}  // namespace belljar::engine
