#include "ledger/sqlite_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <chrono>
#include <thread>
#include <utility>

#include "base/sys.h"
#include "base/text.h"
#include "ledger/migrations.h"
#include "ledger/secrets.h"
#include "ledger/store_rules.h"
#include "model/json_text.h"

namespace belljar::ledger {
namespace {

using sqlite::Blob;
using sqlite::Query;
using sqlite::Transaction;

constexpr int kPruneRuns = 256;  // in one step

using Lock = std::lock_guard<std::mutex>;

// ---- Rows ------------------------------------------------------------------------------------

#define BELLJAR_RUN_COLUMNS                                                              \
  "runs.id, caller, batch, state, language, policy, status, reason, webhook, attempts, " \
  "created_ms, started_ms, finished_ms, session"

Result<Run> read_run(const Query& row) {
  const std::optional<State> state = parse_state(row.text(3));
  if (!state) return fail(Code::kInternal, "the ledger is damaged: a run has no state");
  return Run{.id = row.text(0),
             .caller = row.text(1),
             .batch = row.text(2),
             .session = row.text(13),
             .state = *state,
             .language = row.text(4),
             .policy = row.text(5),
             .status = row.text(6),
             .reason = row.text(7),
             .submission = {},
             .outcome = {},
             .webhook = row.text(8),
             .attempts = static_cast<int>(row.integer(9)),
             .created_ms = row.integer(10),
             .started_ms = row.integer(11),
             .finished_ms = row.integer(12)};
}

#define BELLJAR_KEY_COLUMNS                                                             \
  "id, user, name, scopes, requests_per_minute, concurrent, runs_per_day, created_ms, " \
  "last_used_ms, expires_ms, revoked_ms"

Key read_key(const Query& row) {
  return Key{.id = row.text(0),
             .user = row.text(1),
             .name = row.text(2),
             .scopes = split_scopes(row.text(3)),
             .limits = {.requests_per_minute = row.integer(4),
                        .concurrent = row.integer(5),
                        .runs_per_day = row.integer(6)},
             .created_ms = row.integer(7),
             .last_used_ms = row.integer(8),
             .expires_ms = row.integer(9),
             .revoked_ms = row.integer(10)};
}

// A request that was not accepted is undone, though it is no error.
bool is_change(const Result<Accepted>& accepted) {
  return accepted->answer == Accepted::Answer::kNew;
}
template <typename T>
bool is_change(const Result<T>& /*other*/) {
  return true;
}

}  // namespace

// ---- Opening ---------------------------------------------------------------------------------

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path,
                                                       const SqliteOptions& options) {
  TRY_ASSIGN(sqlite::Connection connection,
             sqlite::Connection::open(path, options.busy_timeout_ms));
  TRY(connection.script("PRAGMA synchronous = NORMAL"));  // GroupCommit changes it
  TRY(connection.script("PRAGMA foreign_keys = ON"));
  TRY(connection.script("PRAGMA temp_store = MEMORY"));  // what was submitted is in no other file
  TRY(connection.script("PRAGMA cell_size_check = ON"));
  // After a burst the log is cut back to this many bytes.
  TRY(connection.script("PRAGMA journal_size_limit = 16777216"));
  TRY(migrate(connection));
  return std::unique_ptr<SqliteStore>(
      new SqliteStore(std::move(connection), path, options.sync == SqliteOptions::Sync::kFull));
}

Result<Migrated> SqliteStore::migrate_file(const std::string& path, const SqliteOptions& options) {
  TRY_ASSIGN(sqlite::Connection connection,
             sqlite::Connection::open(path, options.busy_timeout_ms));
  return migrate(connection);
}

template <typename Body>
auto SqliteStore::change(const Body& body, Durable durable) -> decltype(body()) {
  std::optional<decltype(body())> result;
  TRY(group_.run(
      [&] {
        result.emplace(body());
        return result->has_value() && is_change(*result);
      },
      durable));
  return *std::move(result);
}

// ---- The life of a run -----------------------------------------------------------------------

Result<std::int64_t> SqliteStore::sequence_of(std::string_view run) {
  TRY_ASSIGN(Query query, connection_.query("SELECT seq FROM runs WHERE id = ?"));
  TRY_ASSIGN(const bool found, query.bind(run).step());
  if (!found) return no_such_run();
  return query.integer(0);
}

