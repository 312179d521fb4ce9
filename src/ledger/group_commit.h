// GroupCommit: changes that come while a transaction waits for the disk share the next one, so that
// many threads pay for one wait. Safe from several threads.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <vector>

#include "base/result.h"
#include "ledger/sqlite.h"

namespace belljar::ledger {

// Whether a change must be on the disk when its call returns, or the end of this process alone may
// not lose it.
enum class Durable : std::uint8_t { kNow, kSoon };

class GroupCommit {
 public:
  // `connection` is used only under `turn`; it is opened with PRAGMA synchronous = NORMAL. Without
  // `full` nothing waits for the disk.
  GroupCommit(sqlite::Connection& connection, std::mutex& turn, bool full)
      : connection_(connection), turn_(turn), full_(full) {}

  // Makes the change in a transaction and returns when that is committed. False from the change
  // undoes it, and it alone. It may be called a second time, after the first was undone, and is
  // called by whichever thread commits.
  Status run(const std::function<bool()>& change, Durable durable);

 private:
  struct Waiting {
    const std::function<bool()>& change;
    Durable durable;
    Status status;
    bool done = false;
  };
  using Group = std::vector<Waiting*>;

  void commit(const Group& group);
  Status set_waiting(bool wait);
  Status commit_together(sqlite::Transaction transaction, const Group& group);
  Status commit_alone(const Waiting& waiting);

  sqlite::Connection& connection_;
  std::mutex& turn_;
  const bool full_;
  bool waits_ = false;  // a commit waits for the disk, now

  std::mutex mutex_;  // of what follows; never held while the disk is waited for
  std::condition_variable committed_;
  Group queue_;
  bool committing_ = false;
};

}  // namespace belljar::ledger
