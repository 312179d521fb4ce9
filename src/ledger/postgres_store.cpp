#include "ledger/postgres_store.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <set>
#include <utility>

#include "base/pause.h"
#include "base/text.h"
#include "ledger/postgres_sql.h"
#include "ledger/store_rules.h"
#include "model/json_text.h"

namespace belljar::ledger {
namespace {

using postgres::Answer;
using postgres::Blob;
using postgres::Failure;
using postgres::plain;
using postgres::Rows;
using postgres::Statement;
using Clock = std::chrono::steady_clock;

constexpr int kMostTries = 5;
constexpr std::chrono::seconds kHeartbeat{5};
constexpr std::chrono::seconds kHeartbeatAgain{1};  // where the last one failed
// A server that lost its client goes on for a while; after this what it did not record it never
// will.
constexpr std::chrono::seconds kDoubt{60};
constexpr std::int64_t kRunBytes = 1024;  // BELLJAR_RUN_BYTES
constexpr std::string_view kNoPartition = "23514";
constexpr std::string_view kTaken = "23505";

#define BELLJAR_RUN_COLUMNS                                                                   \
  "runs.id, runs.caller, batch, state, language, policy, status, reason, webhook, attempts, " \
  "runs.created_ms, started_ms, finished_ms, session"

Result<Run> read_run(const Rows& rows, int row) {
  const std::optional<State> state = parse_state(rows.text(row, 3));
  if (!state) return fail(Code::kInternal, "the ledger is damaged: a run has no state");
  return Run{.id = rows.text(row, 0),
             .caller = rows.text(row, 1),
             .batch = rows.text(row, 2),
             .session = rows.text(row, 13),
             .state = *state,
             .language = rows.text(row, 4),
             .policy = rows.text(row, 5),
             .status = rows.text(row, 6),
             .reason = rows.text(row, 7),
             .submission = {},
             .outcome = {},
             .webhook = rows.text(row, 8),
             .attempts = static_cast<int>(rows.integer(row, 9)),
             .created_ms = rows.integer(row, 10),
             .started_ms = rows.integer(row, 11),
             .finished_ms = rows.integer(row, 12)};
}

#define BELLJAR_KEY_COLUMNS                                                               \
  "id, holder, name, scopes, requests_per_minute, concurrent, runs_per_day, created_ms, " \
  "last_used_ms, expires_ms, revoked_ms"

Key read_key(const Rows& rows, int row) {
  return Key{.id = rows.text(row, 0),
             .user = rows.text(row, 1),
             .name = rows.text(row, 2),
             .scopes = split_scopes(rows.text(row, 3)),
             .limits = {.requests_per_minute = rows.integer(row, 4),
                        .concurrent = rows.integer(row, 5),
                        .runs_per_day = rows.integer(row, 6)},
             .created_ms = rows.integer(row, 7),
             .last_used_ms = rows.integer(row, 8),
             .expires_ms = rows.integer(row, 9),
             .revoked_ms = rows.integer(row, 10)};
}

// $1 to $10: id, created_ms, caller, batch, language, policy, webhook, owner, submission, session.
Statement insertion(const Run& run, std::string_view owner) {
  return {"WITH place AS (INSERT INTO places (id, created_ms) VALUES ($1, $2)), "
          "body AS (INSERT INTO submissions (created_ms, run, body) VALUES ($2, $1, $9)), "
          "counted AS (" BELLJAR_HELD("octet_length($9) + " BELLJAR_RUN_BYTES) ") "
          "INSERT INTO runs (id, created_ms, caller, batch, state, language, policy, status, "
          "reason, webhook, attempts, started_ms, finished_ms, owner, bytes, session) VALUES "
          "($1, $2, $3, $4, 'queued', $5, $6, '', '', $7, 0, 0, 0, $8, "
          "octet_length($9) + " BELLJAR_RUN_BYTES ", $10)",
          {run.id, run.created_ms, run.caller, run.batch, run.language, run.policy, run.webhook,
           owner, Blob{run.submission}, run.session}};
}

Statement artifact_insertion(std::string_view run, std::int64_t created_ms, const File& file) {
  return {
      "INSERT INTO artifacts (created_ms, run, path, executable, content) "
      "VALUES ($1, $2, $3, $4, $5)",
      {created_ms, run, Blob{file.path}, std::int64_t{file.executable ? 1 : 0},
       Blob{file.content}}};
}

std::int64_t bytes_of(std::span<const File> files) {
  std::int64_t bytes = 0;
  for (const File& file : files) {
    bytes += static_cast<std::int64_t>(file.path.size() + file.content.size());
  }
  return bytes;
}

Status check_paths(std::span<const File> files) {
  std::set<std::string_view> paths;
  for (const File& file : files) {
    if (!paths.insert(file.path).second) {
      return fail(Code::kInvalid, "two artifacts have the path " + quote(file.path));
    }
  }
  return {};
}

std::unexpected<Error> id_taken(std::span<const Run> runs) {
  return fail(Code::kInvalid, runs.size() == 1
                                  ? "there is a run " + quote(runs.front().id) + " already"
                                  : "there is a run of one of these ids already");
}

Failure as_failure(Error error) {
  return {.error = std::move(error), .state = {}};
}

// Deadlocks, and transactions that crossed.
bool in_the_way(const Failure& failure) {
  return failure.state == "40P01" || failure.state == "40001";
}

// From the row of an earlier request: its run and its digest.
Accepted told_apart(const Rows& request, const Digest& digest) {
  return {.answer = request.text(0, 1) == as_text(digest) ? Accepted::Answer::kReplayed
                                                          : Accepted::Answer::kConflict,
          .id = request.text(0, 0),
          .subject = {}};
}

}  // namespace

// ---- Opening ---------------------------------------------------------------------------------

PostgresStore::PostgresStore(PostgresOptions options)
    : options_(std::move(options)),
      me_(options_.home.empty() ? "" : new_id("gw_")),
      pool_(options_.connection) {}

Result<std::unique_ptr<PostgresStore>> PostgresStore::open(PostgresOptions options) {
  TRY(migrate_postgres(options.connection));
  std::unique_ptr<PostgresStore> store(new PostgresStore(std::move(options)));
  if (store->me_.empty()) return store;
  // Those of earlier processes of this installation are gone: there is one at a time.
  TRY(plain(store->ask(
      {"DELETE FROM gateways WHERE home = $1 AND id <> $2", {store->options_.home, store->me_}})));
  TRY(store->live());
  PostgresStore& self = *store;
  store->heart_ = std::jthread([&self](const std::stop_token& stop) { self.live_on(stop); });
  return store;
}

PostgresStore::~PostgresStore() {
  if (me_.empty()) return;
  heart_.request_stop();
  heart_.join();
  // So that nobody waits for this one to be missed.
  (void)ask({"DELETE FROM gateways WHERE id = $1", {me_}}).has_value();
}

Status PostgresStore::live() {
  TRY(
      plain(ask({"INSERT INTO gateways AS g (id, home, since, until) "
                 "VALUES ($1, $2, now(), now() + $3 * interval '1 ms') "
                 "ON CONFLICT (id) DO UPDATE SET until = excluded.until, "
                 "since = CASE WHEN g.until < now() THEN now() ELSE g.since END",
                 {me_, options_.home, kGatewayMs}})));
  return {};
}

void PostgresStore::live_on(const std::stop_token& stop) {
  std::chrono::seconds pause = kHeartbeat;
  while (pause_unless_stopped(stop, pause)) {
    pause = live() ? kHeartbeat : kHeartbeatAgain;
  }
}

// ---- Asking ----------------------------------------------------------------------------------

// One that the server gave up in favour of another has done nothing, and is asked again.
Answer<Rows> PostgresStore::ask(const Statement& statement) {
  auto connection = pool_.lease();
  if (!connection) return std::unexpected(as_failure(std::move(connection).error()));
  for (int attempt = 1;; ++attempt) {
    Answer<Rows> answer = (*connection)->query(statement);
    const bool again = !answer && in_the_way(answer.error()) && (*connection)->usable();
    if (!again || attempt == kMostTries) return answer;
  }
}

template <typename Keep>
Answer<void> PostgresStore::together(std::span<const Statement> statements, const Keep& keep) {
  auto connection = pool_.lease();
  if (!connection) return std::unexpected(as_failure(std::move(connection).error()));
  std::vector<Statement> all{{.sql = "BEGIN"}};
  all.insert(all.end(), statements.begin(), statements.end());
  postgres::Connection::Batch batch = (*connection)->send(all);
  if (batch.failure) batch.failure->unknown = false;  // nothing was committed
  const std::size_t answered = std::min<std::size_t>(batch.answers.size(), 1);
  const bool wanted = keep(std::span<const Rows>(batch.answers).subspan(answered), batch.failure);
  if (!batch.failure && wanted) return (*connection)->script("COMMIT");
  // Where this fails the connection is given up, and that undoes it too.
  (void)(*connection)->script("ROLLBACK").has_value();
  if (batch.failure && wanted) return std::unexpected(*std::move(batch.failure));
  return {};
}

template <typename Body>
auto PostgresStore::patiently(std::int64_t created_ms, const Body& body) -> decltype(body()) {
  for (int attempt = 1;; ++attempt) {
    auto answer = body();
    if (answer || attempt == kMostTries) return answer;
    const std::string& state = answer.error().state;
    if (state == kNoPartition) {
      const std::int64_t day = created_ms / kDayMs;
      if (const Status made = make_days(day, day); !made) {
        return std::unexpected(as_failure(made.error()));
      }
    } else if (!in_the_way(answer.error())) {
      return answer;
    }
  }
}

void PostgresStore::doubt(std::span<const Run> runs) {
  const std::lock_guard lock(doubtful_mutex_);
  for (const Run& run : runs) doubtful_[run.id] = Clock::now();
}

bool PostgresStore::was_doubtful(std::string_view id) {
  const std::lock_guard lock(doubtful_mutex_);
  const auto found = doubtful_.find(id);
  if (found == doubtful_.end()) return false;
  doubtful_.erase(found);
  return true;
}

// ---- The life of a run -----------------------------------------------------------------------

Answer<Accepted> PostgresStore::accept_once(std::span<const Run> runs,
                                            std::string_view key,
                                            const Digest& digest,
                                            std::span<const Quota> quotas) {
  const Run& first = runs.front();
  Accepted accepted{.answer = Accepted::Answer::kNew, .id = first.id, .subject = {}};
  if (key.empty() && quotas.empty() && runs.size() == 1) {
    const Answer<Rows> done = ask(insertion(first, me_));
    if (!done) return std::unexpected(done.error());
    return accepted;
  }
  std::vector<Statement> statements;
  if (!key.empty()) {
    // Another request of the same key that is under way is waited for here, whichever gateway has
    // it.
    statements.push_back(
        {"INSERT INTO requests AS r (caller, key, digest, created_ms, run) "
         "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (caller, key) DO UPDATE "
         "SET digest = excluded.digest, created_ms = excluded.created_ms, run = excluded.run "
         "WHERE r.created_ms <= $6 RETURNING created_ms",
         {first.caller, Blob{key}, Blob{as_text(digest)}, first.created_ms, first.id,
          first.created_ms - kIdempotencyMs}});
    statements.push_back({"SELECT run, digest FROM requests WHERE caller = $1 AND key = $2",
                          {first.caller, Blob{key}}});
  }
  const std::size_t first_quota = statements.size();
  for (const Quota& quota : quotas) {
    statements.push_back(
        {"INSERT INTO uses AS u (subject, day, count) VALUES ($1, $2, $3) "
         "ON CONFLICT (subject, day) DO UPDATE SET count = u.count + excluded.count "
         "RETURNING count",
         {quota.subject, first.created_ms / kDayMs, static_cast<std::int64_t>(runs.size())}});
  }
  for (const Run& run : runs) statements.push_back(insertion(run, me_));
  bool vanished = false;
  const Answer<void> done = together(statements, [&](std::span<const Rows> answers,
                                                     const std::optional<Failure>& /*failure*/) {
    if (!key.empty() && answers.size() >= 2 && answers[0].empty()) {
      vanished = answers[1].empty();
      if (vanished) return false;
      accepted = told_apart(answers[1], digest);
      return false;
    }
    for (std::size_t i = 0; i < quotas.size() && first_quota + i < answers.size(); ++i) {
      const std::int64_t count = answers[first_quota + i].integer(0, 0);
      if (quotas[i].per_day == 0 || count <= quotas[i].per_day) continue;
      accepted = {.answer = Accepted::Answer::kOverQuota, .id = {}, .subject = quotas[i].subject};
      return false;
    }
    return true;
  });
  if (!done) return std::unexpected(done.error());
  if (vanished) {
    // It was forgotten between the two statements: as if it had never been there.
    return std::unexpected(
        Failure{.error = {.code = Code::kExhausted, .sys = 0, .message = "the ledger is slow"},
                .state = "40001"});
  }
  return accepted;
}

Result<Accepted> PostgresStore::accept(std::span<const Run> runs,
                                       std::string_view idempotency_key,
                                       std::span<const Quota> quotas) {
  TRY(check_request(runs, idempotency_key));
  const Run& first = runs.front();
  const Digest digest = digest_of(runs);
  Answer<Accepted> accepted = patiently(
      first.created_ms, [&] { return accept_once(runs, idempotency_key, digest, quotas); });
  if (accepted) return *std::move(accepted);
  if (accepted.error().unknown) doubt(runs);
  if (accepted.error().state == kTaken) {
    if (!was_doubtful(first.id)) return id_taken(runs);
    return Accepted{.answer = Accepted::Answer::kNew, .id = first.id, .subject = {}};
  }
  return std::unexpected(std::move(accepted).error().error);
}

Result<std::optional<Accepted>> PostgresStore::earlier(const Run& run,
                                                       std::string_view idempotency_key) {
  TRY(check_request({&run, 1}, idempotency_key));
  TRY_ASSIGN(const Rows rows,
             plain(ask({"SELECT run, digest FROM requests WHERE caller = $1 AND key = $2 "
                        "AND created_ms > $3",
                        {run.caller, Blob{idempotency_key}, run.created_ms - kIdempotencyMs}})));
  if (rows.empty()) return std::nullopt;
  return told_apart(rows, digest_of({&run, 1}));
}

Answer<void> PostgresStore::record_once(const Run& run,
                                        const Ending& ending,
                                        std::span<const File> artifacts) {
  const std::string delivery = new_id("dlv_");
  constexpr std::string_view kRecord =
      "WITH place AS (INSERT INTO places (id, created_ms) VALUES ($1, $2)), "
      "body AS (INSERT INTO submissions (created_ms, run, body) VALUES ($2, $1, $8)), "
      "outcome AS (INSERT INTO outcomes (created_ms, run, body) VALUES ($2, $1, $9)), "
      "told AS (INSERT INTO deliveries (id, run, caller, url, body, attempts, next_ms, state, "
      "error, taker) SELECT $10, $1, $3, $7, $11, 0, $16, 'pending', '', '' "
      "WHERE $7 <> '' AND octet_length($11) > 0), "
      "counted AS (" BELLJAR_HELD("$17") ") "
      "INSERT INTO runs (id, created_ms, caller, batch, state, language, policy, status, reason, "
      "webhook, attempts, started_ms, finished_ms, owner, bytes, session) VALUES "
      "($1, $2, $3, $4, $12, $5, $6, $13, $14, $7, $15, $18, $16, '', $17, $19)";
  const auto bytes = static_cast<std::int64_t>(run.submission.size() + ending.outcome.size()) +
                     bytes_of(artifacts) + kRunBytes;
  std::vector<Statement> statements;
  statements.push_back({kRecord,
                        {run.id, run.created_ms, run.caller, run.batch, run.language, run.policy,
                         run.webhook, Blob{run.submission}, Blob{ending.outcome}, delivery,
                         Blob{ending.notice}, state_name(ending.state), ending.status,
                         Blob{ending.reason}, static_cast<std::int64_t>(run.attempts), ending.at_ms,
                         bytes, run.started_ms, run.session}});
  for (const File& file : artifacts) {
    statements.push_back(artifact_insertion(run.id, run.created_ms, file));
  }
  if (statements.size() > 1) {
    return together(statements, [](auto&&...) { return true; });
  }
  const Answer<Rows> done = ask(statements.front());
  if (!done) return std::unexpected(done.error());
  return {};
}

Status PostgresStore::record(const Run& run,
                             const Ending& ending,
                             std::span<const File> artifacts) {
  TRY(check_request({&run, 1}, {}));
  TRY(check_ending(ending));
  TRY(check_paths(artifacts));
  const Answer<void> done =
      patiently(run.created_ms, [&] { return record_once(run, ending, artifacts); });
  if (done) return {};
  if (done.error().state != kTaken) return std::unexpected(done.error().error);
  if (!was_doubtful(run.id)) return id_taken({&run, 1});
  // It was accepted before, though nobody could tell.
  if (!artifacts.empty()) TRY(put_artifacts(run.id, artifacts));
  TRY(finished(run.id, ending));
  return {};
}

Result<std::int64_t> PostgresStore::used(std::string_view subject, std::int64_t now_ms) {
  TRY_ASSIGN(const Rows rows, plain(ask({"SELECT count FROM uses WHERE subject = $1 AND day = $2",
                                         {subject, now_ms / kDayMs}})));
  return rows.empty() ? 0 : rows.integer(0, 0);
}

// A run that another gateway took is none to be run here.
Result<Change> PostgresStore::started(std::string_view id,
                                      std::int64_t at_ms,
                                      std::int64_t attempt) {
  TRY_ASSIGN(
      const Rows rows,
      plain(ask({"WITH place AS (SELECT created_ms FROM places WHERE id = $1), "
                 "changed AS (UPDATE runs SET state = 'running', started_ms = $2, "
                 "attempts = CASE WHEN $4::int8 = 0 THEN attempts + 1 ELSE greatest(attempts, "
                 "$4::int8) END "
                 "WHERE id = $1 AND created_ms = (SELECT created_ms FROM "
                 "place) AND owner = $3 AND state IN " BELLJAR_UNFINISHED " RETURNING created_ms) "
                 "SELECT (SELECT count(*) FROM changed), (SELECT count(*) FROM place)",
                 {id, at_ms, me_, attempt}})));
  if (rows.integer(0, 0) > 0) return Change::kMade;
  if (rows.integer(0, 1) == 0) return no_such_run();
  return Change::kHadEnded;
}

Result<Change> PostgresStore::finished(std::string_view id, const Ending& ending) {
  TRY(check_ending(ending));
  const std::string delivery = new_id("dlv_");
  TRY_ASSIGN(
      const Rows rows,
      plain(ask(
          {"WITH place AS (SELECT created_ms FROM places WHERE id = $1), "
           "ended AS (UPDATE runs SET state = $2, status = $3, reason = $4, finished_ms = $5, "
           "owner = '', bytes = bytes + octet_length($6) WHERE id = $1 AND created_ms = "
           "(SELECT created_ms FROM place) AND state IN " BELLJAR_UNFINISHED
           " RETURNING created_ms, caller, webhook), "
           "outcome AS (INSERT INTO outcomes (created_ms, run, body) "
           "SELECT created_ms, $1, $6 FROM ended), "
           "told AS (INSERT INTO deliveries (id, run, caller, url, body, attempts, next_ms, "
           "state, error, taker) SELECT $8, $1, caller, webhook, $7, 0, $5, 'pending', '', '' "
           "FROM ended WHERE webhook <> '' AND octet_length($7) > 0), "
           "counted AS (" BELLJAR_HELD("octet_length($6)") " AND EXISTS (SELECT 1 FROM ended)) "
                                                           "SELECT (SELECT count(*) FROM ended), "
                                                           "(SELECT count(*) FROM place)",
           {id, state_name(ending.state), ending.status, Blob{ending.reason}, ending.at_ms,
            Blob{ending.outcome}, Blob{ending.notice}, delivery}})));
  if (rows.integer(0, 0) > 0) return Change::kMade;
  if (rows.integer(0, 1) == 0) return no_such_run();
  return Change::kHadEnded;
}

// ---- Reading runs ----------------------------------------------------------------------------

Result<Run> PostgresStore::find(std::string_view id) {
  TRY_ASSIGN(const Rows rows,
             plain(ask({"SELECT " BELLJAR_RUN_COLUMNS
                        ", coalesce((SELECT body FROM submissions s WHERE s.created_ms = "
                        "runs.created_ms AND s.run = runs.id), ''), "
                        "coalesce((SELECT body FROM outcomes o WHERE o.created_ms = "
                        "runs.created_ms AND o.run = runs.id), '') FROM runs WHERE runs.id = $1 "
                        "AND created_ms = (SELECT created_ms FROM places WHERE id = $1)",
                        {id}})));
  if (rows.empty()) return no_such_run();
  TRY_ASSIGN(Run run, read_run(rows, 0));
  run.submission = rows.text(0, 14);
  run.outcome = rows.text(0, 15);
  return run;
}

Result<Page> PostgresStore::list(const Filter& filter, std::string_view cursor, int limit) {
  TRY(check_page(limit));
  Cursor after;
  if (!cursor.empty()) {
    TRY_ASSIGN(after, parse_cursor(cursor));
  }
  // One statement for each set of conditions, so that each uses the index that suits it.
  std::string sql = "SELECT " BELLJAR_RUN_COLUMNS " FROM runs WHERE true";
  std::vector<postgres::Value> values;
  const auto require = [&](bool wanted, std::string_view condition, postgres::Value value) {
    if (!wanted) return;
    values.push_back(value);
    sql.append(" AND ").append(condition).append(" $").append(std::to_string(values.size()));
  };
  require(!filter.caller.empty(), "caller =", filter.caller);
  if (filter.state) require(true, "state =", state_name(*filter.state));
  require(!filter.language.empty(), "language =", filter.language);
  require(!filter.session.empty(), "session <> '' AND id <> session AND session =", filter.session);
  if (filter.session.empty()) sql += " AND session = ''";
  require(!filter.batch.empty(), "batch <> '' AND batch =", filter.batch);
  require(filter.since_ms != 0, "created_ms >=", filter.since_ms);
  require(filter.until_ms != 0, "created_ms <", filter.until_ms);
  if (!cursor.empty()) {
    // The time stands alone besides, because only that leaves out whole days.
    require(true, "created_ms <=", after.created_ms);
    const std::string time = std::to_string(values.size());
    values.emplace_back(std::string_view(after.id));
    sql += " AND (created_ms, id) < ($" + time + ", $" + std::to_string(values.size()) + ")";
  }
  values.emplace_back(std::int64_t{limit} + 1);  // one more tells whether there is a next page
  sql += " ORDER BY created_ms DESC, id DESC LIMIT $" + std::to_string(values.size());

  TRY_ASSIGN(const Rows rows, plain(ask({.sql = sql, .values = std::move(values)})));
  Page page;
  for (int row = 0; row < std::min(rows.size(), limit); ++row) {
    TRY_ASSIGN(Run run, read_run(rows, row));
    page.runs.push_back(std::move(run));
  }
  if (rows.size() > limit) page.next = format_cursor(page.runs.back());
  return page;
}

// ---- Whose it is -----------------------------------------------------------------------------

Result<std::vector<Run>> PostgresStore::take(std::string_view which, int limit) {
  if (me_.empty()) return std::vector<Run>();
  const std::string sql =
      "WITH picked AS (SELECT id, created_ms FROM runs WHERE state IN " BELLJAR_UNFINISHED
      " AND owner <> $1 AND " +
      std::string(which) +
      " ORDER BY seq LIMIT $2 FOR UPDATE SKIP LOCKED) "
      "UPDATE runs SET owner = $1 FROM picked WHERE runs.id = picked.id AND runs.created_ms = "
      "picked.created_ms RETURNING " BELLJAR_RUN_COLUMNS ", seq";
  TRY_ASSIGN(const Rows rows, plain(ask({sql, {me_, std::int64_t{limit}}})));
  std::vector<std::pair<std::int64_t, Run>> ordered;
  for (int row = 0; row < rows.size(); ++row) {
    TRY_ASSIGN(Run run, read_run(rows, row));
    ordered.emplace_back(rows.integer(row, 14), std::move(run));
  }
  std::ranges::sort(ordered, {}, [](const auto& each) { return each.first; });
  std::vector<Run> runs;
  for (auto& [sequence, run] : ordered) runs.push_back(std::move(run));
  return runs;
}

Result<std::vector<Run>> PostgresStore::unfinished() {
  constexpr int kAll = 1'000'000;
  TRY(take("NOT EXISTS (SELECT 1 FROM gateways g WHERE g.id = owner)", kAll));
  if (me_.empty()) return std::vector<Run>();
  TRY_ASSIGN(const Rows rows, plain(ask({"SELECT " BELLJAR_RUN_COLUMNS
                                         " FROM runs WHERE state IN " BELLJAR_UNFINISHED
                                         " AND owner = $1 ORDER BY seq",
                                         {me_}})));
  std::vector<Run> runs;
  for (int row = 0; row < rows.size(); ++row) {
    TRY_ASSIGN(Run run, read_run(rows, row));
    runs.push_back(std::move(run));
  }
  return runs;
}

// After the server was away nobody has been heard of for long: those who live get the time to say
// so before anybody takes their runs.
Result<std::vector<Run>> PostgresStore::abandoned(int limit) {
  std::vector<std::string> doubtful;
  {
    const std::lock_guard lock(doubtful_mutex_);
    std::erase_if(doubtful_, [](const auto& each) { return each.second + kDoubt < Clock::now(); });
    for (const auto& [id, since] : doubtful_) doubtful.push_back(id);
  }
  std::vector<Run> runs;
  for (const std::string& id : doubtful) {
    TRY_ASSIGN(const Rows rows,
               plain(ask({"SELECT " BELLJAR_RUN_COLUMNS
                          " FROM runs WHERE id = $1 AND owner = $2 AND state = 'queued' AND "
                          "created_ms = (SELECT created_ms FROM places WHERE id = $1)",
                          {id, me_}})));
    if (rows.empty()) continue;
    TRY_ASSIGN(Run run, read_run(rows, 0));
    runs.push_back(std::move(run));
  }
  TRY_ASSIGN(std::vector<Run> others,
             take("(NOT EXISTS (SELECT 1 FROM gateways g WHERE g.id = owner) OR ("
                  "EXISTS (SELECT 1 FROM gateways g WHERE g.id = owner AND g.until < now()) AND "
                  "EXISTS (SELECT 1 FROM gateways g WHERE g.id = $1 AND g.until > now() AND "
                  "g.since < now() - interval '" +
                      std::to_string(kGatewayMs) + " ms')))",
                  limit));
  std::ranges::move(others, std::back_inserter(runs));
  return runs;
}

// ---- Artifacts -------------------------------------------------------------------------------

Status PostgresStore::put_artifacts(std::string_view run, std::span<const File> files) {
  TRY(check_paths(files));
  TRY_ASSIGN(const Rows place, plain(ask({"SELECT created_ms FROM places WHERE id = $1", {run}})));
  if (place.empty()) return no_such_run();
  const std::int64_t created_ms = place.integer(0, 0);
  // The row is locked first: of two that replace them at once the later one replaces them all.
  std::vector<Statement> statements{
      {"SELECT created_ms FROM runs WHERE created_ms = $1 AND id = $2 FOR UPDATE",
       {created_ms, run}},
      {"WITH old AS (DELETE FROM artifacts WHERE created_ms = $1 AND run = $2 "
       "RETURNING octet_length(path) + octet_length(content) AS bytes), "
       "more AS (SELECT $3 - coalesce(sum(bytes), 0)::int8 AS bytes FROM old), "
       "counted AS (" BELLJAR_HELD(
           "(SELECT bytes FROM more)") ") "
                                       "UPDATE runs SET bytes = bytes + (SELECT bytes FROM more) "
                                       "WHERE created_ms = $1 AND id = $2",
       {created_ms, run, bytes_of(files)}}};
  for (const File& file : files) statements.push_back(artifact_insertion(run, created_ms, file));
  bool there = true;
  TRY(plain(together(statements, [&there](std::span<const Rows> answers, const auto& /*failure*/) {
    there = answers.empty() || !answers[0].empty();
    return there;
  })));
  return there ? Status() : Status(no_such_run());
}

Result<File> PostgresStore::artifact(std::string_view run, std::string_view path) {
  TRY_ASSIGN(const Rows rows,
             plain(ask({"SELECT place.id::text, path, content, executable FROM places place "
                        "LEFT JOIN artifacts ON artifacts.created_ms = place.created_ms AND "
                        "artifacts.run = place.id AND path = $2 WHERE place.id = $1",
                        {run, Blob{path}}})));
  if (rows.empty()) return no_such_run();
  if (rows.text(0, 1).empty()) {
    return fail(Code::kNotFound, "the run has no artifact " + quote(path));
  }
  return File{
      .path = rows.text(0, 1), .content = rows.text(0, 2), .executable = rows.integer(0, 3) != 0};
}

Result<std::vector<ArtifactInfo>> PostgresStore::artifacts(std::string_view run) {
  TRY_ASSIGN(const Rows rows,
             plain(ask({"SELECT coalesce(path, ''), octet_length(content)::int8, executable "
                        "FROM places place LEFT JOIN artifacts ON artifacts.created_ms = "
                        "place.created_ms AND artifacts.run = place.id WHERE place.id = $1 "
                        "ORDER BY path",
                        {run}})));
  if (rows.empty()) return no_such_run();
  std::vector<ArtifactInfo> infos;
  for (int row = 0; row < rows.size(); ++row) {
    if (rows.text(row, 0).empty()) continue;  // a run without any
    infos.push_back({.path = rows.text(row, 0),
                     .size = rows.integer(row, 1),
                     .executable = rows.integer(row, 2) != 0});
  }
  return infos;
}

// ---- Keys ------------------------------------------------------------------------------------

Result<CreatedKey> PostgresStore::create_key(const NewKey& key, std::int64_t now_ms) {
  TRY(check_new_key(key));
  CreatedKey created = make_key(key, now_ms);
  const std::string scopes = join_scopes(key.scopes);
  const Digest digest = ledger::digest(created.secret);
  TRY(plain(ask({"INSERT INTO keys (" BELLJAR_KEY_COLUMNS
                 ", digest) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, 0, $10)",
                 {created.key.id, key.user, key.name, scopes, key.limits.requests_per_minute,
                  key.limits.concurrent, key.limits.runs_per_day, now_ms, key.expires_ms,
                  Blob{as_text(digest)}}})));
  return created;
}

Result<Key> PostgresStore::check_key(std::string_view secret, std::int64_t now_ms) {
  const std::unexpected<Error> unknown = unknown_key();
  if (!may_be_secret(secret)) return unknown;
  const Digest given = digest(secret);
  TRY_ASSIGN(const Rows rows,
             plain(ask({"SELECT " BELLJAR_KEY_COLUMNS ", digest FROM keys WHERE digest = $1",
                        {Blob{as_text(given)}}})));
  Digest kept{};
  const std::string text = rows.empty() ? std::string() : rows.text(0, 11);
  if (text.size() == kept.size()) std::ranges::copy(text, kept.begin());
  if (!equal(given, kept) || rows.empty()) return unknown;
  Key key = read_key(rows, 0);
  TRY(check_valid(key, now_ms));
  if (now_ms - key.last_used_ms >= kLastUsedMs) {
    // It only tells the operator which keys are in use: the key is good where it cannot be written.
    if (ask({"UPDATE keys SET last_used_ms = greatest(last_used_ms, $1) WHERE id = $2",
             {now_ms, key.id}})) {
      key.last_used_ms = now_ms;
    }
  }
  return key;
}

Result<std::vector<Key>> PostgresStore::list_keys(std::string_view user) {
  TRY_ASSIGN(const Rows rows,
             plain(ask({"SELECT " BELLJAR_KEY_COLUMNS
                        " FROM keys WHERE $1 = '' OR holder = $1 ORDER BY created_ms, id",
                        {user}})));
  std::vector<Key> keys;
  for (int row = 0; row < rows.size(); ++row) keys.push_back(read_key(rows, row));
  return keys;
}

Status PostgresStore::revoke_key(std::string_view id, std::int64_t now_ms) {
  TRY_ASSIGN(const Rows rows,
             plain(ask({"UPDATE keys SET revoked_ms = CASE WHEN revoked_ms = 0 THEN $1 ELSE "
                        "revoked_ms END WHERE id = $2 RETURNING created_ms",
                        {now_ms, id}})));
  if (!rows.empty()) return {};
  return fail(Code::kNotFound, "there is no key " + quote(id));
}

// ---- Webhooks --------------------------------------------------------------------------------

Result<std::string> PostgresStore::enqueue(std::string_view run,
                                           std::string_view url,
                                           std::string_view body,
                                           std::int64_t next_ms) {
  std::string id = new_id("dlv_");
  TRY_ASSIGN(
      const Rows rows,
      plain(ask({"INSERT INTO deliveries (id, run, caller, url, body, attempts, next_ms, "
                 "state, error, taker) SELECT $1, $2, caller, $3, $4, 0, $5, 'pending', '', "
                 "'' FROM runs WHERE id = $2 AND created_ms = (SELECT created_ms FROM places "
                 "WHERE id = $2) RETURNING next_ms",
                 {id, run, url, Blob{body}, next_ms}})));
  if (rows.empty()) return no_such_run();
  return id;
}

Result<std::vector<Delivery>> PostgresStore::due(std::int64_t now_ms, int limit, const Busy& busy) {
  const auto list = [](const std::vector<std::string>& texts) {
    return json_text(boost::json::array(texts.begin(), texts.end()));
  };
  const std::string ids = list(busy.deliveries), callers = list(busy.callers),
                    urls = list(busy.urls);
  TRY_ASSIGN(
      const Rows rows,
      plain(ask({"WITH picked AS (SELECT seq FROM deliveries d WHERE state = 'pending' AND "
                 "next_ms <= $1 AND (taker IN ('', $2) OR NOT EXISTS (SELECT 1 FROM gateways g "
                 "WHERE g.id = taker AND g.until > now())) AND "
                 "id NOT IN (SELECT jsonb_array_elements_text($3::jsonb)) AND "
                 "caller NOT IN (SELECT jsonb_array_elements_text($4::jsonb)) AND "
                 "NOT EXISTS (SELECT 1 FROM jsonb_array_elements_text($5::jsonb) AS busy (url) "
                 "WHERE starts_with(d.url, busy.url)) "
                 "ORDER BY next_ms, seq LIMIT $6 FOR UPDATE SKIP LOCKED) "
                 "UPDATE deliveries d SET taker = $2 FROM picked WHERE d.seq = picked.seq "
                 "RETURNING d.id, run, caller, url, body, attempts, next_ms, error, d.seq",
                 {now_ms, me_, ids, callers, urls, std::int64_t{std::max(limit, 0)}}})));
  std::vector<std::pair<std::int64_t, Delivery>> ordered;
  for (int row = 0; row < rows.size(); ++row) {
    ordered.emplace_back(rows.integer(row, 8),
                         Delivery{.id = rows.text(row, 0),
                                  .run = rows.text(row, 1),
                                  .caller = rows.text(row, 2),
                                  .url = rows.text(row, 3),
                                  .body = rows.text(row, 4),
                                  .attempts = static_cast<int>(rows.integer(row, 5)),
                                  .next_ms = rows.integer(row, 6),
                                  .state = Delivery::State::kPending,
                                  .error = rows.text(row, 7)});
  }
  std::ranges::sort(ordered, {},
                    [](const auto& each) { return std::pair(each.second.next_ms, each.first); });
  std::vector<Delivery> deliveries;
  for (auto& [sequence, delivery] : ordered) deliveries.push_back(std::move(delivery));
  return deliveries;
}

Status PostgresStore::delivered(std::string_view id) {
  TRY_ASSIGN(const Rows rows,
             plain(ask({"UPDATE deliveries SET state = 'delivered', error = '', taker = '', "
                        "attempts = attempts + 1 WHERE id = $1 AND state = 'pending' "
                        "RETURNING next_ms",
                        {id}})));
  if (!rows.empty()) return {};
  return fail(Code::kNotFound, "there is no pending delivery " + quote(id));
}

Status PostgresStore::not_delivered(std::string_view id,
                                    std::int64_t next_ms,
                                    std::string_view error) {
  const std::string cut(cut_utf8(error, kMaxErrorBytes));
  TRY_ASSIGN(const Rows rows,
             plain(ask({"UPDATE deliveries SET attempts = attempts + 1, next_ms = $1, taker = '', "
                        "state = CASE WHEN $1 = 0 THEN 'failed' ELSE 'pending' END, error = $2 "
                        "WHERE id = $3 AND state = 'pending' RETURNING next_ms",
                        {next_ms, Blob{cut}, id}})));
  if (!rows.empty()) return {};
  return fail(Code::kNotFound, "there is no pending delivery " + quote(id));
}

}  // namespace belljar::ledger