Result<std::optional<Accepted>> SqliteStore::earlier_request(const Run& first,
                                                             std::string_view key,
                                                             std::string_view digest) {
  TRY_ASSIGN(Query query, connection_.query(
                              "SELECT runs.id, digest FROM requests JOIN runs ON run = seq "
                              "WHERE requests.caller = ? AND key = ? AND requests.created_ms > ?"));
  TRY_ASSIGN(const bool found,
             query.bind(first.caller, key, first.created_ms - kIdempotencyMs).step());
  if (!found) return std::nullopt;
  return Accepted{
      .answer = query.text(1) == digest ? Accepted::Answer::kReplayed : Accepted::Answer::kConflict,
      .id = query.text(0),
      .subject = {}};
}

// With its attempts: those of a run that is recorded only when it is over have been made.
Status SqliteStore::insert_run(const Run& run) {
  TRY_ASSIGN(Query row,
             connection_.query("INSERT INTO runs (id, caller, batch, state, language, policy, "
                               "status, reason, webhook, attempts, created_ms, started_ms, "
                               "finished_ms, session) VALUES (?, ?, ?, 'queued', ?, ?, '', '', ?, "
                               "?, ?, ?, 0, ?) ON CONFLICT (id) DO NOTHING"));
  TRY(row.bind(run.id, run.caller, run.batch, run.language, run.policy, run.webhook, run.attempts,
               run.created_ms, run.started_ms, run.session)
          .run());
  if (connection_.changes() == 0) {
    return fail(Code::kInvalid, "there is a run " + quote(run.id) + " already");
  }
  TRY_ASSIGN(Query body, connection_.query("INSERT INTO submissions (run, body) VALUES (?, ?)"));
  return body.bind(connection_.last_row(), run.submission).run();
}

Result<Accepted> SqliteStore::accept(std::span<const Run> runs,
                                     std::string_view idempotency_key,
                                     std::span<const Quota> quotas) {
  TRY(check_request(runs, idempotency_key));
  const Run& first = runs.front();
  const Digest digest = digest_of(runs);
  return change([&]() -> Result<Accepted> {
    if (!idempotency_key.empty()) {
      TRY_ASSIGN(std::optional<Accepted> earlier,
                 earlier_request(first, idempotency_key, as_text(digest)));
      if (earlier) return *std::move(earlier);
      TRY_ASSIGN(Query expire,
                 connection_.query("DELETE FROM requests WHERE caller = ? AND key = ?"));
      TRY(expire.bind(first.caller, idempotency_key).run());
    }
    for (const Quota& quota : quotas) {
      TRY_ASSIGN(Query query,
                 connection_.query("INSERT INTO uses (subject, day, count) VALUES (?, ?, ?) "
                                   "ON CONFLICT DO UPDATE SET count = count + excluded.count "
                                   "RETURNING count"));
      query.bind(quota.subject, first.created_ms / kDayMs, static_cast<std::int64_t>(runs.size()));
      TRY(query.step());
      if (quota.per_day > 0 && query.integer(0) > quota.per_day) {
        return Accepted{.answer = Accepted::Answer::kOverQuota, .id = {}, .subject = quota.subject};
      }
    }
    for (Run run : runs) {
      run.attempts = 0;
      run.started_ms = 0;
      TRY(insert_run(run));
    }
    if (!idempotency_key.empty()) {
      TRY_ASSIGN(const std::int64_t sequence, sequence_of(first.id));
      TRY_ASSIGN(Query query,
                 connection_.query("INSERT INTO requests (caller, key, digest, created_ms, run) "
                                   "VALUES (?, ?, ?, ?, ?)"));
      const Blob bytes{as_text(digest)};
      TRY(query.bind(first.caller, idempotency_key, bytes, first.created_ms, sequence).run());
    }
    return Accepted{.answer = Accepted::Answer::kNew, .id = first.id, .subject = {}};
  });
}

Result<std::optional<Accepted>> SqliteStore::earlier(const Run& run,
                                                     std::string_view idempotency_key) {
  TRY(check_request({&run, 1}, idempotency_key));
  const Digest digest = digest_of({&run, 1});
  const Lock lock(mutex_);
  return earlier_request(run, idempotency_key, as_text(digest));
}

