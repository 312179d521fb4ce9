// Toolchain: where a runtime's programs are on this host.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/manifest.h"

namespace belljar::runtime {

struct Toolchain {
  std::map<std::string, std::string, std::less<>> programs;  // name -> absolute path
  std::string linker;               // the argument of the linker; its program is "linker" above
  std::vector<std::string> mounts;  // those of the manifest's that are there, patterns resolved
};

// kUnavailable says which package brings what is missing. Only the manifest's absolute candidates
// are looked at: never $PATH, never a home directory, so a person's shims are not exposed; and only
// what a cell shows, with every symbolic link on the way followed.
Result<Toolchain> detect(const Manifest& manifest);

}  // namespace belljar::runtime
