// The freezer of cgroup v1, on one group given by its open directory; and its processes by pidfd,
// where no cgroup.kill is. v2 groups freeze by a file of their own: CgroupSlot.
//
// Runs in: warden. Each call is a few reads and writes of small files.
#pragma once

#include <sys/types.h>

#include <string_view>
#include <vector>

#include "base/result.h"

namespace belljar::cell {

// Asks for it. The group's processes stop one by one: is_v1_frozen() tells when the last has.
Status freeze_v1(int group, bool stop);
Result<bool> is_v1_frozen(int group);

// SIGKILL to every process of the group. What is frozen dies only once it is let go
// (freezer-subsystem.rst).
void kill_listed(int group);
// The same to a group that may be frozen, and lets it go after that: none of its processes runs
// again.
void kill_and_thaw_v1(int group);

// The process ids in a list, one a line; what is none, or is init's or nobody's, is left out.
std::vector<pid_t> listed_processes(std::string_view lines);

}  // namespace belljar::cell