Status SqliteStore::record(const Run& run, const Ending& ending, std::span<const File> artifacts) {
  TRY(check_request({&run, 1}, {}));
  TRY(check_ending(ending));
  TRY(change(
      [&]() -> Status {
        TRY(insert_run(run));
        TRY(insert_artifacts(connection_.last_row(), artifacts));
        TRY(end_run(run.id, ending));
        return {};
      },
      Durable::kSoon));
  unsettled_ = true;
  return {};
}

// A checkpoint, which empties the log, waits for the disk by itself: synchronous = NORMAL.
Status SqliteStore::settle() {
  if (!full_ || !unsettled_.exchange(false)) return {};
  TRY_ASSIGN(const Fd log, sys::open_file(log_.c_str(), O_RDONLY));
  return ::fdatasync(log.get()) == 0 ? Status() : fail_errno("fdatasync " + quote(log_));
}

Result<std::int64_t> SqliteStore::used(std::string_view subject, std::int64_t now_ms) {
  const Lock lock(mutex_);
  TRY_ASSIGN(Query query,
             connection_.query("SELECT count FROM uses WHERE subject = ? AND day = ?"));
  TRY_ASSIGN(const bool found, query.bind(subject, now_ms / kDayMs).step());
  return found ? query.integer(0) : 0;
}

Result<Change> SqliteStore::started(std::string_view id, std::int64_t at_ms, std::int64_t attempt) {
  return change([&]() -> Result<Change> {
    TRY_ASSIGN(Query query,
               connection_.query("UPDATE runs SET state = 'running', started_ms = ?1, attempts = "
                                 "CASE WHEN ?2 = 0 THEN attempts + 1 ELSE max(attempts, ?2) END "
                                 "WHERE id = ?3 AND state IN ('queued', 'running')"));
    TRY(query.bind(at_ms, attempt, id).run());
    if (connection_.changes() > 0) return Change::kMade;
    TRY(sequence_of(id));
    return Change::kHadEnded;
  });
}

Result<Change> SqliteStore::end_run(std::string_view id, const Ending& ending) {
  TRY_ASSIGN(const std::int64_t sequence, sequence_of(id));
  TRY_ASSIGN(Query query,
             connection_.query("UPDATE runs SET state = ?, status = ?, reason = ?, finished_ms = ? "
                               "WHERE seq = ? AND state IN ('queued', 'running') "
                               "RETURNING webhook"));
  const std::string_view state = state_name(ending.state);
  TRY_ASSIGN(const bool changed,
             query.bind(state, ending.status, ending.reason, ending.at_ms, sequence).step());
  if (!changed) return Change::kHadEnded;
  const std::string webhook = query.text(0);
  TRY(query.run());
  TRY_ASSIGN(Query outcome, connection_.query("INSERT INTO outcomes (run, body) VALUES (?, ?)"));
  TRY(outcome.bind(sequence, ending.outcome).run());
  if (!webhook.empty() && !ending.notice.empty()) {
    TRY(insert_delivery(sequence, webhook, ending.notice, ending.at_ms));
  }
  return Change::kMade;
}

Result<Change> SqliteStore::finished(std::string_view id, const Ending& ending) {
  TRY(check_ending(ending));
  return change([&] { return end_run(id, ending); });
}

// ---- Reading runs ----------------------------------------------------------------------------

Result<Run> SqliteStore::find(std::string_view id) {
  const Lock lock(mutex_);
  TRY_ASSIGN(
      Query query,
      connection_.query("SELECT " BELLJAR_RUN_COLUMNS ", submissions.body, outcomes.body FROM runs "
                        "LEFT JOIN submissions ON submissions.run = seq "
                        "LEFT JOIN outcomes ON outcomes.run = seq WHERE runs.id = ?"));
  TRY_ASSIGN(const bool found, query.bind(id).step());
  if (!found) return no_such_run();
  TRY_ASSIGN(Run run, read_run(query));
  run.submission = query.text(14);
  run.outcome = query.text(15);
  return run;
}

