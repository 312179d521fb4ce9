#include "app/cell_probes.h"

#include <array>
#include <utility>

namespace belljar::app {
namespace {

bool timed_out(const StageOutcome& stage, Clock clock) {
  return stage.status == RunStatus::kTimeout && stage.clock == clock;
}

// Bounded in what they take, for the hosts where the limit does not hold.
constexpr std::array kProbes{
    LimitProbe{"wall", "sleep 30", "wall=200ms",
               [](const StageOutcome& stage) { return timed_out(stage, Clock::kWall); }},
    LimitProbe{"cpu", "while :; do :; done", "cpu=100ms,wall=5s",
               [](const StageOutcome& stage) { return timed_out(stage, Clock::kCpu); }},
    LimitProbe{"memory", "head -c 134217728 /dev/zero | tail > /dev/null", "memory=32M,wall=5s",
               [](const StageOutcome& stage) { return stage.status == RunStatus::kMemoryLimit; }},
    LimitProbe{"processes", "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done",
               "processes=8,wall=5s",
               [](const StageOutcome& stage) { return stage.events.process_limit_hits > 0; }},
    LimitProbe{"output", "exec head -c 1000000 /dev/zero", "output=10K,wall=5s",
               [](const StageOutcome& stage) { return stage.status == RunStatus::kOutputLimit; }},
    LimitProbe{"box", "! head -c 4000000 /dev/zero > /box/file", "box=1M,wall=5s",
               [](const StageOutcome& stage) { return stage.events.disk_full; }},
    LimitProbe{"tmp", "! head -c 4000000 /dev/zero > /tmp/file", "tmp=1M,wall=5s",
               [](const StageOutcome& stage) { return stage.events.disk_full; }},
    LimitProbe{"inodes",
               "i=0; while [ $i -lt 200 ] && : > /tmp/$i; do i=$((i+1)); done; [ $i -lt 200 ]",
               "inodes=64,wall=5s", [](const StageOutcome& stage) { return stage.exit_code != 1; }},
    LimitProbe{"file_size", "exec head -c 4000000 /dev/zero > /tmp/file", "file_size=1M,wall=5s",
               [](const StageOutcome& stage) { return stage.status != RunStatus::kOk; }},
    LimitProbe{"open_files", "[ \"$(ulimit -n)\" = 64 ]", "open_files=64,wall=5s",
               [](const StageOutcome& stage) { return stage.status == RunStatus::kOk; }},
    LimitProbe{"stack", "[ \"$(ulimit -s)\" = 1024 ]", "stack=1M,wall=5s",
               [](const StageOutcome& stage) { return stage.status == RunStatus::kOk; }},
    LimitProbe{"cpus", "while :; do :; done", "cpus=0.2,wall=500ms",
               [](const StageOutcome& stage) { return stage.usage.cpu * 2 < stage.usage.wall; }},
};

}  // namespace

std::span<const LimitProbe> limit_probes() {
  return kProbes;
}

Result<StageOutcome> run_probe(engine::Engine& engine,
                               const Policy& policy,
                               std::string_view script,
                               std::string_view limits) {
  TRY_ASSIGN(const LimitOverrides wanted,
             limits.empty() ? Result<LimitOverrides>{LimitOverrides{}} : parse_limits(limits));
  engine::Prepared prepared;
  prepared.runnable = true;
  prepared.stages.run.argv = {"/bin/sh", "-c", std::string(script)};
  prepared.stages.run.env = {"PATH=/usr/bin:/bin"};
  prepared.stages.run.limits = apply(policy.defaults, wanted);
  engine::Observer silent;
  TRY_ASSIGN(Outcome outcome, engine.run(prepared, engine::Input{}, silent));
  if (outcome.stages.empty()) {
    StageOutcome refused;
    refused.status = outcome.status;
    refused.reason = outcome.reason;
    return refused;
  }
  return std::move(outcome.stages.back());
}

std::string_view advice(Wall wall) {
  switch (wall) {
    case Wall::kPidNamespace:
    case Wall::kMountNamespace:
    case Wall::kNetNamespace:
    case Wall::kIpcNamespace:
    case Wall::kUtsNamespace:
      return "run as root, or allow user namespaces: sysctl user.max_user_namespaces, "
             "kernel.unprivileged_userns_clone=1, "
             "kernel.apparmor_restrict_unprivileged_userns=0; in a container see "
             "docs/operations.md";
    case Wall::kCgroupNamespace:
      return "use a kernel built with CONFIG_CGROUPS";
    case Wall::kTimeNamespace:
      return "use Linux 5.6 or newer built with CONFIG_TIME_NS";
    case Wall::kPrivateRoot:
      return "make overlayfs available (modprobe overlay); without root it needs Linux 5.11";
    case Wall::kPrivateDevices:
      return "run as root: device nodes cannot be made in a user namespace";
    case Wall::kProc:
      return "use Linux 5.8 or newer; in a container /proc must not be masked, see "
             "docs/operations.md";
    case Wall::kOwnUid:
    case Wall::kInitUid:
      return "run as root, or give the user a range in /etc/subuid and /etc/subgid and install "
             "uidmap";
    case Wall::kNoCapabilities:
    case Wall::kNoNewPrivs:
      return "use Linux 3.5 or newer";
    case Wall::kLandlock:
      return "use Linux 5.13 or newer with landlock in CONFIG_LSM or lsm= of the command line";
    case Wall::kLandlockScope:
      return "use Linux 6.12 or newer: Landlock ABI 6";
    case Wall::kSeccomp:
      return "use a kernel built with CONFIG_SECCOMP_FILTER";
    case Wall::kMemoryLimit:
      return "delegate the memory controller: on cgroup v2 systemd-run --user --scope -p "
             "Delegate=yes, on v1 run as root; some kernels need cgroup_enable=memory; in a "
             "container see docs/operations.md";
    case Wall::kProcessLimit:
      return "delegate the pids controller: on cgroup v2 systemd-run --user --scope -p "
             "Delegate=yes, on v1 run as root; in a container see docs/operations.md";
    case Wall::kCpuLimit:
      return "delegate the cpu controller: on cgroup v2 systemd-run --user --scope -p "
             "Delegate=yes, on v1 run as root; in a container see docs/operations.md";
    case Wall::kCpuBill:
      return "give Belljar a cgroup of its own (cgroup v2), or the cpuacct controller (v1, as "
             "root)";
    case Wall::kRlimits:
      return "raise the hard limits of the calling shell, see ulimit -H -a";
  }
  std::unreachable();
}

}  // namespace belljar::app
