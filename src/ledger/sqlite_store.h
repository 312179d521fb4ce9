// SqliteStore: the ledger in one SQLite file (write-ahead log), for one host.
//
// Threads: one connection, used in turns; a call that waits for the disk makes the others wait.
// Changes that come meanwhile are committed together, each whole or not at all.
// Processes: several may have the file open, so that `belljar keys` and `belljar history` work
// beside a running service; writers wait for each other up to busy_timeout_ms. An open store must
// not be used in a forked child.
// Files: PATH, PATH-wal and PATH-shm, mode 0600. The folder must exist, be writable, and be on a
// local file system.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "ledger/group_commit.h"
#include "ledger/migrations.h"
#include "ledger/secrets.h"
#include "ledger/sqlite.h"
#include "ledger/store.h"

namespace belljar::ledger {

struct SqliteOptions {
  enum class Sync : std::uint8_t {
    kFull,    // every change is on the disk when its call returns, record() aside
    kNormal,  // the end of the process loses nothing, a power failure may lose the last changes
  };
  Sync sync = Sync::kFull;
  int busy_timeout_ms = 5000;
};

class SqliteStore final : public Store {
 public:
  // Opens, creates or migrates. kUnavailable for a newer ledger or another program's file,
  // kInternal for a damaged one, kDenied where the file is read-only.
  static Result<std::unique_ptr<SqliteStore>> open(const std::string& path,
                                                   const SqliteOptions& options = {});

  // Only brings it up to date.
  static Result<Migrated> migrate_file(const std::string& path, const SqliteOptions& options = {});

  using Store::accept;
  Result<Accepted> accept(std::span<const Run> runs,
                          std::string_view idempotency_key,
                          std::span<const Quota> quotas) override;
  Result<std::optional<Accepted>> earlier(const Run& run,
                                          std::string_view idempotency_key) override;
  Status record(const Run& run, const Ending& ending, std::span<const File> artifacts) override;
  Status settle() override;
  Result<std::int64_t> used(std::string_view subject, std::int64_t now_ms) override;
  Result<Change> started(std::string_view id,
                         std::int64_t at_ms,
                         std::int64_t attempt = 0) override;
  Result<Change> finished(std::string_view id, const Ending& ending) override;
  Result<Run> find(std::string_view id) override;
  Result<Page> list(const Filter& filter, std::string_view cursor, int limit) override;
  Result<std::vector<Run>> unfinished() override;
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
  SqliteStore(sqlite::Connection connection, const std::string& path, bool full)
      : connection_(std::move(connection)), log_(path + "-wal"), full_(full) {}

  // Makes a change in a transaction that others may share. `body` is called with the lock held, may
  // be called again, and is undone where it returns an error.
  template <typename Body>
  auto change(const Body& body, Durable durable = Durable::kNow) -> decltype(body());

  // Each expects the lock to be held.
  Result<std::int64_t> sequence_of(std::string_view run);
  // Of a key whose time is not over.
  Result<std::optional<Accepted>> earlier_request(const Run& first,
                                                  std::string_view key,
                                                  std::string_view digest);
  Status insert_run(const Run& run);
  Status insert_artifacts(std::int64_t sequence, std::span<const File> files);
  Result<Change> end_run(std::string_view id, const Ending& ending);
  Result<std::string> insert_delivery(std::int64_t sequence,
                                      std::string_view url,
                                      std::string_view body,
                                      std::int64_t next_ms);
  Result<std::optional<Key>> key_of(const Digest& given);
  Result<std::int64_t> held_bytes();
  Result<std::int64_t> prune_step(const Retention& retention, std::int64_t now_ms);
  Result<bool> shrink_step();

  std::mutex mutex_;
  sqlite::Connection connection_;
  const std::string log_;  // SQLite's write-ahead log, which is there as long as the connection
  const bool full_;
  std::atomic<bool> unsettled_ = false;
  GroupCommit group_{connection_, mutex_, full_};
};

}  // namespace belljar::ledger
