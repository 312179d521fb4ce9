// SpareSessions: sessions that nobody has yet, for who asks for nothing special: where one was
// wanted the next one may be too, and need not wait for its interpreter.
//
// Every member may be called from any thread.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/dispatcher.h"
#include "engine/session.h"
#include "engine/session_plan.h"

namespace belljar::engine {

// A session on a connection of its own. An Error drops the connection it was made from.
Result<std::unique_ptr<Session>> begin_session(WardenAccess& access,
                                               const PlannedSession& planned,
                                               const Policy& policy);

class SpareSessions {
 public:
  // Borrowed; it outlives them, and so does every policy. `most` wait at once; each of them waits
  // no longer than `patience` for its turn to be made.
  SpareSessions(Dispatcher& dispatcher, std::size_t most, Nanoseconds patience)
      : dispatcher_(dispatcher), most_(most), patience_(patience) {}

  // Nothing where none of this language is ready.
  std::unique_ptr<Session> take(const std::string& language);
  // Has one like it made, and more until there are enough.
  void make(const std::shared_ptr<const PlannedSession>& like, const Policy& policy);
  // Lets go of them where nobody has wanted one for long.
  void forget_old(Nanoseconds now);
  // None is kept from here on.
  void close();

 private:
  struct Spare {
    std::string language;
    std::unique_ptr<Session> session;
  };

  Dispatcher& dispatcher_;
  const std::size_t most_;
  const Nanoseconds patience_;
  std::mutex mutex_;
  std::vector<Spare> spares_;
  std::size_t coming_ = 0;
  Nanoseconds wanted_{};  // when somebody could have used one last
  bool closed_ = false;
};

}  // namespace belljar::engine
