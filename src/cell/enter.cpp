#include "cell/enter.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "cell/enter_identity.h"
#include "cell/enter_locks.h"
#include "cell/enter_mounts.h"
#include "cell/enter_processes.h"
#include "cell/handover.h"
#include "cell/init_protocol.h"
#include "cell/steps.h"

namespace belljar::cell {
namespace {

// The program's process: pid 2.
[[noreturn]] void become_program(const LaunchPlan& plan,
                                 const Steps& steps,
                                 const Channels& channels) {
  steps.done(EnterStep::kLimitGroups, join_groups(plan.fds.user_tasks));
  steps.done(EnterStep::kVerifyGroups, verify_groups(plan));
  steps.done(EnterStep::kCgroupNamespace, own_cgroup_namespace(plan));
  steps.done(EnterStep::kTerminal, own_session(plan));
  steps.done(EnterStep::kStdio, install_stdio(plan));
  steps.done(EnterStep::kIdentity, become_user(plan));
  // After the credentials: changing them clears the parent-death signal (prctl(2)).
  steps.done(EnterStep::kParentDeath, die_with_parent());
  steps.done(EnterStep::kNoNewPrivs, no_new_privs(plan));
  steps.done(EnterStep::kLandlock, landlock(plan, channels.probe));
  // Before the limits: the filter's listener needs a number below that of open files.
  steps.done(EnterStep::kSpareDescriptors, close_spare_descriptors(plan, channels));
  steps.done(EnterStep::kRlimits, limit_resources(plan));
  // Last of the locks: everything above needs calls that the filter denies.
  steps.done(EnterStep::kSeccomp, filter_calls(plan));
  steps.done(EnterStep::kGo, wait_for_init(channels.go_read));
  if (plan.fds.park >= 0) wait_for_run(plan, steps, channels);
  execute_program(plan);
  steps.done(EnterStep::kExec, false);
  ::_exit(125);
}

}  // namespace

void enter(const LaunchPlan& plan) {
  const Steps steps(plan.fds.report);
  Channels channels;

  steps.done(EnterStep::kUserMap, map_user(plan));
  // What an interpreter answers signals with goes on in the program's process.
  if (plan.interpreter == nullptr) steps.done(EnterStep::kSignals, reset_signals());
  steps.done(EnterStep::kDescriptors, open_channels(channels));
  steps.done(EnterStep::kNetwork, join_network(plan));
  steps.done(EnterStep::kClocks, own_clocks(plan));
  steps.done(EnterStep::kOomScore, allow_oom_kill());
  // Before the first page of /box is written: what is written there is the cell's memory.
  steps.done(EnterStep::kMemoryGroup, join_groups(plan.fds.init_tasks));

  steps.done(EnterStep::kPropagation, stop_propagation());
  steps.done(EnterStep::kRoot, mount_root(plan, channels));
  steps.done(EnterStep::kSystem, mount_system(plan));
  steps.done(EnterStep::kDevices, make_devices(plan));
  steps.done(EnterStep::kScratch, mount_scratch(plan));
  steps.done(EnterStep::kProc, mount_proc(plan));
  steps.done(EnterStep::kSmallFiles, write_small_files(plan, channels));
  steps.done(EnterStep::kFiles, write_files(plan));
  // From here on no path leads to the host, and after the next step nothing can be mounted over.
  steps.done(EnterStep::kPivot, pivot());
  steps.done(EnterStep::kReadOnly, make_read_only(plan, channels));
  steps.done(EnterStep::kVerifyMounts, verify_mounts(plan, channels));
  steps.done(EnterStep::kHostname, set_hostname(plan));

  const long child = fork_program(plan);
  steps.done(EnterStep::kProgramProcess, child >= 0);
  if (child == 0) become_program(plan, steps, channels);

  if (plan.interpreter != nullptr) steps.done(EnterStep::kSignals, reset_signals());
  // An execution leaves root of a user namespace what it needs to drop everything itself, which is
  // init's first business; anybody else it leaves nothing to do so with.
  if (plan.identity.nested_user_namespace) steps.done(EnterStep::kInitIdentity, become_user(plan));
  steps.done(EnterStep::kInitDescriptors, arrange_for_init(plan, channels));
  execute_init(plan);
  Steps(kInitReportFd).done(EnterStep::kInitExec, false);
  ::_exit(125);
}

std::uint64_t clone_flags(const LaunchPlan& plan) {
  std::uint64_t flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_PIDFD;
  // A zygote's cells are children of the warden's, which waits for them.
  flags |= plan.interpreter == nullptr ? CLONE_CLEAR_SIGHAND : CLONE_PARENT;
  if (plan.walls.has(Wall::kIpcNamespace)) flags |= CLONE_NEWIPC;
  if (plan.walls.has(Wall::kUtsNamespace)) flags |= CLONE_NEWUTS;
  if (plan.walls.has(Wall::kNetNamespace) && plan.fds.net < 0) flags |= CLONE_NEWNET;
  if (plan.identity.nested_user_namespace) flags |= CLONE_NEWUSER;
  if (plan.fds.init_birthplace >= 0) flags |= CLONE_INTO_CGROUP;
  return flags;
}

std::string_view to_string(EnterStep step) {
  switch (step) {
    case EnterStep::kUserMap:
      return "map the user namespace";
    case EnterStep::kSignals:
      return "reset signals";
    case EnterStep::kDescriptors:
      return "open the cell's channels";
    case EnterStep::kNetwork:
      return "enter the network namespace";
    case EnterStep::kClocks:
      return "make the time namespace";
    case EnterStep::kOomScore:
      return "set the OOM score";
    case EnterStep::kMemoryGroup:
      return "join the memory cgroup";
    case EnterStep::kPropagation:
      return "make mounts private";
    case EnterStep::kRoot:
      return "mount the root";
    case EnterStep::kSystem:
      return "mount the system directories";
    case EnterStep::kDevices:
      return "make the devices";
    case EnterStep::kScratch:
      return "mount /box, /tmp and /dev/shm";
    case EnterStep::kProc:
      return "mount /proc";
    case EnterStep::kSmallFiles:
      return "write /etc";
    case EnterStep::kFiles:
      return "write the submission's files";
    case EnterStep::kPivot:
      return "leave the host's root";
    case EnterStep::kReadOnly:
      return "make the root read-only";
    case EnterStep::kVerifyMounts:
      return "verify the mounts";
    case EnterStep::kHostname:
      return "set the host name";
    case EnterStep::kProgramProcess:
      return "fork the program's process";
    case EnterStep::kLimitGroups:
      return "join the limiting cgroups";
    case EnterStep::kVerifyGroups:
      return "verify the cgroups";
    case EnterStep::kCgroupNamespace:
      return "make the cgroup namespace";
    case EnterStep::kTerminal:
      return "make the session";
    case EnterStep::kStdio:
      return "install stdin, stdout and stderr";
    case EnterStep::kIdentity:
      return "drop privileges";
    case EnterStep::kParentDeath:
      return "tie the program to init";
    case EnterStep::kNoNewPrivs:
      return "set no_new_privs";
    case EnterStep::kLandlock:
      return "set up Landlock";
    case EnterStep::kSpareDescriptors:
      return "close spare descriptors";
    case EnterStep::kRlimits:
      return "set resource limits";
    case EnterStep::kSeccomp:
      return "install the seccomp filter";
    case EnterStep::kGo:
      return "wait for init";
    case EnterStep::kInterpreter:
      return "execute the interpreter that waits";
    case EnterStep::kHandover:
      return "receive the run";
    case EnterStep::kExec:
      return "execute the program";
    case EnterStep::kInitDescriptors:
      return "arrange init's descriptors";
    case EnterStep::kInitExec:
      return "execute init";
    case EnterStep::kInitIdentity:
      return "drop init's privileges";
    case EnterStep::kInitLocks:
      return "lock init";
  }
  return "unknown step";
}

}  // namespace belljar::cell
