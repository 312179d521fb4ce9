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

class GroupCommit {
 public:
  // `connection` is used only under `turn`.
  GroupCommit(sqlite::Connection& connection, std::mutex& turn)
      : connection_(connection), turn_(turn) {}

  // Makes the change in a transaction and returns when that is committed. False from the change
  // undoes it, and it alone. It may be called a second time, after the first was undone, and is
  // called by whichever thread commits.
  Status run(const std::function<bool()>& change);

 private:
  struct Waiting {
    const std::function<bool()>& change;
    Status status;
    bool done = false;
  };
  using Group = std::vector<Waiting*>;

  void commit(const Group& group);
  Status commit_together(sqlite::Transaction transaction, const Group& group);
  Status commit_alone(const Waiting& waiting);

  sqlite::Connection& connection_;
  std::mutex& turn_;

  std::mutex mutex_;  // of what follows; never held while the disk is waited for
  std::condition_variable committed_;
  Group queue_;
  bool committing_ = false;
};

}  // namespace belljar::ledger
