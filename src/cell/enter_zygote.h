// Enter, for a zygote: from clone to the first instruction of an interpreter that will make cells.
//
// The zygote's own walls are a private root, a user namespace that maps one lease of uids and none
// of the host's, no network, no process of others in its /proc, and a filter. In that namespace it
// has every capability, for making cells takes them.
//
// Runs in: the clone of the warden, which is root. No heap.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cell/plan.h"

namespace belljar::cell {

struct ZygotePlan {
  const LaunchPlan* root = nullptr;   // the mounts and small files
  pid_t warden = -1;                  // its parent: with it, it ends
  uid_t first_uid = 0;                // of its uids, on the host: it owns its scratch directories
  int socket = -1;                    // to the warden
  std::string_view library;           // what turns the interpreter into a zygote
  std::vector<SmallFile> cell_files;  // of its cells' roots: "5/etc/passwd"
  std::vector<char*> argv, envp;
};

// Never returns: becomes the interpreter, or tells why not and ends with status 125.
[[noreturn]] void enter_zygote(const ZygotePlan& plan);

}  // namespace belljar::cell
