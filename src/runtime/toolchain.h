// Toolchain: where a runtime's programs are on this host.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
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

// As if each program were where the manifest looks first: for plans of what runs elsewhere.
Toolchain assume(const Manifest& manifest);

// For whoever asks often: what was found is taken to be there for a second. What was not found is
// looked for each time. Safe from several threads.
class ToolchainCache {
 public:
  // `manifest` is told from others by its name.
  Result<Toolchain> detect(const Manifest& manifest, Nanoseconds now);

 private:
  struct Found {
    Toolchain toolchain;
    Nanoseconds since{};
  };
  std::mutex mutex_;
  std::map<std::string, Found, std::less<>> found_;  // by the manifest's name
};

}  // namespace belljar::runtime
