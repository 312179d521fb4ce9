// Host: what this kernel and this installation can give, probed once by the warden.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "model/wall.h"

namespace belljar::cell {

// How the warden itself runs.
enum class Privilege : std::uint8_t {
  kRoot,       // root of the host: cells have leased uids
  kUidRange,   // root of a user namespace with a range of subordinate uids: the same, inside it
  kSingleUid,  // root of a user namespace that maps one uid: cells share it
};

struct Host {
  Privilege privilege = Privilege::kRoot;
  int landlock_abi = 0;
  bool time_namespace = false;
  bool wait_killable = false;  // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, kernel 5.19
  bool core_pipe = false;      // kernel.core_pattern starts a helper
  Fd init_image;               // sealed memfd with the cell's init
  std::vector<std::string>
      system_directories;  // real ones at the top: "/usr", on older hosts "/bin" …
  std::vector<std::pair<std::string, std::string>> system_links;  // "bin" -> "usr/bin"
  std::vector<std::string> etc_directories;  // "/etc/alternatives" …, where they exist
  std::vector<std::pair<std::string, std::string>> etc_files;  // "etc/ld.so.cache" -> content

  // Reads and probes; kUnavailable when cells cannot work at all.
  static Result<Host> probe(Privilege privilege);
};

}  // namespace belljar::cell
