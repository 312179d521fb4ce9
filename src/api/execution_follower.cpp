#include "api/execution_follower.h"

#include <optional>
#include <utility>
#include <vector>

#include "api/execution_events.h"
#include "base/pause.h"

namespace belljar::api {

class ExecutionFollower::Followed : private engine::ExecutionListener {
 public:
  Followed(engine::SessionHost& host, const ledger::Run& run)
      : live_(std::make_shared<LiveRun>(run.id, run.caller, LiveRun::Pieces::kAsTheyCome)),
        following_(host.follow(run.id, *this)) {}

  [[nodiscard]] const std::shared_ptr<LiveRun>& live() const { return live_; }
  void catch_up() {
    if (following_) following_->catch_up();
  }

 private:
  void on_start() override { add_start(*live_); }
  void on_output(engine::OutputStream stream, std::string_view bytes) override {
    live_->add_output(stream, bytes);
  }
  void on_result(const std::string& text) override { add_result(*live_, text); }
  void on_end(engine::ExecutionEnd /*end*/) override {}  // the ledger's is the one that counts

  const std::shared_ptr<LiveRun> live_;
  const std::unique_ptr<engine::Following> following_;
};

ExecutionFollower::ExecutionFollower(engine::SessionHost& host, ledger::Store& store)
    : host_(host), store_(store) {
  if (!host_.is_shared()) return;
  follower_ = std::jthread([this](const std::stop_token& stop) { follow_for_ever(stop); });
}

std::shared_ptr<LiveRun> ExecutionFollower::follow(const ledger::Run& execution,
                                                   const std::string& outcome) {
  std::shared_ptr<Followed> followed;
  {
    const std::lock_guard lock(mutex_);
    const auto known = followed_.find(execution.id);
    if (known != followed_.end()) return known->second->live();
    followed = std::make_shared<Followed>(host_, execution);
    if (!ledger::has_ended(execution.state) && host_.is_shared()) {
      followed_.emplace(execution.id, followed);
      return followed->live();
    }
  }
  followed->catch_up();
  followed->live()->end(outcome, std::nullopt);
  return followed->live();
}

void ExecutionFollower::follow_for_ever(const std::stop_token& stop) {
  constexpr std::chrono::milliseconds kPause{100};
  constexpr unsigned kLookEvery = 5;  // into the ledger
  for (unsigned turn = 0; pause_unless_stopped(stop, kPause); ++turn) {
    std::vector<std::shared_ptr<Followed>> all;
    {
      const std::lock_guard inner(mutex_);
      for (const auto& [id, each] : followed_) all.push_back(each);
    }
    for (const auto& each : all) {
      LiveRun& live = *each->live();
      // Looked for first: what it said until then is there.
      std::optional<std::string> outcome;
      if (turn % kLookEvery == 0) {
        auto run = store_.find(live.id());
        if (run && ledger::has_ended(run->state)) outcome = std::move(run->outcome);
      }
      if (outcome || live.is_watched()) each->catch_up();
      if (!outcome) continue;
      live.end(*std::move(outcome), std::nullopt);
      const std::lock_guard inner(mutex_);
      followed_.erase(live.id());
    }
  }
}

}  // namespace belljar::api
