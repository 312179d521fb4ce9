#include "ledger/group_commit.h"

#include <algorithm>
#include <utility>

namespace belljar::ledger {

Status GroupCommit::run(const std::function<bool()>& change, Durable durable) {
  Waiting mine{.change = change, .durable = durable, .status = {}};
  std::unique_lock lock(mutex_);
  queue_.push_back(&mine);
  committed_.wait(lock, [&] { return mine.done || !committing_; });
  if (mine.done) return mine.status;
  // Nobody commits: this thread does, for all who wait, itself among them.
  committing_ = true;
  const Group group = std::exchange(queue_, {});
  lock.unlock();
  commit(group);
  lock.lock();
  committing_ = false;
  for (Waiting* const waiting : group) waiting->done = true;
  committed_.notify_all();
  return mine.status;
}

// Of the log of SQLite, whose pages one wait settles all at once: those of earlier commits too.
Status GroupCommit::set_waiting(bool wait) {
  if (wait == waits_) return {};
  TRY(connection_.script(wait ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL"));
  waits_ = wait;
  return {};
}

void GroupCommit::commit(const Group& group) {
  const std::lock_guard turn(turn_);
  const bool now = std::ranges::any_of(
      group, [](const Waiting* waiting) { return waiting->durable == Durable::kNow; });
  if (const Status set = set_waiting(full_ && now); !set) {
    for (Waiting* const waiting : group) waiting->status = set;
    return;
  }
  if (group.size() > 1) {
    Result<sqlite::Transaction> transaction = sqlite::Transaction::begin(connection_);
    if (!transaction) {
      for (Waiting* const waiting : group) waiting->status = std::unexpected(transaction.error());
      return;
    }
    if (commit_together(*std::move(transaction), group)) return;
  }
  // Alone, or together they failed: what one cannot have, room above all, the others still may.
  for (Waiting* const waiting : group) waiting->status = commit_alone(*waiting);
}

Status GroupCommit::commit_together(sqlite::Transaction transaction, const Group& group) {
  for (const Waiting* const waiting : group) {
    TRY(connection_.execute("SAVEPOINT change"));
    // After some errors SQLite undoes the whole transaction; then there is no savepoint any more.
    if (!waiting->change()) TRY(connection_.execute("ROLLBACK TO change"));
    TRY(connection_.execute("RELEASE change"));
  }
  return transaction.commit();
}

Status GroupCommit::commit_alone(const Waiting& waiting) {
  TRY_ASSIGN(sqlite::Transaction transaction, sqlite::Transaction::begin(connection_));
  if (!waiting.change()) return {};
  return transaction.commit();
}

}  // namespace belljar::ledger
