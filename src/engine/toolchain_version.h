// VersionCache: what a toolchain answered when it was asked for its version, kept per user and
// forgotten when the toolchain's file changes. Only a convenience: without it the toolchain is
// asked again.
//
// Any thread.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "runtime/toolchain.h"

namespace belljar::engine {

// Inode, size, and when the file at the end of all links was written and last changed in any way;
// empty where there is none.
std::string file_stamp(const std::string& path);

class VersionCache {
 public:
  // Names the files themselves: path, inode, size and modification time.
  static std::string key(const std::string& runtime, const runtime::Toolchain& toolchain);

  [[nodiscard]] std::optional<std::string> find(const std::string& key);
  void store(const std::string& key, const std::string& version);

 private:
  void remember(const std::string& key, const std::string& version);

  std::mutex mutex_;
  std::map<std::string, std::string> known_;  // of this process
};

}  // namespace belljar::engine
