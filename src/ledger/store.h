// Store: the durable record of what was submitted, what became of it, who may submit, and which
// webhooks still have to be told.
//
// Threads: every call is safe from several threads, and they take turns. Crashes: when a call that
// changes something has returned without an error, the change survives the end of the process at
// any later instant. A call that returned an error changed nothing that later calls see; only a
// crash right after it, of the process or of a connection, may still bring the change to light.
// Gateways: SqliteStore is for one, PostgresStore for any number; what each promises of whose a run
// is stands there.
// Times are Unix milliseconds and come from the caller; 0 is "not yet" or "never".
// Text is kept as it is given: no value is empty by being NULL.
// Errors:
//   kInvalid      an argument is wrong; the message names it
//   kNotFound     there is no such run, artifact, key or delivery
//   kDenied       not in this state; the message says which
//   kExhausted    the ledger cannot be written or read now (disk full, I/O error, busy, its server
//                 away); later calls may succeed, and nothing has to be opened again
//   kUnavailable  the ledger was written by a newer version, or is not a ledger
//   kInternal     the ledger is damaged, or our bug
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/submission.h"

namespace belljar::ledger {

// ---- Runs ------------------------------------------------------------------------------------

// queued → running → one of the last three, and from there nowhere. A running run may be started
// again (after a crash), a queued one may end without having run.
enum class State : std::uint8_t { kQueued, kRunning, kDone, kCancelled, kLost };
std::string_view state_name(State state);  // "queued", …
std::optional<State> parse_state(std::string_view name);
constexpr bool has_ended(State state) {
  return state >= State::kDone;
}

struct Run {
  std::string id;      // the caller of the store makes it: new_id("run_"); [A-Za-z0-9_-]{1,64}
  std::string caller;  // a key's id, or "ip:<address>"
  std::string batch;   // empty: none
  // Empty: none. Of a session itself its own id, which every execution in it has too.
  std::string session{};
  State state = State::kQueued;
  std::string language;
  std::string policy;
  std::string status;      // of the outcome; empty until the end
  std::string reason;      // likewise
  std::string submission;  // JSON as accepted, enough to run it again
  // What a repeated request is told by, where that is not the submission; accept() takes it, and
  // nobody gives it back.
  std::string request{};
  std::string outcome;  // JSON; empty until the end
  std::string webhook;  // URL; empty: none
  int attempts = 0;     // how often it was started
  std::int64_t created_ms = 0;
  std::int64_t started_ms = 0;  // the last time
  std::int64_t finished_ms = 0;

  bool operator==(const Run&) const = default;
};

// At most `per_day` runs of a subject (a key's id, "user:ada", …) on one day of UTC; 0 is no limit,
// they are counted all the same.
struct Quota {
  std::string subject;
  std::int64_t per_day = 0;
};

struct Accepted {
  enum class Answer : std::uint8_t {
    kNew,        // recorded now
    kReplayed,   // the same request came before: `id` is its first run, nothing was recorded
    kConflict,   // the key came before with another submission: `id` is that one's first run
    kOverQuota,  // nothing was recorded: `subject` has used up its day
  };
  Answer answer = Answer::kNew;
  std::string id;       // of the first run, except for kOverQuota
  std::string subject;  // for kOverQuota only
};

// How a run ended.
struct Ending {
  State state = State::kDone;  // one of the ended ones
  std::string status{};
  std::string reason{};
  std::string outcome{};  // JSON
  std::string notice{};   // what to tell the run's webhook; empty: nothing
  std::int64_t at_ms = 0;
};

// Whether a run was changed by this call, or had ended before it and was left alone.
enum class Change : std::uint8_t { kMade, kHadEnded };

struct Filter {
  std::string caller{};  // empty: any
  std::optional<State> state{};
  std::string language{};
  std::string batch{};
  // Executions in this session, without the session itself; empty: runs that are of no session.
  std::string session{};
  std::int64_t since_ms = 0;  // created at or after
  std::int64_t until_ms = 0;  // created before; 0: any
};

struct Page {
  std::vector<Run> runs;  // without submission and outcome: they may be large
  std::string next;       // the cursor of the page after this one; empty: there is none
};
inline constexpr int kMaxPage = 1000;

struct ArtifactInfo {
  std::string path;
  std::int64_t size = 0;  // bytes
  bool executable = false;

