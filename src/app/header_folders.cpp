#include "app/header_folders.h"

#include <unistd.h>

#include <cstdlib>

namespace belljar::app {
namespace {

constexpr const char* kRoots = "/var/cache/belljar/headers";

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

std::string usual_header_folder() {
  // Whatever HOME says: under sudo it is often still the person's.
  if (::geteuid() == 0) return kRoots;
  if (const std::string cache = variable("XDG_CACHE_HOME"); cache.starts_with('/'))
    return cache + "/belljar/headers";
  if (const std::string home = variable("HOME"); home.starts_with('/'))
    return home + "/.cache/belljar/headers";
  return kNoHeaders;
}

std::vector<std::string> folders_of(const std::string& setting) {
  if (setting == kNoHeaders) return {};
  return {setting};
}

std::vector<std::string> header_folders() {
  if (const std::string own = variable("BELLJAR_HEADERS"); !own.empty()) return folders_of(own);
  std::vector<std::string> folders = folders_of(usual_header_folder());
  folders.emplace_back(kRoots);
  return folders;
}

}  // namespace belljar::app
