#include "ledger/migrations.h"

#include <cstdint>
#include <string>

namespace belljar::ledger {
namespace {

// "bljr": tells a ledger from somebody else's database.
constexpr std::int64_t kApplicationId = 0x626c6a72;

constexpr Migration kMigrations[] = {
#include "generated/migrations.inc"
};

Status check_identity(sqlite::Connection& connection, std::int64_t version) {
  TRY_ASSIGN(const std::int64_t application, connection.number("PRAGMA application_id"));
  TRY_ASSIGN(const std::int64_t schema, connection.number("PRAGMA schema_version"));
  const bool empty = version == 0 && application == 0 && schema == 0;
  if (!empty && application != kApplicationId) {
    return fail(Code::kUnavailable, "not a ledger: the file is another program's database");
  }
  const auto newest = static_cast<std::int64_t>(migrations().size());
  if (version > newest) {
    return fail(Code::kUnavailable, "the ledger was written by a newer belljar: its version is " +
                                        std::to_string(version) + ", this one knows up to " +
                                        std::to_string(newest));
  }
  return {};
}

Status log_ahead(sqlite::Connection& connection) {
  TRY_ASSIGN(sqlite::Query query, connection.query("PRAGMA journal_mode = WAL"));
  TRY_ASSIGN(const bool answered, query.step());
  if (answered && query.text(0) == "wal") return {};
  return fail(Code::kUnavailable, "the ledger's file system does not do write-ahead logging");
}

// Returns false where no step is left.
Result<bool> migrate_once(sqlite::Connection& connection) {
  // Read again under the lock: another process may be migrating too.
  TRY_ASSIGN(sqlite::Transaction transaction, sqlite::Transaction::begin(connection));
  TRY_ASSIGN(const std::int64_t version, connection.number("PRAGMA user_version"));
  TRY(check_identity(connection, version));
  if (version == static_cast<std::int64_t>(migrations().size())) return false;
  const Migration& step = migrations()[static_cast<std::size_t>(version)];
  const Status done = connection.script(std::string(step.sql));
  if (!done) return std::unexpected(done.error().context("migration " + std::string(step.name)));
  TRY(connection.script("PRAGMA application_id = " + std::to_string(kApplicationId)));
  TRY(connection.script("PRAGMA user_version = " + std::to_string(version + 1)));
  TRY(transaction.commit());
  return true;
}

}  // namespace

std::span<const Migration> migrations() {
  return kMigrations;
}

Result<Migrated> migrate(sqlite::Connection& connection) {
  TRY_ASSIGN(const std::int64_t version, connection.number("PRAGMA user_version"));
  TRY(check_identity(connection, version));
  if (version == 0) {
    // Only an empty database takes this; it lets prune() give pages back to the file system.
    TRY(connection.script("PRAGMA auto_vacuum = INCREMENTAL"));
  }
  TRY(log_ahead(connection));
  while (true) {
    TRY_ASSIGN(const bool more, migrate_once(connection));
    if (more) continue;
    return Migrated{.from = version, .to = static_cast<std::int64_t>(migrations().size())};
  }
}

}  // namespace belljar::ledger
