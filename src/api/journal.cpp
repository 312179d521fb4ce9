#include "api/journal.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "base/id.h"
#include "base/sys.h"
#include "base/text.h"
#include "model/json_text.h"

namespace belljar::api {
namespace {

namespace json = boost::json;

// After this a run that is to be recorded with its end is recorded without it, so that a list shows
// it and a crash does not lose it.
constexpr Nanoseconds kLate = std::chrono::milliseconds(100);

}  // namespace

std::unexpected<Error> used_otherwise() {
  return fail(Code::kConflict, "idempotency_key: it was used for another request before");
}

json::value time_or_null(std::int64_t unix_milliseconds) {
  if (unix_milliseconds == 0) return nullptr;
  return json::value(format_time(unix_milliseconds));
}

std::string to_json(const ledger::Run& run) {
  json::object object{{"id", run.id},
                      {"state", ledger::state_name(run.state)},
                      {"language", run.language},
                      {"policy", run.policy},
                      {"created_at", time_or_null(run.created_ms)},
                      {"started_at", time_or_null(run.started_ms)},
                      {"finished_at", time_or_null(run.finished_ms)},
                      {"attempts", run.attempts}};
  object["batch"] = run.batch.empty() ? json::value(nullptr) : json::value(run.batch);
  object["status"] = run.status.empty() ? json::value(nullptr) : json::value(run.status);
  object["reason"] = repair_utf8(run.reason);
  std::string text = json_text(object);
  // The outcome is JSON already, and may be large.
  text.pop_back();
  return text + ",\"outcome\":" + (run.outcome.empty() ? "null" : run.outcome) + "}";
}

void apply(const ledger::Ending& ending, ledger::Run& run) {
  run.state = ending.state;
  run.status = ending.status;
  run.reason = ending.reason;
  run.outcome = ending.outcome;
  run.finished_ms = ending.at_ms;
}

Journal::Journal(ledger::Store& store)
    : store_(store),
      late_recorder_([this](const std::stop_token& stop) { record_late_ones(stop); }),
      late_writer_([this](const std::stop_token& stop) { write_late_ends(stop); }) {}

Result<ledger::Accepted> Journal::accept(const Caller& caller,
                                         std::span<const ledger::Run> runs,
                                         const std::string& idempotency_key) {
  std::vector<ledger::Quota> quotas;
  const bool is_session = runs.front().id == runs.front().session;
  if (caller.key && !is_session) {
    quotas.push_back({.subject = caller.key->id, .per_day = caller.key->limits.runs_per_day});
  }
  auto accepted = store_.accept(runs, idempotency_key, quotas);
  if (!accepted) {
    // A ledger that cannot be written takes nothing on: the client may come again.
    failed_ = true;
    Error error = std::move(accepted).error();
    if (error.code == Code::kExhausted) error.code = Code::kUnavailable;
    return std::unexpected(std::move(error));
  }
  failed_ = false;
  if (accepted->answer == ledger::Accepted::Answer::kConflict) {
    return used_otherwise();
  }
  if (accepted->answer == ledger::Accepted::Answer::kOverQuota) {
    return fail(Code::kExhausted, runs.size() == 1 ? "the runs of this day are used up"
                                                   : "not so many runs of this day are left");
  }
  return accepted;
}

Result<std::optional<std::string>> Journal::earlier(const ledger::Run& run,
                                                    const std::string& idempotency_key) {
  if (idempotency_key.empty()) return std::nullopt;
  TRY_ASSIGN(auto accepted, store_.earlier(run, idempotency_key));
  if (!accepted) return std::nullopt;
  if (accepted->answer == ledger::Accepted::Answer::kConflict) return used_otherwise();
  return std::move(accepted->id);
}

bool Journal::may_accept_later(const Caller& caller,
                               const ledger::Run& run,
                               const std::string& idempotency_key) const {
  return idempotency_key.empty() && run.webhook.empty() &&
         (!caller.key || caller.key->limits.runs_per_day == 0) && !failed_;
}

void Journal::accept_later(const std::shared_ptr<Entry>& entry) {
  entry->recording = std::make_shared<Entry::Recording>();
  bool first = false;
  {
    const std::lock_guard lock(late_mutex_);
    first = late_.empty();
    late_.emplace_back(sys::now(), entry);
  }
  if (first) late_changed_.notify_one();
}

void Journal::record_late_ones(const std::stop_token& stop) {
  std::unique_lock lock(late_mutex_);
  while (late_changed_.wait(lock, stop, [this] { return !late_.empty(); }) &&
         !stop.stop_requested()) {
    // Looked at in intervals, not one by one: most are over by then.
    late_changed_.wait_for(lock, stop, kLate, [] { return false; });
    std::vector<std::shared_ptr<Entry>> entries;
    while (!late_.empty() && late_.front().first + kLate <= sys::now()) {
      if (auto entry = late_.front().second.lock()) entries.push_back(std::move(entry));
      late_.pop_front();
    }
    lock.unlock();
    std::erase_if(entries, [this](const auto& each) { return record_now(*each).has_value(); });
    // What could not be settled is told by the next record.
    (void)store_.settle().has_value();
    lock.lock();
    // A ledger that cannot be written is asked again.
    for (auto& each : entries) late_.emplace_back(sys::now(), std::move(each));
  }
}

Status Journal::record_now(Entry& entry) {
  const std::lock_guard lock(entry.recording->mutex);
  if (entry.recording->done) return {};
  TRY_ASSIGN(const ledger::Accepted accepted, store_.accept(entry.record));
  entry.recording->done = true;
  if (entry.record.started_ms != 0) {
    TRY(store_.started(accepted.id, entry.record.started_ms, entry.record.attempts));
  }
  return {};
}

bool Journal::start(Entry& entry, std::uint64_t attempt) {
  std::unique_lock<std::mutex> lock;
  if (entry.recording) lock = std::unique_lock(entry.recording->mutex);
  using std::chrono::duration_cast, std::chrono::milliseconds;
  entry.record.started_ms = unix_ms() - duration_cast<milliseconds>(entry.began_ago).count();
  const int known = entry.record.attempts;
  const int now = attempt == 0 ? known + 1 : std::max(known, static_cast<int>(attempt));
  if (entry.recording && !entry.recording->done) {
    entry.record.attempts = now;
    return true;
  }
  const auto started = store_.started(entry.record.id, entry.record.started_ms, now);
  if (started && *started == ledger::Change::kHadEnded) return false;
  entry.record.attempts = now;
  return true;
}

Status Journal::end(Entry& entry, ledger::Ending ending, std::span<const File> artifacts) {
  std::unique_lock<std::mutex> lock;
  if (entry.recording) lock = std::unique_lock(entry.recording->mutex);
  apply(ending, entry.record);
  if (!entry.record.webhook.empty()) ending.notice = to_json(entry.record);
  if (entry.recording && !entry.recording->done) {
    const auto stored = store_.record(entry.record, ending, artifacts);
    failed_ = !stored;
    if (!stored) return std::unexpected(stored.error());
    entry.recording->done = true;
    return {};
  }
  // Its client gets the answer all the same. Where the ledger cannot be written now, that is done
  // as soon as it can be; where this process ends before, the run stays unfinished in it and is run
  // again: at least once is the promise.
  Unwritten end{.id = entry.record.id,
                .ending = std::move(ending),
                .artifacts = {artifacts.begin(), artifacts.end()}};
  if (write_end(end)) return {};
  {
    const std::lock_guard unwritten(unwritten_mutex_);
    unwritten_.push_back(std::move(end));
  }
  unwritten_changed_.notify_one();
  return {};
}

// False where it is worth to try again.
bool Journal::write_end(const Unwritten& end) {
  // Artifacts that the ledger has no room for do not keep the end from being recorded: the outcome
  // still tells of them.
  if (!end.artifacts.empty()) (void)store_.put_artifacts(end.id, end.artifacts).has_value();
  const auto written = store_.finished(end.id, end.ending);
  return written || written.error().code != Code::kExhausted;
}

void Journal::write_late_ends(const std::stop_token& stop) {
  constexpr std::chrono::milliseconds kAgain{500};
  std::unique_lock lock(unwritten_mutex_);
  while (unwritten_changed_.wait(lock, stop, [this] { return !unwritten_.empty(); }) &&
         !stop.stop_requested()) {
    Unwritten next = std::move(unwritten_.front());
    unwritten_.pop_front();
    lock.unlock();
    const bool written = write_end(next);
    lock.lock();
    if (written) continue;
    unwritten_.push_front(std::move(next));
    unwritten_changed_.wait_for(lock, stop, kAgain, [] { return false; });
  }
}

}  // namespace belljar::api
