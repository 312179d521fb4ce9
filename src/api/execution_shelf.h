// ExecutionShelf: executions that this process knows as they happen, for clients that come for them
// while they are under way and for a while after: those of each session, up to a bound.
//
// Every member may be called from any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "api/live_run.h"
#include "base/units.h"

namespace belljar::api {

class ExecutionShelf {
 public:
  void add(const std::string& session, std::shared_ptr<LiveRun> execution);
  void remove(const std::string& session, const LiveRun& execution);
  // Nothing where it was let go of, or is not this session's.
  std::shared_ptr<LiveRun> find(const std::string& session, const std::string& execution);
  // From here on only what is small is kept of it, and not for long.
  void end(const std::string& session);

 private:
  struct Session {
    std::deque<std::shared_ptr<LiveRun>> executions;  // oldest first
    Nanoseconds ended{};                              // zero: it has not
  };
  static void forget_old(Session& session);
  void forget_ended();

  std::mutex mutex_;
  std::map<std::string, Session> sessions_;
};

}  // namespace belljar::api
