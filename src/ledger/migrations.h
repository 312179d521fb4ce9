// Migrations: the ordered steps of the schema, src/ledger/migrations/*.sql, embedded at build time.
// A step that was released is never edited: a new one follows it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"
#include "ledger/sqlite.h"

namespace belljar::ledger {

struct Migration {
  std::string_view name;
  std::string_view sql;
};
std::span<const Migration> migrations();

// What was done to bring a ledger up to date.
struct Migrated {
  std::int64_t from = 0;  // its version before; 0: there was none
  std::int64_t to = 0;
};

// Brings an empty or older database to the newest version, each step whole or not at all.
// kUnavailable, and nothing changed, for a newer one and for a database that is no ledger.
Result<Migrated> migrate(sqlite::Connection& connection);

}  // namespace belljar::ledger
