// How PostgresStore makes days ahead and forgets them.
#include <optional>
#include <span>
#include <thread>
#include <utility>

#include "base/text.h"
#include "ledger/postgres_sql.h"
#include "ledger/postgres_store.h"
#include "ledger/store_rules.h"

namespace belljar::ledger {
namespace {

using postgres::Answer;
using postgres::Connection;
using postgres::plain;
using postgres::Rows;

constexpr std::int64_t kDaysAhead = 3;
constexpr std::int64_t kPruneRuns = 256;  // in one step
// Each try to lock the tables for the moment of a drop, and the pause after it.
constexpr int kLockMs = 50;
constexpr std::chrono::milliseconds kPause{50};
constexpr int kMostTries = 100;
constexpr std::string_view kNoTable = "42P01";
constexpr std::string_view kTables[] = {"runs", "submissions", "outcomes", "artifacts"};
// Held by who makes or drops a day.
constexpr std::string_view kLockDays = "SELECT pg_advisory_xact_lock(x'626c6a73'::int); ";

std::string name_of(std::string_view table, std::int64_t day) {
  return std::string(table) + "_" + std::to_string(day);
}

// All tables at once, or none for a moment longer: whoever waits for one of them holds up all who
// come after, and those who write take them in other orders.
Status lock_tables(Connection& connection) {
  for (int attempt = 1;; ++attempt) {
    const Answer<void> locked = connection.script(
        "SAVEPOINT unlocked; LOCK TABLE ONLY runs, ONLY submissions, ONLY outcomes, ONLY artifacts "
        "IN "
        "ACCESS EXCLUSIVE MODE");
    if (locked) return {};
    const bool busy = locked.error().state == "55P03" || locked.error().state == "40P01";
    if (!busy || attempt == kMostTries) return plain(locked);
    TRY(plain(connection.script("ROLLBACK TO unlocked")));
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

// Made beside the table and attached, which stops nobody who writes to it.
Status PostgresStore::make_days(std::int64_t first, std::int64_t last) {
  std::string script = "BEGIN; " + std::string(kLockDays);
  for (std::int64_t day = first; day <= last; ++day) {
    for (const std::string_view table : kTables) {
      const std::string parent(table);
      const std::string name = name_of(table, day);
      script += "DO $$ BEGIN IF to_regclass('" + name + "') IS NULL THEN CREATE TABLE " + name +
                " (LIKE " + parent + " INCLUDING ALL); ALTER TABLE " + parent +
                " ATTACH PARTITION " + name + " FOR VALUES FROM (" + std::to_string(day * kDayMs) +
                ") TO (" + std::to_string((day + 1) * kDayMs) + "); END IF; END $$; ";
    }
  }
  TRY_ASSIGN(auto connection, pool_.lease());
  return plain(connection->script(script + "COMMIT"));
}

Result<std::vector<std::int64_t>> PostgresStore::days() {
  TRY_ASSIGN(const Rows rows,
             plain(ask({"SELECT substr(relname, 6)::int8 FROM pg_inherits JOIN pg_class ON oid = "
                        "inhrelid WHERE inhparent = 'runs'::regclass ORDER BY 1"})));
  std::vector<std::int64_t> days;
  for (int row = 0; row < rows.size(); ++row) days.push_back(rows.integer(row, 0));
  return days;
}

// Nothing where something of that day has to stay.
Result<std::optional<std::int64_t>> PostgresStore::drop_day(std::int64_t day,
                                                            std::int64_t limit_ms) {
  const std::string runs = name_of("runs", day);
  const std::string census = "SELECT (EXISTS (SELECT 1 FROM " + runs +
                             " r WHERE state NOT IN " BELLJAR_ENDED
                             " OR finished_ms >= $1 OR EXISTS (SELECT 1 FROM deliveries d WHERE "
                             "d.run = r.id AND d.state = "
                             "'pending')))::int::int8, (SELECT count(*) FROM " +
                             runs + ")";
  {
    const Answer<Rows> rows = ask({census, {limit_ms}});
    // Another gateway was faster.
    if (!rows && rows.error().state == kNoTable) return 0;
    if (!rows) return std::unexpected(rows.error().error);
    if (rows->integer(0, 0) != 0) return std::nullopt;
  }
  postgres::Options options = options_.connection;
  options.statement_timeout = kLongStatement;
  TRY_ASSIGN(Connection connection, plain(Connection::open(options)));
  TRY(plain(connection.script("BEGIN; " + std::string(kLockDays))));
  const Answer<Rows> before = connection.query({census, {limit_ms}});
  // Whatever is returned before the end undoes it all, with the connection.
  if (!before && before.error().state == kNoTable) return 0;
  if (!before) return std::unexpected(before.error().error);
  if (before->integer(0, 0) != 0) return std::nullopt;
  TRY(plain(connection.script("DELETE FROM requests t USING " + runs + " r WHERE t.run = r.id; " +
                              "DELETE FROM deliveries t USING " + runs + " r WHERE t.run = r.id; " +
                              "DELETE FROM places t USING " + runs + " r WHERE t.id = r.id; " +
                              "SET lock_timeout = '" + std::to_string(kLockMs) + " ms'")));
  TRY(lock_tables(connection));
  // Until now nobody was held up, so somebody may have added to the day.
  TRY_ASSIGN(const Rows rows, plain(connection.query({census, {limit_ms}})));
  if (rows.integer(0, 0) != 0 || rows.integer(0, 1) != before->integer(0, 1)) return std::nullopt;
  std::string script =
      "SET lock_timeout = '5s'; UPDATE held SET bytes = bytes - (SELECT coalesce(sum(bytes), "
      "0)::int8 FROM " +
      runs + ") WHERE part = 0; DROP TABLE " + name_of(kTables[0], day);
  for (const std::string_view table : std::span(kTables).subspan(1)) {
    script += ", " + name_of(table, day);
  }
  TRY(plain(connection.script(script + "; COMMIT")));
  return rows.integer(0, 1);
}

Result<std::int64_t> PostgresStore::prune_rows(std::int64_t day, std::int64_t limit_ms) {
  std::int64_t total = 0;
  while (true) {
    TRY_ASSIGN(
        const Rows rows,
        plain(ask({"WITH picked AS (SELECT id, created_ms FROM runs WHERE created_ms >= $1 "
                   "AND created_ms < $2 AND state IN " BELLJAR_ENDED
                   " AND finished_ms < $3 AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE "
                   "d.run = runs.id AND d.state = 'pending') LIMIT $4)" BELLJAR_FORGET_PICKED,
                   {day * kDayMs, (day + 1) * kDayMs, limit_ms, kPruneRuns}})));
    total += rows.integer(0, 0);
    if (rows.integer(0, 0) < kPruneRuns) return total;
  }
}

Result<std::int64_t> PostgresStore::prune_by_size(std::int64_t max_bytes) {
  std::int64_t total = 0;
  while (true) {
    TRY_ASSIGN(const std::int64_t held, bytes());
    if (held <= max_bytes) return total;
    // The first ones to end, as many as make up for what is too much.
    TRY_ASSIGN(
        const Rows rows,
        plain(
            ask({"WITH oldest AS (SELECT id, created_ms, finished_ms, bytes FROM runs WHERE state "
                 "IN " BELLJAR_ENDED
                 " AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.run = runs.id AND d.state = "
                 "'pending') ORDER BY finished_ms, id LIMIT $1), "
                 "summed AS (SELECT id, created_ms, sum(bytes) OVER (ORDER BY finished_ms, id) - "
                 "bytes AS before FROM oldest), "
                 "picked AS (SELECT id, created_ms FROM summed WHERE before < "
                 "$2)" BELLJAR_FORGET_PICKED,
                 {kPruneRuns, held - max_bytes}})));
    if (rows.integer(0, 0) == 0) return total;
    total += rows.integer(0, 0);
  }
}

Result<std::int64_t> PostgresStore::prune(const Retention& retention, std::int64_t now_ms) {
  const std::int64_t today = now_ms / kDayMs;
  TRY(make_days(today, today + kDaysAhead));
  TRY(plain(ask({"DELETE FROM uses WHERE day < $1", {today - kDaysOfUses}})));
  // One that comes back says so anew.
  TRY(plain(ask({"DELETE FROM gateways WHERE until < now() - interval '1 day'"})));
  TRY_ASSIGN(const std::vector<std::int64_t> there, days());
  std::int64_t total = 0;
  for (const std::int64_t day : there) {
    const std::int64_t end_ms = (day + 1) * kDayMs;
    const std::int64_t limit_ms = now_ms - retention.max_age_ms;
    if (retention.max_age_ms == 0 || end_ms > limit_ms) continue;
    TRY_ASSIGN(const std::optional<std::int64_t> dropped, drop_day(day, limit_ms));
    if (dropped) {
      total += *dropped;
      continue;
    }
    TRY_ASSIGN(const std::int64_t removed, prune_rows(day, limit_ms));
    total += removed;
  }
  if (retention.max_bytes > 0) {
    TRY_ASSIGN(const std::int64_t removed, prune_by_size(retention.max_bytes));
    total += removed;
  }
  return total;
}

Result<std::int64_t> PostgresStore::bytes() {
  TRY_ASSIGN(const Rows rows, plain(ask({"SELECT sum(bytes)::int8 FROM held"})));
  return rows.integer(0, 0);
}

Status PostgresStore::remove(std::string_view id) {
  TRY_ASSIGN(const Rows place, plain(ask({"SELECT created_ms FROM places WHERE id = $1", {id}})));
  if (place.empty()) return no_such_run();
  TRY_ASSIGN(const Rows rows,
             plain(ask({"WITH picked (id, created_ms) AS (SELECT $1, $2)" BELLJAR_FORGET_PICKED,
                        {id, place.integer(0, 0)}})));
  if (rows.integer(0, 0) > 0) return {};
  return fail(Code::kDenied, "the run " + quote(id) + " has not ended");
}

}  // namespace belljar::ledger
