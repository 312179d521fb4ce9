// Pieces of SQL that several statements of PostgresStore share.
#pragma once

#include <chrono>

namespace belljar::ledger {

// What changes tables, or whole days of them, may take longer than a request's statement does.
inline constexpr std::chrono::minutes kLongStatement{10};

}  // namespace belljar::ledger

#define BELLJAR_ENDED "('done', 'cancelled', 'lost')"
#define BELLJAR_UNFINISHED "('queued', 'running')"

// Adds to what the ledger holds, each connection in a row of its own.
#define BELLJAR_HELD(amount) \
  "UPDATE held SET bytes = bytes + (" amount ") WHERE part = pg_backend_pid() % 64"

// What every run takes besides what it holds: its rows and their places in the indexes.
#define BELLJAR_RUN_BYTES "1024"

// After WITH picked (id, created_ms) AS (…): forgets those of them that have ended, and answers how
// many.
#define BELLJAR_FORGET_PICKED \
  ", gone AS (DELETE FROM runs USING picked WHERE runs.id = picked.id AND runs.created_ms = "    \
  "picked.created_ms AND state IN " BELLJAR_ENDED                                                \
  " RETURNING runs.id, runs.created_ms, runs.bytes), "                                           \
  "a AS (DELETE FROM places USING gone WHERE places.id = gone.id), "                             \
  "b AS (DELETE FROM submissions t USING gone WHERE t.created_ms = gone.created_ms AND t.run = " \
  "gone.id), "                                                                                   \
  "c AS (DELETE FROM outcomes t USING gone WHERE t.created_ms = gone.created_ms AND t.run = "    \
  "gone.id), "                                                                                   \
  "d AS (DELETE FROM artifacts t USING gone WHERE t.created_ms = gone.created_ms AND t.run = "   \
  "gone.id), "                                                                                   \
  "e AS (DELETE FROM requests t USING gone WHERE t.run = gone.id), "                             \
  "f AS (DELETE FROM deliveries t USING gone WHERE t.run = gone.id), "                           \
  "g AS (" BELLJAR_HELD("- (SELECT coalesce(sum(bytes), 0)::int8 FROM gone)") ") "               \
  "SELECT count(*) FROM gone"
