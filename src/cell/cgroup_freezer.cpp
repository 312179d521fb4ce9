#include "cell/cgroup_freezer.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/fd.h"
#include "cell/cgroup_files.h"

namespace belljar::cell {
namespace {

std::vector<pid_t> processes_in(int group) {
  const Result<std::string> lines = read_cgroup_list(group, "cgroup.procs");
  return lines ? listed_processes(*lines) : std::vector<pid_t>{};
}

}  // namespace

std::vector<pid_t> listed_processes(std::string_view lines) {
  std::vector<pid_t> pids;
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    pid_t pid = 0;
    std::from_chars(line.data(), line.data() + line.size(), pid);
    // 0 is a process of another pid namespace.
    if (pid > 1) pids.push_back(pid);
  }
  return pids;
}

Status freeze_v1(int group, bool stop) {
  return write_cgroup(group, "freezer.state", stop ? "FROZEN" : "THAWED");
}

Result<bool> is_v1_frozen(int group) {
  TRY_ASSIGN(const std::string state, read_cgroup(group, "freezer.state"));
  return state == "FROZEN";  // FREEZING: some of them are not yet
}

// A signal by number could hit a process that took the number meanwhile; a pidfd cannot, and the
// second look at the list proves that it is one of the group's.
void kill_listed(int group) {
  std::vector<std::pair<pid_t, Fd>> found;
  for (const pid_t pid : processes_in(group)) {
    Fd pidfd = Fd::adopt(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (pidfd.valid()) found.emplace_back(pid, std::move(pidfd));
  }
  if (found.empty()) return;
  std::vector<pid_t> still = processes_in(group);
  std::ranges::sort(still);
  for (const auto& [pid, pidfd] : found) {
    if (!std::ranges::binary_search(still, pid)) continue;
    ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
  }
}

void kill_and_thaw_v1(int group) {
  kill_listed(group);
  // A group that cannot be let go is told by its removal, which then fails.
  (void)freeze_v1(group, false).has_value();
}

}  // namespace belljar::cell
