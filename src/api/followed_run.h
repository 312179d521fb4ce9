// FollowedRun: a run that this process does not have run, told from what the fleet keeps of it.
//
// Every member may be called from any thread.
#pragma once

#include <memory>

#include "api/live_run.h"
#include "engine/runner.h"

namespace belljar::api {

// What happens in the cell, onto a run's list of events.
void add_stage(LiveRun& live, StageKind stage);
// Answers whether it is one: a compiler's words are not the program's output, they come with the
// outcome.
bool add_output(LiveRun& live,
                StageKind stage,
                engine::OutputStream stream,
                std::string_view bytes);

class FollowedRun : private engine::Observer {
 public:
  // `live` has the event that it is queued. `is_ours`: its end is told by this process too.
  FollowedRun(engine::Runner& runner, std::shared_ptr<LiveRun> live, bool is_ours)
      : live_(std::move(live)), is_ours_(is_ours), following_(runner.follow(live_->id(), *this)) {}

  [[nodiscard]] const std::shared_ptr<LiveRun>& live() const { return live_; }
  [[nodiscard]] bool is_ours() const { return is_ours_; }
  // What came since goes onto its list.
  void catch_up() {
    if (following_) following_->catch_up();
  }

 private:
  void on_stage(StageKind stage) override { add_stage(*live_, stage); }
  void on_output(StageKind stage, engine::OutputStream stream, std::string_view bytes) override {
    add_output(*live_, stage, stream, bytes);
  }

  const std::shared_ptr<LiveRun> live_;
  const bool is_ours_;
  const std::unique_ptr<engine::Following> following_;
};

}  // namespace belljar::api