Result<Page> SqliteStore::list(const Filter& filter, std::string_view cursor, int limit) {
  TRY(check_page(limit));
  Cursor after;
  if (!cursor.empty()) {
    TRY_ASSIGN(after, parse_cursor(cursor));
  }
  const std::string_view state = filter.state ? state_name(*filter.state) : std::string_view();

  // One statement for each set of conditions, so that each uses the index that suits it.
  std::string sql = "SELECT " BELLJAR_RUN_COLUMNS " FROM runs WHERE true";
  const auto require = [&](bool wanted, std::string_view condition) {
    if (wanted) sql.append(" AND ").append(condition);
    return wanted;
  };
  const bool by_caller = require(!filter.caller.empty(), "caller = ?");
  const bool by_state = require(filter.state.has_value(), "state = ?");
  const bool by_language = require(!filter.language.empty(), "language = ?");
  const bool by_batch = require(!filter.batch.empty(), "batch = ? AND batch <> ''");
  const bool by_session =
      require(!filter.session.empty(), "session = ? AND session <> '' AND id <> session");
  require(filter.session.empty(), "session = ''");
  const bool since = require(filter.since_ms != 0, "created_ms >= ?");
  const bool until = require(filter.until_ms != 0, "created_ms < ?");
  const bool further = require(!cursor.empty(), "(created_ms, id) < (?, ?)");
  sql += " ORDER BY created_ms DESC, id DESC LIMIT ?";

  const Lock lock(mutex_);
  TRY_ASSIGN(Query query, connection_.query(sql));
  if (by_caller) query.bind(filter.caller);
  if (by_state) query.bind(state);
  if (by_language) query.bind(filter.language);
  if (by_batch) query.bind(filter.batch);
  if (by_session) query.bind(filter.session);
  if (since) query.bind(filter.since_ms);
  if (until) query.bind(filter.until_ms);
  if (further) query.bind(after.created_ms, after.id);
  query.bind(limit + 1);  // one more tells whether there is a next page

  Page page;
  while (true) {
    TRY_ASSIGN(const bool row, query.step());
    if (!row) return page;
    if (std::cmp_equal(page.runs.size(), limit)) break;
    TRY_ASSIGN(Run run, read_run(query));
    page.runs.push_back(std::move(run));
  }
  page.next = format_cursor(page.runs.back());
  return page;
}

Result<std::vector<Run>> SqliteStore::unfinished() {
  const Lock lock(mutex_);
  TRY_ASSIGN(Query query,
             connection_.query("SELECT " BELLJAR_RUN_COLUMNS
                               " FROM runs WHERE state IN ('queued', 'running') ORDER BY seq"));
  std::vector<Run> runs;
  while (true) {
    TRY_ASSIGN(const bool row, query.step());
    if (!row) return runs;
    TRY_ASSIGN(Run run, read_run(query));
    runs.push_back(std::move(run));
  }
}

// ---- Forgetting ------------------------------------------------------------------------------

Status SqliteStore::remove(std::string_view id) {
  return change([&]() -> Status {
    TRY_ASSIGN(Query query,
               connection_.query(
                   "DELETE FROM runs WHERE id = ? AND state IN ('done', 'cancelled', 'lost')"));
    TRY(query.bind(id).run());
    if (connection_.changes() > 0) return {};
    TRY(sequence_of(id));
    return fail(Code::kDenied, "the run " + quote(id) + " has not ended");
  });
}

Result<std::int64_t> SqliteStore::held_bytes() {
  TRY_ASSIGN(const std::int64_t pages, connection_.number("PRAGMA page_count"));
  TRY_ASSIGN(const std::int64_t free, connection_.number("PRAGMA freelist_count"));
  TRY_ASSIGN(const std::int64_t size, connection_.number("PRAGMA page_size"));
  return (pages - free) * size;
}

Result<std::int64_t> SqliteStore::bytes() {
  const Lock lock(mutex_);
  return held_bytes();
}

