// PostgresStore: the ledger in a PostgreSQL database, for several gateways on several hosts.
//
// Threads: one connection for each call that is under way, up to Options::connections; the calls
// beyond wait. The server commits what comes at once together.
// Processes: any number, each on its own connections. What concerns one run, one key, one request
// or one day's quota is serialised by the database, for the whole fleet. For each process alone:
// the pool and what `due` is told is busy. Whose a run is: a store that was opened with a `home` is
// a gateway. What it accepts is its own until the run ends, and nobody else starts it. Every few
// seconds it says that it lives. When it has not said so for kGatewayMs, another gateway's
// abandoned() takes its runs; a new gateway of the same home takes them at once. A gateway that was
// thought dead finds its runs taken: started() then answers kHadEnded, and of two ends the first
// one counts. The deliveries it has in hand are free likewise. When the server is away: every call
// ends within connect_timeout plus statement_timeout and a second for each round trip (three at
// most), while one call tries to connect the others are told at once, and connections are made
// again by themselves. Where the connection broke before the answer to a commit, nobody can tell
// whether it was done: accept() answers an error, and abandoned() has the run if it was recorded
// after all, so that what a repeated request finds is run. The server's clock decides who lives;
// all other times are the caller's.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "base/result.h"
#include "ledger/migrations.h"
#include "ledger/postgres.h"
#include "ledger/secrets.h"
#include "ledger/store.h"

namespace belljar::ledger {

struct PostgresOptions {
  postgres::Options connection;
  // Names the installation whose gateway this is; empty: a command beside the gateways, which takes
  // no runs and no deliveries.
  std::string home;
};

// After this long without a word a gateway counts as gone.
inline constexpr std::int64_t kGatewayMs = 30'000;

// Creates or migrates, one process at a time. kUnavailable, and nothing changed, for a newer
// version and for a schema `belljar` that is no ledger.
Result<Migrated> migrate_postgres(const postgres::Options& options);

class PostgresStore final : public Store {
 public:
  // Migrates what is older. kUnavailable as migrate_postgres; kExhausted where the server is away.
  static Result<std::unique_ptr<PostgresStore>> open(PostgresOptions options);
  ~PostgresStore() override;

  using Store::accept;
  Result<Accepted> accept(std::span<const Run> runs,
                          std::string_view idempotency_key,
                          std::span<const Quota> quotas) override;
  Result<std::optional<Accepted>> earlier(const Run& run,
                                          std::string_view idempotency_key) override;
  Status record(const Run& run, const Ending& ending, std::span<const File> artifacts) override;
  Status settle() override { return {}; }  // record() waits for the disk here
  Result<std::int64_t> used(std::string_view subject, std::int64_t now_ms) override;
  Result<Change> started(std::string_view id,
                         std::int64_t at_ms,
                         std::int64_t attempt = 0) override;
  Result<Change> finished(std::string_view id, const Ending& ending) override;
  Result<Run> find(std::string_view id) override;
  Result<Page> list(const Filter& filter, std::string_view cursor, int limit) override;
  Result<std::vector<Run>> unfinished() override;
  Result<std::vector<Run>> abandoned(int limit) override;
  Status remove(std::string_view id) override;
  Result<std::int64_t> prune(const Retention& retention, std::int64_t now_ms) override;
  Result<std::int64_t> bytes() override;

  Status put_artifacts(std::string_view run, std::span<const File> files) override;
  Result<File> artifact(std::string_view run, std::string_view path) override;
  Result<std::vector<ArtifactInfo>> artifacts(std::string_view run) override;

  Result<CreatedKey> create_key(const NewKey& key, std::int64_t now_ms) override;
  Result<Key> check_key(std::string_view secret, std::int64_t now_ms) override;
  Result<std::vector<Key>> list_keys(std::string_view user) override;
  Status revoke_key(std::string_view id, std::int64_t now_ms) override;

  Result<std::string> enqueue(std::string_view run,
                              std::string_view url,
                              std::string_view body,
                              std::int64_t next_ms) override;
  using Store::due;
  Result<std::vector<Delivery>> due(std::int64_t now_ms, int limit, const Busy& busy) override;
  Status delivered(std::string_view id) override;
  Status not_delivered(std::string_view id, std::int64_t next_ms, std::string_view error) override;

 private:
  explicit PostgresStore(PostgresOptions options);

  // One statement, in a transaction of its own.
  postgres::Answer<postgres::Rows> ask(const postgres::Statement& statement);
  // All of them in one transaction. `keep` sees the answers, which end where a statement failed,
  // and says whether to commit.
  template <typename Keep>
  postgres::Answer<void> together(std::span<const postgres::Statement> statements,
                                  const Keep& keep);
  // Again where a day has no partition yet or others were in the way.
  template <typename Body>
  auto patiently(std::int64_t created_ms, const Body& body) -> decltype(body());
  postgres::Answer<Accepted> accept_once(std::span<const Run> runs,
                                         std::string_view key,
                                         const Digest& digest,
                                         std::span<const Quota> quotas);
  postgres::Answer<void> record_once(const Run& run,
                                     const Ending& ending,
                                     std::span<const File> artifacts);
  void doubt(std::span<const Run> runs);
  bool was_doubtful(std::string_view id);
  Result<std::vector<Run>> take(std::string_view which, int limit);
  Status live();
  void live_on(const std::stop_token& stop);

  // postgres_retention.cpp
  Status make_days(std::int64_t first, std::int64_t last);
  Result<std::vector<std::int64_t>> days();
  Result<std::int64_t> prune_rows(std::int64_t day, std::int64_t limit_ms);
  Result<std::int64_t> prune_by_size(std::int64_t max_bytes);
  Result<std::optional<std::int64_t>> drop_day(std::int64_t day, std::int64_t limit_ms);

  const PostgresOptions options_;
  const std::string me_;  // this process; empty without a home
  postgres::Pool pool_;

  std::mutex doubtful_mutex_;
  // Runs of which nobody knows whether they were recorded, and since when.
  std::map<std::string, std::chrono::steady_clock::time_point, std::less<>> doubtful_;

  std::jthread heart_;  // last: it uses what stands above
};

}  // namespace belljar::ledger
