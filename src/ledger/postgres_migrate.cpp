#include <string>

#include "base/text.h"
#include "ledger/migrations.h"
#include "ledger/postgres_sql.h"
#include "ledger/postgres_store.h"

namespace belljar::ledger {
namespace {

using postgres::Answer;
using postgres::Connection;
using postgres::plain;
using postgres::Rows;

constexpr Migration kMigrations[] = {
#include "generated/postgres_migrations.inc"
};
constexpr auto kNewest = static_cast<std::int64_t>(std::size(kMigrations));

// 0 where there is no ledger, which is created.
Result<std::int64_t> version_of(Connection& connection) {
  TRY_ASSIGN(const Rows found,
             plain(connection.query(
                 {"SELECT (to_regnamespace('belljar') IS NOT NULL)::int::int8, "
                  "(to_regclass('belljar.ledger') IS NOT NULL)::int::int8, "
                  "(SELECT count(*) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
                  " WHERE nspname = 'belljar')"})));
  if (found.integer(0, 1) == 0) {
    if (found.integer(0, 2) != 0) {
      return fail(Code::kUnavailable,
                  "not a ledger: the schema belljar is another program's in this database");
    }
    if (found.integer(0, 0) == 0) TRY(plain(connection.script("CREATE SCHEMA belljar")));
    TRY(
        plain(connection.script("CREATE TABLE belljar.ledger (version bigint NOT NULL);"
                                "INSERT INTO belljar.ledger VALUES (0)")));
    return 0;
  }
  TRY_ASSIGN(const Rows rows, plain(connection.query({"SELECT version FROM belljar.ledger"})));
  if (rows.size() != 1) return fail(Code::kUnavailable, "not a ledger: it has no version");
  const std::int64_t version = rows.integer(0, 0);
  if (version > kNewest) {
    return fail(Code::kUnavailable, "the ledger was written by a newer belljar: its version is " +
                                        std::to_string(version) + ", this one knows up to " +
                                        std::to_string(kNewest));
  }
  return version;
}

Result<std::int64_t> migrate_all(Connection& connection) {
  TRY_ASSIGN(const std::int64_t from, version_of(connection));
  for (std::int64_t version = from; version < kNewest; ++version) {
    const Migration& step = kMigrations[version];
    const Status done = plain(connection.script(std::string(step.sql)));
    if (!done) return std::unexpected(done.error().context("migration " + std::string(step.name)));
  }
  TRY(plain(connection.query({"UPDATE belljar.ledger SET version = $1", {kNewest}})));
  return from;
}

}  // namespace

Result<Migrated> migrate_postgres(const postgres::Options& options) {
  {
    // Most processes find everything done and change nothing.
    TRY_ASSIGN(Connection connection, plain(Connection::open(options)));
    const Answer<Rows> known = connection.query({"SELECT version FROM belljar.ledger"});
    if (known && known->size() == 1 && known->integer(0, 0) == kNewest) {
      return Migrated{.from = kNewest, .to = kNewest};
    }
  }
  postgres::Options patient = options;
  patient.statement_timeout = kLongStatement;
  TRY_ASSIGN(Connection connection, plain(Connection::open(patient)));
  // All steps are one transaction, under a lock that the next process waits for.
  TRY(plain(connection.script("BEGIN; SELECT pg_advisory_xact_lock(x'626c6a72'::int)")));
  TRY_ASSIGN(const std::int64_t from, migrate_all(connection));
  TRY(plain(connection.script("COMMIT")));
  return Migrated{.from = from, .to = kNewest};
}

}  // namespace belljar::ledger
