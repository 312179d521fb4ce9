// LiveSession: a session that this process holds, with what waits to be done in it.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/dispatcher.h"
#include "engine/session_host.h"

namespace belljar::engine {

inline constexpr std::size_t kMostWaitingInSession = 32;
inline constexpr std::size_t kMostContexts = 16;
inline constexpr std::string_view kDefaultContext = "default";

std::unexpected<Error> session_has_ended(const std::string& reason);

struct LiveSession {
  struct Item {
    std::function<void(WardenAccess&)> work;
    std::function<void(const Error&)> give_up;
  };
  // One that has not ended.
  struct Pending {
    ExecutionOrder order;
    std::shared_ptr<ExecutionListener> listener;
    Nanoseconds since{};
    std::atomic<bool> cancelled = false;
  };
  // Why it ended, for programs and for people.
  struct End {
    std::string by;
    std::string reason;
  };

  // Before anybody else sees it, and never changed.
  SessionView base;  // without what changes
  const Policy* rules = nullptr;
  std::string kind;            // of its driver: "python", …
  std::string title;           // of its language
  std::size_t concurrent = 0;  // of this caller's at once; 0: no limit of its own
  Nanoseconds deadline{};      // CLOCK_MONOTONIC

  std::mutex mutex;  // over what follows
  std::deque<Item> items;
  bool busy = false;    // a worker has it, or will
  bool paused = false;  // by its caller
  std::vector<std::shared_ptr<Pending>> pending;
  Pending* current = nullptr;  // what is executed
  bool ended = false;
  std::optional<SessionView> last;  // what is shown of it once it has ended
  End why;                          // when it has ended, or is about to
  Nanoseconds used{};               // or ended
  std::uint64_t executions = 0;
  std::uint64_t held = 0;  // bytes that it has had at once, and may have now
  std::set<std::string, std::less<>> contexts{std::string(kDefaultContext)};
  std::unique_ptr<Session> session;
  std::vector<std::function<void()>> gone;  // told when nothing of it is left

  // What waits longest; nothing when it was given up.
  Item take_first();
  // Why its code may not be executed, now or when its turn comes.
  [[nodiscard]] Status may_execute_locked() const;
  // Why nothing more may wait in it.
  [[nodiscard]] Status may_wait_locked() const;
  // Everything that can be said against this execution but for room.
  [[nodiscard]] Status check_locked(const ExecutionOrder& order) const;
  [[nodiscard]] Status check_locked(ContextChange change, const std::string& context) const;
  [[nodiscard]] std::shared_ptr<Pending> pending_locked(const std::string& execution) const;
  [[nodiscard]] SessionView view_locked() const;
  // For the process after this one, should this one be killed.
  void note_locked() const;
};

// What note_locked() has written, but for `rules`, `kind` and `title`.
Status read_note(const std::string& note, LiveSession& to);

}  // namespace belljar::engine
