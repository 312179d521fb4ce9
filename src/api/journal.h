// Journal: the way of runs and executions into the ledger, whoever performs them: accepted before
// that is said of them, or recorded once, with their end, where the end is all that is said
// (docs/decisions/0016-accepted-is-what-was-acknowledged.md).
//
// Every member may be called from any thread.
#pragma once

#include <atomic>
#include <boost/json/value.hpp>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "api/caller.h"
#include "ledger/store.h"

namespace belljar::api {

class Journal {
 public:
  // Borrowed; it outlives it.
  explicit Journal(ledger::Store& store);

  // One run, from its acceptance to its end. Who has it calls start() and end() once, in turn.
  struct Entry {
    // Whether the ledger has it. Who looks or changes that holds the mutex, and with it the record.
    struct Recording {
      std::mutex mutex;
      bool done = false;
    };
    ledger::Run record;
    Nanoseconds began_ago{};                 // when start() is called: it is told late
    std::shared_ptr<Recording> recording{};  // nothing: it was recorded before it was begun
  };

  // Records one request, counted against the caller's day, if it is not for a session. kConflict
  // for a key that was used otherwise, kExhausted when the day is used up, kUnavailable where the
  // ledger cannot be written.
  Result<ledger::Accepted> accept(const Caller& caller,
                                  std::span<const ledger::Run> runs,
                                  const std::string& idempotency_key);

  // The id of what was recorded for the same request before; nothing without a key. kConflict as
  // above.
  Result<std::optional<std::string>> earlier(const ledger::Run& run,
                                             const std::string& idempotency_key);

  // Where the answer at the end is the first word about a run, a record before it would promise
  // something to nobody. A key promises that a repetition finds the run, a webhook that somebody is
  // told, a quota is counted by the ledger.
  [[nodiscard]] bool may_accept_later(const Caller& caller,
                                      const ledger::Run& run,
                                      const std::string& idempotency_key) const;
  // It is recorded when it is over, or after a moment if it is not over by then.
  void accept_later(const std::shared_ptr<Entry>& entry);

  // It is begun, for the `attempt`th time; 0: once more than before. False where it has ended
  // already: whoever ended it has told so.
  bool start(Entry& entry, std::uint64_t attempt = 0);
  // How it ended: from here on its record says so. The webhook, where there is one, is told. Only
  // for what was to be recorded with its end a failure is an Error; nobody was promised anything.
  // What the ledger cannot take now of the others it takes as soon as it can.
  Status end(Entry& entry, ledger::Ending ending, std::span<const File> artifacts = {});

 private:
  // How something ended that was accepted, and that the ledger did not take then.
  struct Unwritten {
    std::string id;
    ledger::Ending ending;
    std::vector<File> artifacts;
  };

  bool write_end(const Unwritten& end);
  void write_late_ends(const std::stop_token& stop);
  void record_late_ones(const std::stop_token& stop);
  Status record_now(Entry& entry);

  ledger::Store& store_;
  // Since the ledger could not be written last: then all is recorded first, so that a disk that is
  // full is told before anything is run for nothing.
  std::atomic<bool> failed_ = false;
  std::mutex late_mutex_;
  std::condition_variable_any late_changed_;
  std::deque<std::pair<Nanoseconds, std::weak_ptr<Entry>>> late_;  // since when, oldest first
  std::mutex unwritten_mutex_;
  std::condition_variable_any unwritten_changed_;
  std::deque<Unwritten> unwritten_;
  // Last: they use what stands above.
  std::jthread late_recorder_;
  std::jthread late_writer_;
};

// A run as the API shows it; the outcome's object stands inside as it is.
std::string to_json(const ledger::Run& run);
// What the run is after this end.
void apply(const ledger::Ending& ending, ledger::Run& run);
// An idempotency key whose first request was another one.
std::unexpected<Error> used_otherwise();
// Null for a time that has not come.
boost::json::value time_or_null(std::int64_t unix_milliseconds);

}  // namespace belljar::api