  bool operator==(const ArtifactInfo&) const = default;
};

// What may be forgotten. Only runs that have ended and have no pending delivery.
struct Retention {
  std::int64_t max_age_ms = 0;  // since the end of the run; 0: no limit
  std::int64_t max_bytes = 0;   // of the whole ledger, see Store::bytes; 0: no limit
};

// ---- Keys ------------------------------------------------------------------------------------

struct KeyLimits {  // 0: the service's default
  std::int64_t requests_per_minute = 0;
  std::int64_t concurrent = 0;
  std::int64_t runs_per_day = 0;

  bool operator==(const KeyLimits&) const = default;
};

struct NewKey {
  std::string user{};                 // 1 to 128 bytes of UTF-8 without controls
  std::string name{};                 // likewise
  std::vector<std::string> scopes{};  // each [a-z0-9:._*-]{1,64}
  std::int64_t expires_ms = 0;
  KeyLimits limits{};
};

struct Key {
  std::string id;  // "key_…": no secret, may be logged
  std::string user;
  std::string name;
  std::vector<std::string> scopes;
  KeyLimits limits;
  std::int64_t created_ms = 0;
  std::int64_t last_used_ms = 0;  // to the minute
  std::int64_t expires_ms = 0;
  std::int64_t revoked_ms = 0;

  bool operator==(const Key&) const = default;
};

struct CreatedKey {
  Key key;
  std::string secret;  // "bj_" and 64 hexadecimal digits; told once, kept only as a digest
};

// ---- Webhooks --------------------------------------------------------------------------------

struct Delivery {
  enum class State : std::uint8_t { kPending, kDelivered, kFailed };
  std::string id;  // "dlv_…"
  std::string run;
  std::string caller;  // of the run
  std::string url;
  std::string body;
  int attempts = 0;
  std::int64_t next_ms = 0;  // not before
  State state = State::kPending;
  std::string error;  // of the last attempt
};

// Deliveries that are not to be told of now, though their time has come.
struct Busy {
  std::vector<std::string> deliveries{};  // by id
  std::vector<std::string> callers{};
  std::vector<std::string> urls{};  // by what the URL begins with
};

// ---- The interface ---------------------------------------------------------------------------

inline constexpr std::int64_t kDayMs = 24LL * 60 * 60 * 1000;
// After this an idempotency key is free for another request.
inline constexpr std::int64_t kIdempotencyMs = kDayMs;
inline constexpr std::size_t kMaxIdempotencyKeyBytes = 255;

class Store {
 public:
  Store() = default;
  virtual ~Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Records one request: one run or the runs of a batch, all of them or none, counted against each
  // quota. Of a run only id, caller, batch, session, language, policy, submission, webhook and
  // created_ms are taken; all runs have one caller and one created_ms. A repeated (caller,
  // idempotency_key) is told by what was submitted: the submissions, or the runs' `request`, are
  // compared byte by byte, through a digest, so whatever makes a request another one has to be in
  // there. kInvalid for an id that is taken.
  virtual Result<Accepted> accept(std::span<const Run> runs,
                                  std::string_view idempotency_key,
                                  std::span<const Quota> quotas) = 0;
  Result<Accepted> accept(const Run& run,
                          std::string_view idempotency_key = {},
                          std::span<const Quota> quotas = {}) {
    return accept({&run, 1}, idempotency_key, quotas);
  }
  // What accept() would say of this run, where the key came before: kReplayed or kConflict. Records
  // nothing.
  virtual Result<std::optional<Accepted>> earlier(const Run& run,
                                                  std::string_view idempotency_key) = 0;
  // Records a run that is over, of which nobody was told before, as accept(), started() and
  // finished() would have together; attempts and started_ms are taken too. No quota is checked.
  // The end of this process loses nothing of it; a failure of the power may until settle().
  virtual Status record(const Run& run, const Ending& ending, std::span<const File> artifacts) = 0;
  // Has on the disk what record() left to the system.
  virtual Status settle() = 0;
  // How many runs a subject had accepted on the day of `now_ms`.
  virtual Result<std::int64_t> used(std::string_view subject, std::int64_t now_ms) = 0;

