// CellRun: one cell from clone to nothing left, as the warden watches it.
//
// Passive: the server's loop says which descriptor is ready and when a deadline has come.
//
// Runs in: warden.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "base/units.h"
#include "cell/host.h"
#include "cell/init_protocol.h"
#include "cell/plan.h"
#include "cell/seccomp.h"
#include "cell/spec.h"
#include "warden/protocol.h"
#include "warden/resources.h"

namespace belljar::warden {

// What came with a request.
struct RunDescriptors {
  Fd in{}, out{}, err{}, artifacts{}, program{};
};

class CellRun {
 public:
  // Clones the cell. The spec has been checked. An error means that nothing is left.
  static Result<std::unique_ptr<CellRun>> start(const cell::Host& host,
                                                const cell::CellSpec& spec,
                                                const Bundle& files,
                                                CellResources resources,
                                                RunDescriptors descriptors,
                                                Nanoseconds since);

  // Descriptors to wait on (all for input); they change after each call of ready().
  [[nodiscard]] std::vector<int> waits() const;
  void ready(int fd);
  // When to call tick() at the latest.
  [[nodiscard]] Nanoseconds deadline() const { return next_look_; }
  void tick();
  // Ends the program on the client's word.
  void end(EndReason reason);
  // Sends a signal to the program, not to its children. One that cannot be sent is left out.
  void signal_program(int signal);

  [[nodiscard]] bool has_started() const { return started_; }
  // True once: the program has just started.
  bool take_started();
  [[nodiscard]] bool is_over() const { return phase_ == Phase::kOver; }
  // Only when over: removes the cgroups and answers the report. A cgroup that cannot be emptied is
  // an error: its uid and name are not used again while this process lives.
  Result<CellReport> finish() &&;

 private:
  enum class Phase : std::uint8_t { kBuilding, kRunning, kEnding, kCollecting, kLeaving, kOver };

  CellRun(CellResources resources, const cell::CellSpec& spec)
      : resources_(std::move(resources)),
        limits_(spec.limits),
        wants_artifacts_(!spec.artifacts.empty()) {}

  void on_report();
  void on_control();
  void on_listener();
  void on_memory_event();
  void on_init_gone();
  void kill_program(Cause cause);
  void command(cell::InitCommand command);
  void schedule();

  CellResources resources_;
  Limits limits_;
  bool wants_artifacts_ = false;
  const cell::SyscallProfile* profile_ = nullptr;

  Fd report_, control_, pidfd_, listener_;
  Phase phase_ = Phase::kBuilding;
  bool started_ = false;
  bool started_told_ = false;
  bool has_cause_ = false;
  bool empty_ = false;
  CellReport result_;
  Nanoseconds since_{}, run_since_{}, empty_since_{}, leave_since_{};
  Nanoseconds next_look_{}, kill_deadline_{};
  std::uint64_t denials_ = 0;
};

}  // namespace belljar::warden
