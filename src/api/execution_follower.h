// ExecutionFollower: executions that another gateway of the fleet asked for, as they happen.
//
// Every member may be called from any thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "api/live_run.h"
#include "engine/session_host.h"
#include "ledger/store.h"

namespace belljar::api {

class ExecutionFollower {
 public:
  // Borrowed; both outlive it. Does nothing of itself where `host` is not shared.
  ExecutionFollower(engine::SessionHost& host, ledger::Store& store);

  // One that the ledger has, whether it has ended or not. Of one that has ended long ago nothing
  // but `outcome`, its end, is there any more.
  std::shared_ptr<LiveRun> follow(const ledger::Run& execution, const std::string& outcome);

 private:
  class Followed;
  void follow_for_ever(const std::stop_token& stop);

  engine::SessionHost& host_;
  ledger::Store& store_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Followed>> followed_;
  std::jthread follower_;  // last: it uses what stands above
};

}  // namespace belljar::api