Result<std::int64_t> SqliteStore::prune_step(const Retention& retention, std::int64_t now_ms) {
  TRY_ASSIGN(Transaction transaction, Transaction::begin(connection_));
  TRY_ASSIGN(
      Query oldest,
      connection_.query(
          "DELETE FROM runs WHERE seq IN (SELECT seq FROM runs WHERE state IN ('done', "
          "'cancelled', 'lost') AND finished_ms < ? AND NOT EXISTS (SELECT 1 FROM deliveries "
          "WHERE run = seq AND deliveries.state = 'pending') ORDER BY finished_ms LIMIT ?)"));
  std::int64_t removed = 0;
  if (retention.max_age_ms > 0) {
    TRY(oldest.bind(now_ms - retention.max_age_ms, kPruneRuns).run());
    removed = connection_.changes();
  }
  if (retention.max_bytes > 0 && removed == 0) {
    // One by one: a single run may hold most of it.
    while (removed < kPruneRuns) {
      TRY_ASSIGN(const std::int64_t held, held_bytes());
      if (held <= retention.max_bytes) break;
      TRY_ASSIGN(Query next,
                 connection_.query(
                     "DELETE FROM runs WHERE seq = (SELECT seq FROM runs WHERE state IN ('done', "
                     "'cancelled', 'lost') AND NOT EXISTS (SELECT 1 FROM deliveries "
                     "WHERE run = runs.seq AND deliveries.state = 'pending') "
                     "ORDER BY finished_ms LIMIT 1)"));
      TRY(next.run());
      if (connection_.changes() == 0) break;
      ++removed;
    }
  }
  if (removed > 0) TRY(transaction.commit());
  return removed;
}

Result<bool> SqliteStore::shrink_step() {
  TRY_ASSIGN(const std::int64_t pages, connection_.number("PRAGMA page_count"));
  TRY_ASSIGN(const std::int64_t free, connection_.number("PRAGMA freelist_count"));
  // Free pages are used again first; only a file that is mostly empty is worth moving pages for.
  if (free < 256 || free * 2 < pages) return false;
  TRY_ASSIGN(Query vacuum, connection_.query("PRAGMA incremental_vacuum(256)"));
  TRY(vacuum.run());
  return true;
}

Result<std::int64_t> SqliteStore::prune(const Retention& retention, std::int64_t now_ms) {
  // Between two steps, without the lock: a mutex promises no turn to those who wait.
  const auto give_way = [] { std::this_thread::sleep_for(std::chrono::milliseconds(1)); };
  {
    const Lock lock(mutex_);
    TRY_ASSIGN(Query query, connection_.query("DELETE FROM uses WHERE day < ?"));
    TRY(query.bind(now_ms / kDayMs - kDaysOfUses).run());
  }
  std::int64_t total = 0;
  while (true) {
    {
      const Lock lock(mutex_);
      TRY_ASSIGN(const std::int64_t removed, prune_step(retention, now_ms));
      if (removed == 0) break;
      total += removed;
    }
    give_way();
  }
  while (true) {
    {
      const Lock lock(mutex_);
      TRY_ASSIGN(const bool more, shrink_step());
      if (!more) return total;
    }
    give_way();
  }
}

// ---- Artifacts -------------------------------------------------------------------------------

Status SqliteStore::insert_artifacts(std::int64_t sequence, std::span<const File> files) {
  for (const File& file : files) {
    TRY_ASSIGN(Query insert,
               connection_.query("INSERT INTO artifacts (run, path, executable, content) "
                                 "VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"));
    const Blob content{file.content};
    TRY(insert.bind(sequence, file.path, file.executable ? 1 : 0, content).run());
    if (connection_.changes() == 0) {
      return fail(Code::kInvalid, "two artifacts have the path " + quote(file.path));
    }
  }
  return {};
}

Status SqliteStore::put_artifacts(std::string_view run, std::span<const File> files) {
  return change([&]() -> Status {
    TRY_ASSIGN(const std::int64_t sequence, sequence_of(run));
    TRY_ASSIGN(Query clear, connection_.query("DELETE FROM artifacts WHERE run = ?"));
    TRY(clear.bind(sequence).run());
    return insert_artifacts(sequence, files);
  });
}

