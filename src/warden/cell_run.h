// CellRun: one cell from clone to nothing left, as the warden watches it.
//
// Passive: the server's loop says which descriptor is ready and when a deadline has come.
//
// Runs in: warden.
#pragma once

#include <memory>
#include <optional>
#include <span>
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

// What a run is made of, as it came.
struct GivenRun {
  Fd memory{};  // the checked spec and the files
  bool session = false;
  RunDescriptors descriptors{};
  Nanoseconds since{};
};

// A parked cell's bill starts when it is parked: what it used before, to be made and to get ready,
// is on nobody's. A run that came before its cell was parked pays for the making too.
class CellRun {
 public:
  // Clones the cell. The spec has been checked. An error means that nothing is left.
  static Result<std::unique_ptr<CellRun>> start(const cell::Host& host,
                                                const cell::CellSpec& spec,
                                                const Bundle& files,
                                                CellResources resources,
                                                RunDescriptors descriptors,
                                                Nanoseconds since);

  // Clones a cell for runs like `spec` that waits, every lock on, for hand_over().
  static Result<std::unique_ptr<CellRun>> park(const cell::Host& host,
                                               const cell::CellSpec& spec,
                                               CellResources resources);

  // Has a zygote make one. Until born() or stillborn() there is nothing to wait on; hand_over() may
  // come before.
  static Result<std::unique_ptr<CellRun>> order(Zygote& zygote,
                                                const cell::Host& host,
                                                const cell::CellSpec& spec,
                                                CellResources resources);
  // The zygote's name for it; 0 when it is not of a zygote, or born.
  [[nodiscard]] std::uint64_t birth() const { return birth_; }
  [[nodiscard]] bool is_child_of(const Zygote& zygote) const {
    return resources_.place != nullptr && zygote.is_parent_of(*resources_.place);
  }
  void born(Birth birth);
  void stillborn();

  [[nodiscard]] bool is_parked() const { return phase_ == Phase::kParked; }
  // When it became so; CLOCK_MONOTONIC.
  [[nodiscard]] Nanoseconds parked_since() const { return parked_since_; }
  // Gives a parked cell its run, whose spec is `spec`. An error means that the cell is of no use
  // any more; `run` is then as it was.
  Status hand_over(const cell::CellSpec& spec, GivenRun& run);
  // Only when over: the run that this cell was given and never took, so that another may have it.
  std::optional<GivenRun> take_back();

  // Ends a cell that has no run.
  void discard();

  // Descriptors to wait on (all for input); they change after each call of ready().
  [[nodiscard]] std::vector<int> waits() const;
  void ready(int fd);
  // When to call tick() at the latest.
  [[nodiscard]] Nanoseconds deadline() const { return next_look_; }
  void tick();
  // Ends the program on the client's word.
  void end(EndReason reason);
  // The run is a session: see Request::session.
  void make_session() { session_ = true; }
  // Stops the program's processes; take_pause() tells when they have stopped, also where they had
  // before.
  Status pause();
  // Lets them go on, with limits and a bill of their own.
  Status resume(Nanoseconds wall, Nanoseconds cpu);
  // While it is paused: has init answer a request about its files, see RequestKind::kFiles.
  Status ask_files(int request, int answer);
  // Once for each pause that has come to rest: the bill since the cell was resumed.
  std::optional<Result<CellReport>> take_pause();
  [[nodiscard]] bool is_paused() const { return phase_ == Phase::kPaused; }
  // Paused, and nothing is due in it any more before it is asked for something.
  [[nodiscard]] bool is_at_rest() const {
    return phase_ == Phase::kPaused && rests_ && !may_reclaim_ && !asked_ && !has_news_;
  }
  [[nodiscard]] bool is_session() const { return session_; }

  // Sends a signal to the program, not to its children. One that cannot be sent is left out.
  void signal_program(int signal);

  [[nodiscard]] bool has_started() const { return started_; }
  // No process of the program is left, and what it wrote has been collected.
  [[nodiscard]] bool is_empty() const {
    return phase_ == Phase::kLeaving || phase_ == Phase::kOver;
  }
  [[nodiscard]] bool is_over() const { return phase_ == Phase::kOver; }
  // Only when empty: what happened, with the bill.
  Result<CellReport> report();
  // Only when over: removes the cgroups. One that cannot be emptied is an error: its uid and name
  // are not used again while this process lives.
  Status remove(Nanoseconds patience);
  // Only when over and every process has left the cgroups: what may be kept for another cell.
  [[nodiscard]] bool has_left() const { return resources_.cgroup.is_empty(); }
  [[nodiscard]] CellResources& resources() { return resources_; }
  // Since the cell was empty.
  [[nodiscard]] Nanoseconds teardown() const;

 private:
  enum class Phase : std::uint8_t {
    kBuilding,
    kParked,
    kRunning,
    kPausing,
    kPaused,
    kEnding,
    kCollecting,
    kLeaving,
    kOver
  };

  CellRun(CellResources resources, const cell::CellSpec& spec)
      : resources_(std::move(resources)),
        has_loopback_(spec.loopback),
        limits_(spec.limits),
        profile_(cell::find_profile(spec.profile)) {}
  // With `park` it waits for hand_over(), else it runs at once.
  static Result<std::unique_ptr<CellRun>> launch(const cell::Host& host,
                                                 const cell::CellSpec& spec,
                                                 const Bundle& files,
                                                 CellResources resources,
                                                 const RunDescriptors& descriptors,
                                                 bool park);

  void on_report();
  // One message; false: there is none and will be none.
  bool hear_report();
  void on_parked();
  void on_control();
  void on_listener();
  void on_memory_event();
  void look_whether_paused();
  void rest();
  // The limit that the program is past, or kProgram.
  [[nodiscard]] Cause passed_limit(Nanoseconds now) const;
  void on_init_gone();
  void kill_program(Cause cause);
  bool command(cell::InitCommand command, std::span<const int> descriptors = {});
  [[nodiscard]] std::optional<Nanoseconds> cpu_time() const;
  void schedule();

  CellResources resources_;
  bool has_loopback_;
  std::uint64_t birth_ = 0;
  bool discarded_ = false;
  Start warmth_ = Start::kCell;  // of a run that is handed over
  Limits limits_;
  const cell::SyscallProfile* profile_;

  Fd report_, control_, park_, pidfd_, listener_;
  std::optional<GivenRun> given_;  // until the cell has taken it
  Fd artifacts_;                   // where collected files go; invalid: none are wanted
  Phase phase_ = Phase::kBuilding;
  bool started_ = false;
  bool has_cause_ = false;
  bool empty_ = false;
  CellReport result_;
  Nanoseconds given_at_{};  // from when on a parked cell could run what it was given
  Nanoseconds since_{}, run_since_{}, empty_since_{}, leave_since_{}, parked_since_{};
  cell::CgroupUsage before_;  // what the cell had used when it was parked
  Nanoseconds next_look_{}, kill_deadline_{};
  std::uint64_t denials_ = 0;

  bool session_ = false;
  bool has_news_ = false;     // of a pause
  bool asked_ = false;        // init is at a request about files
  int signals_ = 0;           // that init has not passed on yet
  bool rests_ = false;        // it has been paused for a while
  bool may_reclaim_ = false;  // memory of a paused cell, at that time
  Nanoseconds reclaim_at_{};
  Nanoseconds pause_look_{};         // how long to wait for the next look
  Cause overrun_ = Cause::kProgram;  // the limit for which the program was interrupted, or kProgram
  Nanoseconds overrun_deadline_{};
};

}  // namespace belljar::warden
