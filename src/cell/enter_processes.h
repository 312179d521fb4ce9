// The process, namespace and descriptor steps of cell::enter. Each answers false with errno set.
// Runs in: the clone of the warden; no heap. See cell/enter.h for the order.
#pragma once

#include <sys/types.h>

#include <vector>

#include "cell/plan.h"

namespace belljar::cell {

// Descriptors the child opens for itself, all close-on-exec.
struct Channels {
  int go_read = -1;   // the program's process waits here …
  int go_write = -1;  // … for init's word
  int probe = -1;     // O_PATH, see landlock()
  dev_t root = 0;     // the file system that is to become the root
  int box = -1;       // a parked cell's way to write to a /box that is mounted read-only
};

bool map_user(const LaunchPlan& plan);
bool reset_signals();
bool open_channels(Channels& channels);
// Of the network namespace that the calling thread is in; also for the warden itself.
bool bring_loopback_up();
bool join_network(const LaunchPlan& plan);
bool own_clocks(const LaunchPlan& plan);
// A warden that the OOM killer must spare must not hand that on: the cell's score is 0.
bool allow_oom_kill();
// Writes "0" to each v1 `tasks` file: the calling thread joins, without the global lock.
bool join_groups(const std::vector<int>& tasks);
bool set_hostname(const LaunchPlan& plan);

// Clones the program's process (pid 2 of the cell), on v2 straight into its cgroup.
long fork_program(const LaunchPlan& plan);

// Compares where this process is with where it was to join; only before the namespace hides it.
bool verify_groups(const LaunchPlan& plan);
bool own_cgroup_namespace(const LaunchPlan& plan);
bool own_session(const LaunchPlan& plan);
// The program must be able to open /dev/stdout again. Only anonymous pipes are given away: a
// descriptor of anything else comes from a client that is not trusted with other inodes.
bool give_pipe(int fd, uid_t user);
bool install_stdio(const LaunchPlan& plan);
// Leaves open stdio and what the last steps of the program's process need: three at most where no
// run is waited for, so that the next to be opened has a number below kLeastOpenFiles.
bool close_spare_descriptors(const LaunchPlan& plan, const Channels& channels);
bool wait_for_init(int go_read);
void execute_program(const LaunchPlan& plan);
// Leaves open what init_protocol.h says, the image and the report, and nothing else.
bool arrange_for_init(const LaunchPlan& plan, const Channels& channels);
void execute_init(const LaunchPlan& plan);

}  // namespace belljar::cell