Result<File> SqliteStore::artifact(std::string_view run, std::string_view path) {
  const Lock lock(mutex_);
  TRY_ASSIGN(const std::int64_t sequence, sequence_of(run));
  TRY_ASSIGN(Query query, connection_.query("SELECT path, content, executable FROM artifacts "
                                            "WHERE run = ? AND path = ?"));
  TRY_ASSIGN(const bool found, query.bind(sequence, path).step());
  if (!found) return fail(Code::kNotFound, "the run has no artifact " + quote(path));
  return File{.path = query.text(0), .content = query.text(1), .executable = query.integer(2) != 0};
}

Result<std::vector<ArtifactInfo>> SqliteStore::artifacts(std::string_view run) {
  const Lock lock(mutex_);
  TRY_ASSIGN(const std::int64_t sequence, sequence_of(run));
  TRY_ASSIGN(Query query,
             connection_.query("SELECT path, length(content), executable FROM artifacts "
                               "WHERE run = ? ORDER BY path"));
  query.bind(sequence);
  std::vector<ArtifactInfo> infos;
  while (true) {
    TRY_ASSIGN(const bool row, query.step());
    if (!row) return infos;
    infos.push_back(
        {.path = query.text(0), .size = query.integer(1), .executable = query.integer(2) != 0});
  }
}

// ---- Keys ------------------------------------------------------------------------------------

Result<CreatedKey> SqliteStore::create_key(const NewKey& key, std::int64_t now_ms) {
  TRY(check_new_key(key));
  const CreatedKey created = make_key(key, now_ms);
  const std::string scopes = join_scopes(key.scopes);
  const Digest digest = ledger::digest(created.secret);
  const Blob bytes{as_text(digest)};
  return change([&]() -> Result<CreatedKey> {
    TRY_ASSIGN(Query query,
               connection_.query("INSERT INTO keys (" BELLJAR_KEY_COLUMNS
                                 ", digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, 0, ?)"));
    TRY(query
            .bind(created.key.id, key.user, key.name, scopes, key.limits.requests_per_minute,
                  key.limits.concurrent, key.limits.runs_per_day, now_ms, key.expires_ms, bytes)
            .run());
    return created;
  });
}

Result<std::optional<Key>> SqliteStore::key_of(const Digest& given) {
  const Blob bytes{as_text(given)};
  TRY_ASSIGN(Query query, connection_.query("SELECT " BELLJAR_KEY_COLUMNS
                                            ", digest FROM keys WHERE digest = ?"));
  TRY_ASSIGN(const bool found, query.bind(bytes).step());
  Digest kept{};
  const std::string text = found ? query.text(11) : std::string();
  if (text.size() == kept.size()) std::ranges::copy(text, kept.begin());
  if (!equal(given, kept) || !found) return std::nullopt;
  return read_key(query);
}

Result<Key> SqliteStore::check_key(std::string_view secret, std::int64_t now_ms) {
  const std::unexpected<Error> unknown = unknown_key();
  if (!may_be_secret(secret)) return unknown;
  const Digest given = digest(secret);
  const Lock lock(mutex_);
  TRY_ASSIGN(std::optional<Key> key, key_of(given));
  if (!key) return unknown;
  TRY(check_valid(*key, now_ms));
  if (now_ms - key->last_used_ms >= kLastUsedMs) {
    // It only tells the operator which keys are in use: the key is good where it cannot be written.
    Result<Query> update = connection_.query("UPDATE keys SET last_used_ms = ? WHERE id = ?");
    if (update && update->bind(now_ms, key->id).run()) key->last_used_ms = now_ms;
  }
  return *std::move(key);
}

Result<std::vector<Key>> SqliteStore::list_keys(std::string_view user) {
  const Lock lock(mutex_);
  TRY_ASSIGN(Query query,
             connection_.query("SELECT " BELLJAR_KEY_COLUMNS
                               " FROM keys WHERE ?1 = '' OR user = ?1 ORDER BY created_ms, id"));
  query.bind(user);
  std::vector<Key> keys;
  while (true) {
    TRY_ASSIGN(const bool row, query.step());
    if (!row) return keys;
    keys.push_back(read_key(query));
  }
}

Status SqliteStore::revoke_key(std::string_view id, std::int64_t now_ms) {
  return change([&]() -> Status {
    TRY_ASSIGN(Query query,
               connection_.query("UPDATE keys SET revoked_ms = iif(revoked_ms = 0, ?, revoked_ms) "
                                 "WHERE id = ?"));
    TRY(query.bind(now_ms, id).run());
    if (connection_.changes() > 0) return {};
    return fail(Code::kNotFound, "there is no key " + quote(id));
  });
}