  // The run is being run, for the `attempt`th time if that is more than is known; 0: once more than
  // before. kHadEnded: it must not be run.
  virtual Result<Change> started(std::string_view id,
                                 std::int64_t at_ms,
                                 std::int64_t attempt = 0) = 0;
  // The first end counts. Where the run has a webhook and the ending a notice, its delivery is
  // enqueued with it: both or neither.
  virtual Result<Change> finished(std::string_view id, const Ending& ending) = 0;

  virtual Result<Run> find(std::string_view id) = 0;
  // Newest first by created_ms, at most `limit` (1 to kMaxPage). Pages that are asked for one after
  // the other never show a run twice and leave out none that was there from the beginning.
  // kInvalid for a cursor that is none of ours.
  virtual Result<Page> list(const Filter& filter, std::string_view cursor, int limit) = 0;
  // The queued and the running that this gateway's earlier processes left, in the order they were
  // accepted, without submission: find() has it. Asked after a start, before anything else is
  // accepted: each is to be started again or finished as kLost; executions and sessions, which
  // nobody can start again, are among them.
  virtual Result<std::vector<Run>> unfinished() = 0;
  // The same, at most `limit`, of gateways that are gone, and what accept() could not tell whether
  // it recorded; asked now and then. What is told here is this gateway's from here on. A ledger
  // that one gateway has for itself has none.
  virtual Result<std::vector<Run>> abandoned(int /*limit*/) { return std::vector<Run>(); }
  // With everything that belongs to it. kDenied for a run that has not ended.
  virtual Status remove(std::string_view id) = 0;
  // Forgets the runs that ended first; returns how many. Works in short steps, so that other calls
  // come in between. A ledger that keeps days together forgets by age when the whole day in which
  // the run was created is as old, which is up to a day later.
  virtual Result<std::int64_t> prune(const Retention& retention, std::int64_t now_ms) = 0;
  // What the ledger holds, in bytes of its storage.
  virtual Result<std::int64_t> bytes() = 0;

  // Replaces all artifacts of a run; called before finished(), so that what is done is complete.
  // The caller bounds number and size.
  virtual Status put_artifacts(std::string_view run, std::span<const File> files) = 0;
  virtual Result<File> artifact(std::string_view run, std::string_view path) = 0;
  // Sorted by path. kNotFound only where there is no such run.
  virtual Result<std::vector<ArtifactInfo>> artifacts(std::string_view run) = 0;

  virtual Result<CreatedKey> create_key(const NewKey& key, std::int64_t now_ms) = 0;
  // kDenied for a secret that is unknown, expired or revoked. Found by its digest, which is
  // compared in constant time. Works while the ledger cannot be written; only last_used_ms then
  // stays.
  virtual Result<Key> check_key(std::string_view secret, std::int64_t now_ms) = 0;
  // The user's keys, or all, oldest first, also those that are expired or revoked.
  virtual Result<std::vector<Key>> list_keys(std::string_view user = {}) = 0;
  // From here on check_key refuses it. Repeated, it keeps the first time.
  virtual Status revoke_key(std::string_view id, std::int64_t now_ms) = 0;

  // Returns the delivery's id; kNotFound where there is no such run.
  virtual Result<std::string> enqueue(std::string_view run,
                                      std::string_view url,
                                      std::string_view body,
                                      std::int64_t next_ms) = 0;
  // Pending ones whose time has come, the most overdue first. One worker of a gateway delivers, at
  // least once each, and names what it has in hand in `busy`: it may be told of them again. Other
  // gateways are told of none of them, until not_delivered or the end of this gateway.
  virtual Result<std::vector<Delivery>> due(std::int64_t now_ms, int limit, const Busy& busy) = 0;
  Result<std::vector<Delivery>> due(std::int64_t now_ms, int limit) {
    return due(now_ms, limit, {});
  }
  // Delivered, or to be tried again at `next_ms`, or given up where that is 0. kNotFound for one
  // that is not pending.
  virtual Status delivered(std::string_view id) = 0;
  virtual Status not_delivered(std::string_view id,
                               std::int64_t next_ms,
                               std::string_view error) = 0;
};

}  // namespace belljar::ledger
