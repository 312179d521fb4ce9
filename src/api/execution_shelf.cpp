#include "api/execution_shelf.h"

#include <algorithm>

#include "base/sys.h"

namespace belljar::api {
namespace {

constexpr std::size_t kMostKept = 100;  // ended executions of one session
constexpr std::size_t kMostKeptBytes = 8 * kMiB;
constexpr std::size_t kMostShownOfEnded = 256 * kKiB;
constexpr std::size_t kMostEnded = 1000;  // sessions
constexpr Nanoseconds kShownAfterEnd = std::chrono::minutes(10);

}  // namespace

void ExecutionShelf::add(const std::string& session, std::shared_ptr<LiveRun> execution) {
  const std::lock_guard lock(mutex_);
  Session& its = sessions_[session];
  its.executions.push_back(std::move(execution));
  forget_old(its);
}

void ExecutionShelf::remove(const std::string& session, const LiveRun& execution) {
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  std::erase_if(found->second.executions,
                [&](const auto& each) { return each.get() == &execution; });
  if (found->second.executions.empty()) sessions_.erase(found);
}

std::shared_ptr<LiveRun> ExecutionShelf::find(const std::string& session,
                                              const std::string& execution) {
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return nullptr;
  for (const auto& each : found->second.executions) {
    if (each->id() == execution) return each;
  }
  return nullptr;
}

void ExecutionShelf::end(const std::string& session) {
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(session);
  if (found != sessions_.end()) {
    found->second.ended = sys::now();
    forget_old(found->second);
  }
  forget_ended();
}

void ExecutionShelf::forget_old(Session& session) {
  const bool ended = session.ended > Nanoseconds{};
  auto& shown = session.executions;
  if (ended) {
    std::erase_if(shown, [](const auto& each) {
      return each->is_over() && each->bytes() > kMostShownOfEnded;
    });
  }
  const std::size_t most = ended ? kMostShownOfEnded : kMostKeptBytes;
  std::size_t bytes = 0;
  for (const auto& each : shown) bytes += each->bytes();
  while (shown.size() > 1 && shown.front()->is_over() &&
         (shown.size() > kMostKept || bytes > most)) {
    bytes -= shown.front()->bytes();
    shown.pop_front();
  }
}

void ExecutionShelf::forget_ended() {
  const Nanoseconds now = sys::now();
  std::size_t ended = 0;
  // The youngest first: ids sort by time.
  for (auto at = sessions_.end(); at != sessions_.begin();) {
    --at;
    if (at->second.ended == Nanoseconds{}) continue;
    if (++ended > kMostEnded || now - at->second.ended > kShownAfterEnd) at = sessions_.erase(at);
  }
}

}  // namespace belljar::api