// ---- Webhooks --------------------------------------------------------------------------------

Result<std::string> SqliteStore::insert_delivery(std::int64_t sequence,
                                                 std::string_view url,
                                                 std::string_view body,
                                                 std::int64_t next_ms) {
  TRY_ASSIGN(Query query,
             connection_.query("INSERT INTO deliveries (id, run, url, body, attempts, next_ms, "
                               "state, error) VALUES (?, ?, ?, ?, 0, ?, 'pending', '')"));
  std::string id = new_id("dlv_");
  TRY(query.bind(id, sequence, url, body, next_ms).run());
  return id;
}

Result<std::string> SqliteStore::enqueue(std::string_view run,
                                         std::string_view url,
                                         std::string_view body,
                                         std::int64_t next_ms) {
  return change([&]() -> Result<std::string> {
    TRY_ASSIGN(const std::int64_t sequence, sequence_of(run));
    TRY_ASSIGN(std::string id, insert_delivery(sequence, url, body, next_ms));
    return id;
  });
}

Result<std::vector<Delivery>> SqliteStore::due(std::int64_t now_ms, int limit, const Busy& busy) {
  const auto list = [](const std::vector<std::string>& texts) {
    return json_text(boost::json::array(texts.begin(), texts.end()));
  };
  const Lock lock(mutex_);
  TRY_ASSIGN(Query query,
             connection_.query(
                 "SELECT deliveries.id, runs.id, runs.caller, url, body, deliveries.attempts, "
                 "next_ms, error FROM deliveries JOIN runs ON run = runs.seq "
                 "WHERE deliveries.state = 'pending' AND next_ms <= ? "
                 "AND deliveries.id NOT IN (SELECT value FROM json_each(?)) "
                 "AND runs.caller NOT IN (SELECT value FROM json_each(?)) "
                 "AND NOT EXISTS (SELECT 1 FROM json_each(?) "
                 "                WHERE substr(url, 1, length(value)) = value) "
                 "ORDER BY next_ms, deliveries.seq LIMIT ?"));
  // Bound by reference, so they have to live until the last row.
  const std::string ids = list(busy.deliveries), callers = list(busy.callers),
                    urls = list(busy.urls);
  query.bind(now_ms, ids, callers, urls, std::max(limit, 0));
  std::vector<Delivery> deliveries;
  while (true) {
    TRY_ASSIGN(const bool row, query.step());
    if (!row) return deliveries;
    deliveries.push_back({.id = query.text(0),
                          .run = query.text(1),
                          .caller = query.text(2),
                          .url = query.text(3),
                          .body = query.text(4),
                          .attempts = static_cast<int>(query.integer(5)),
                          .next_ms = query.integer(6),
                          .state = Delivery::State::kPending,
                          .error = query.text(7)});
  }
}

Status SqliteStore::delivered(std::string_view id) {
  return change([&]() -> Status {
    TRY_ASSIGN(Query query,
               connection_.query("UPDATE deliveries SET state = 'delivered', error = '', "
                                 "attempts = attempts + 1 WHERE id = ? AND state = 'pending'"));
    TRY(query.bind(id).run());
    if (connection_.changes() > 0) return {};
    return fail(Code::kNotFound, "there is no pending delivery " + quote(id));
  });
}

Status SqliteStore::not_delivered(std::string_view id,
                                  std::int64_t next_ms,
                                  std::string_view error) {
  return change([&]() -> Status {
    TRY_ASSIGN(Query query,
               connection_.query("UPDATE deliveries SET attempts = attempts + 1, next_ms = ?1, "
                                 "state = iif(?1 = 0, 'failed', 'pending'), error = ?2 "
                                 "WHERE id = ?3 AND state = 'pending'"));
    TRY(query.bind(next_ms, cut_utf8(error, kMaxErrorBytes), id).run());
    if (connection_.changes() > 0) return {};
    return fail(Code::kNotFound, "there is no pending delivery " + quote(id));
  });
}

}  // namespace belljar::ledger
