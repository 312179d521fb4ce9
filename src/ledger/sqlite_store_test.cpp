// What SQLite adds to what store_test.cpp asks: files, versions, damage, full disks, crashes.
#include "ledger/sqlite_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/sys.h"
#include "ledger/migrations.h"
#include "ledger/test_support.h"

// In place of the C library's: how often SQLite waits for the disk, and a disk that fails then.
namespace {
std::atomic<int> syncs = 0;          // NOLINT(readability-identifier-naming)
std::atomic<int> sync_errno = 0;     // NOLINT(readability-identifier-naming)
std::atomic<int> sync_sleep_us = 0;  // NOLINT(readability-identifier-naming)

int sync_or_fail(long call, int fd) {
  ++syncs;
  if (sync_sleep_us != 0) ::usleep(static_cast<useconds_t>(sync_sleep_us.load()));
  if (sync_errno == 0) return static_cast<int>(::syscall(call, fd));
  errno = sync_errno;
  return -1;
}
}  // namespace
extern "C" int fsync(int fd) {
  return sync_or_fail(SYS_fsync, fd);
}
extern "C" int fdatasync(int fd) {
  return sync_or_fail(SYS_fdatasync, fd);
}

namespace belljar::ledger {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::unique_ptr<SqliteStore> opened(const std::string& path, const SqliteOptions& options = {}) {
  Result<std::unique_ptr<SqliteStore>> store = SqliteStore::open(path, options);
  EXPECT_TRUE(store.has_value()) << message(store);
  return store ? *std::move(store) : nullptr;
}

// The file seen by SQLite alone, without any code of ours.
class Raw {
 public:
  explicit Raw(const std::string& path) {
    EXPECT_EQ(sqlite3_open(path.c_str(), &connection_), SQLITE_OK);
  }
  Raw(const Raw&) = delete;
  Raw& operator=(const Raw&) = delete;
  ~Raw() { sqlite3_close(connection_); }

  // The rows' first columns, one a line.
  std::string ask(const std::string& sql) {
    std::string out;
    const auto row = [](void* text, int, char** values, char**) {
      static_cast<std::string*>(text)->append(values[0] == nullptr ? "NULL" : values[0]) += '\n';
      return 0;
    };
    char* error = nullptr;
    EXPECT_EQ(sqlite3_exec(connection_, sql.c_str(), row, &out, &error), SQLITE_OK)
        << sql << ": " << (error == nullptr ? "" : error);
    sqlite3_free(error);
    return out;
  }

 private:
  sqlite3* connection_ = nullptr;
};

mode_t mode_of(const std::string& path) {
  struct stat status{};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777U;
}

// Runs `body` in a child; its answer is the child's exit code.
int in_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// ---- Files -----------------------------------------------------------------------------------

TEST(SqliteFiles, AreForTheOwnerAlone) {
  const TemporaryFolder folder;
  const mode_t before = ::umask(0);
  const auto store = opened(folder.file());
  ::umask(before);
  ASSERT_NE(store, nullptr);
  ASSERT_OK(store->accept(run_named("run_1")));
  for (const char* const suffix : {"", "-wal", "-shm"}) {
    EXPECT_EQ(mode_of(folder.file() + suffix), 0600U) << suffix;
  }
}

TEST(SqliteFiles, LoseTheRightsOfOthers) {
  const TemporaryFolder folder;
  opened(folder.file()).reset();
  ASSERT_EQ(::chmod(folder.file().c_str(), 0644), 0);
  const auto store = opened(folder.file());
  EXPECT_EQ(mode_of(folder.file()), 0600U);
}

TEST(SqliteFiles, AreNoLinksAndNoFolders) {
  const TemporaryFolder folder;
  opened(folder.file()).reset();
  const std::string link = folder.path() + "/link";
  ASSERT_EQ(::symlink(folder.file().c_str(), link.c_str()), 0);
  EXPECT_CODE(Code::kInvalid, SqliteStore::open(link));
  EXPECT_CODE(Code::kInvalid, SqliteStore::open(folder.path()));
  EXPECT_CODE(Code::kNotFound, SqliteStore::open(folder.path() + "/none/ledger.db"));
}

TEST(SqliteFiles, EachChangeIsOnTheDiskWhenItsCallReturns) {
  const TemporaryFolder folder;
  const auto store = opened(folder.file());
  ASSERT_NE(store, nullptr);
  const auto waited = [](const auto& call) {
    const int before = syncs;
    EXPECT_TRUE(call().has_value());
    return syncs - before;
  };
  EXPECT_GE(waited([&] { return store->accept(run_named("run_1"), "k"); }), 1);
  EXPECT_GE(waited([&] { return store->started("run_1", kNoonMs); }), 1);
  EXPECT_GE(waited([&] { return store->finished("run_1", ending_at(kNoonMs)); }), 1);
  EXPECT_EQ(waited([&] { return store->find("run_1"); }), 0);
  EXPECT_EQ(waited([&] { return store->accept(run_named("run_2"), "k"); }), 0) << "a replay";
  // What is told with its end waits for the next moment of quiet, or for whoever waits anyway.
  const auto record = [](SqliteStore& ledger, const std::string& id) {
    return ledger.record(run_named(id), ending_at(kNoonMs), {});
  };
  EXPECT_EQ(waited([&] { return record(*store, "run_3"); }), 0);
  EXPECT_EQ(waited([&] { return record(*store, "run_4"); }), 0);
  EXPECT_EQ(waited([&] { return store->settle(); }), 1);
  EXPECT_EQ(waited([&] { return store->settle(); }), 0) << "nothing is left";
  EXPECT_GE(waited([&] { return store->accept(run_named("run_5")); }), 1);

  const TemporaryFolder other;
  const auto normal = opened(other.file(), {.sync = SqliteOptions::Sync::kNormal});
  ASSERT_NE(normal, nullptr);
  ASSERT_OK(normal->accept(run_named("run_0")));
  EXPECT_EQ(waited([&] { return normal->accept(run_named("run_1")); }), 0);
  EXPECT_EQ(waited([&] { return record(*normal, "run_2"); }), 0);
  EXPECT_EQ(waited([&] { return normal->settle(); }), 0);
}

TEST(SqliteFiles, WhatADiskDoesNotTakeIsNotAccepted) {
  const TemporaryFolder folder;
  const auto store = opened(folder.file());
  ASSERT_NE(store, nullptr);
  ASSERT_OK(store->accept(run_named("run_0")));
  for (const int error : {EIO, ENOSPC, EDQUOT}) {
    sync_errno = error;
    const Result<Accepted> refused = store->accept(run_named("run_1"), "k");
    const Result<Change> change = store->started("run_0", kNoonMs);
    sync_errno = 0;
    EXPECT_CODE(Code::kExhausted, refused);
    EXPECT_CODE(Code::kExhausted, change);
    EXPECT_THAT(message(refused), StartsWith("the ledger cannot be written: "));
    EXPECT_CODE(Code::kNotFound, store->find("run_1"));
    EXPECT_EQ(store->find("run_0")->attempts, 0);
  }
  EXPECT_EQ(store->accept(run_named("run_1"), "k")->answer, Accepted::Answer::kNew);
}

TEST(SqliteFiles, MayBeOpenInSeveralProcesses) {
  const TemporaryFolder folder;
  const auto service = opened(folder.file());
  ASSERT_NE(service, nullptr);
  const Result<CreatedKey> key = service->create_key({.user = "ada", .name = "a"}, kNoonMs);
  ASSERT_OK(key);
  // The command line beside the service: it reads, it revokes.
  ASSERT_EQ(in_child([&] {
              const auto other = opened(folder.file());
              const bool read = other->check_key(key->secret, kNoonMs).has_value();
              return read && other->revoke_key(key->key.id, kNoonMs) ? 0 : 1;
            }),
            0);
  EXPECT_CODE(Code::kDenied, service->check_key(key->secret, kNoonMs));
  ASSERT_OK(service->accept(run_named("run_1")));
}

TEST(SqliteFiles, HeldByAnotherAreRefusedForNowOnly) {
  const TemporaryFolder folder;
  const auto store = opened(folder.file(), {.busy_timeout_ms = 10});
  ASSERT_NE(store, nullptr);
  Raw other(folder.file());
  other.ask("BEGIN IMMEDIATE");
  const Result<Accepted> refused = store->accept(run_named("run_1"));
  EXPECT_CODE(Code::kExhausted, refused);
  EXPECT_THAT(message(refused), HasSubstr("held by another process"));
  EXPECT_CODE(Code::kNotFound, store->find("run_1"));
  other.ask("COMMIT");
  ASSERT_OK(store->accept(run_named("run_1")));
}

TEST(SqliteFiles, GiveTheirPagesBackWhenMostWasForgotten) {
  const TemporaryFolder folder;
  auto store = opened(folder.file());
  ASSERT_NE(store, nullptr);
  const File file{.path = "big", .content = std::string(4 * kMiB, 'a')};
  for (const std::string id : {"run_1", "run_2"}) {
    ASSERT_OK(store->accept(run_named(id)));
    ASSERT_OK(store->put_artifacts(id, {&file, 1}));
    ASSERT_OK(store->finished(id, ending_at(kNoonMs)));
  }
  ASSERT_OK(store->prune({.max_age_ms = 1}, kNoonMs + kDayMs));
  store.reset();
  EXPECT_LT(std::filesystem::file_size(folder.file()), 2 * kMiB);
}

TEST(SqlitePrune, ByAgeGoesRunByRunInShortSteps) {
  const TemporaryFolder folder;
  const auto store = opened(folder.file());
  for (int i = 0; i < 300; ++i) {
    const std::string id = "run_" + std::to_string(i);
    ASSERT_OK(store->accept(run_named(id, kNoonMs + i)));
    if (i != 0) ASSERT_OK(store->finished(id, ending_at(kNoonMs + i)));
  }
  const Result<std::int64_t> none = store->prune({.max_age_ms = kDayMs}, kNoonMs + kDayMs);
  ASSERT_OK(none);
  EXPECT_EQ(*none, 0);
  const Result<std::int64_t> pruned = store->prune({.max_age_ms = kDayMs}, kNoonMs + kDayMs + 290);
  ASSERT_OK(pruned);
  EXPECT_EQ(*pruned, 289);
  const Result<Page> left = store->list({}, "", kMaxPage);
  ASSERT_OK(left);
  EXPECT_EQ(left->runs.size(), 11U);
  EXPECT_EQ(left->runs.back().id, "run_0") << "what has not ended is never forgotten";
  EXPECT_EQ(*store->prune({}, kNoonMs + 100 * kDayMs), 0) << "no limit is no limit";
}

TEST(SqliteFiles, HoldNoSecret) {
  const TemporaryFolder folder;
  auto store = opened(folder.file());
  ASSERT_NE(store, nullptr);
  const Result<CreatedKey> key = store->create_key({.user = "ada", .name = "lap"}, kNoonMs);
  ASSERT_OK(key);
  store.reset();
  const Result<std::string> bytes = sys::read_file(folder.file().c_str(), 16 * kMiB);
  ASSERT_OK(bytes);
  EXPECT_THAT(*bytes, HasSubstr(key->key.id)) << "the search finds what is there";
  EXPECT_THAT(*bytes, Not(HasSubstr(key->secret.substr(3, 16))));
}

// ---- Versions --------------------------------------------------------------------------------

// A ledger of version 1 as it was written then. Never brought up to date.
constexpr const char* kVersion1 = R"(
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
CREATE TABLE runs (
  seq         INTEGER PRIMARY KEY,  -- the order in which they were accepted
  id          TEXT    NOT NULL UNIQUE,
  caller      TEXT    NOT NULL,
  batch       TEXT    NOT NULL,
  state       TEXT    NOT NULL CHECK (state IN ('queued', 'running', 'done', 'cancelled', 'lost')),
  language    TEXT    NOT NULL,
  policy      TEXT    NOT NULL,
  status      TEXT    NOT NULL,
  reason      TEXT    NOT NULL,
  webhook     TEXT    NOT NULL,
  attempts    INTEGER NOT NULL,
  created_ms  INTEGER NOT NULL,
  started_ms  INTEGER NOT NULL,
  finished_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX runs_newest ON runs (created_ms, id);
CREATE INDEX runs_of_caller ON runs (caller, created_ms, id);
CREATE INDEX runs_of_batch ON runs (batch, created_ms, id) WHERE batch <> '';
CREATE INDEX runs_unfinished ON runs (seq) WHERE state IN ('queued', 'running');
CREATE INDEX runs_ended ON runs (finished_ms) WHERE state IN ('done', 'cancelled', 'lost');
CREATE TABLE submissions (
  run  INTEGER PRIMARY KEY REFERENCES runs (seq) ON DELETE CASCADE,
  body TEXT    NOT NULL
) STRICT;
CREATE TABLE outcomes (
  run  INTEGER PRIMARY KEY REFERENCES runs (seq) ON DELETE CASCADE,
  body TEXT    NOT NULL
) STRICT;
CREATE TABLE artifacts (
  run        INTEGER NOT NULL REFERENCES runs (seq) ON DELETE CASCADE,
  path       TEXT    NOT NULL,
  executable INTEGER NOT NULL,
  content    BLOB    NOT NULL,
  UNIQUE (run, path)
) STRICT;
CREATE TABLE requests (
  caller     TEXT    NOT NULL,
  key        TEXT    NOT NULL,
  digest     BLOB    NOT NULL,  -- of what was submitted
  created_ms INTEGER NOT NULL,
  run        INTEGER NOT NULL REFERENCES runs (seq) ON DELETE CASCADE,
  PRIMARY KEY (caller, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_of_run ON requests (run);
PRAGMA application_id = 1651272306;
PRAGMA user_version = 1;
INSERT INTO runs VALUES
  (1, 'run_old', 'key_ada', 'bat_1', 'done', 'python', 'default', 'ok', 'exit code 0',
   'https://example.org/hook', 2, 1600000000000, 1600000000001, 1600000000002),
  (2, 'run_open', 'ip:::1', '', 'running', 'c', 'strict', '', '', '', 1, 1600000000003,
   1600000000004, 0);
INSERT INTO submissions VALUES (1, '{"a":1}'), (2, '{"b":2}');
INSERT INTO outcomes VALUES (1, '{"c":3}');
INSERT INTO artifacts VALUES (1, 'out.txt', 1, x'00ff');
)";

// The tables and indexes without what a space more or less makes.
constexpr const char* kSchema =
    "SELECT replace(replace(sql, ' ', ''), char(10), '') FROM sqlite_schema "
    "WHERE sql IS NOT NULL ORDER BY name";

TEST(SqliteVersions, AnOldLedgerIsBroughtUpToDateWithWhatItHolds) {
  const TemporaryFolder folder;
  Raw(folder.file()).ask(kVersion1);
  {
    const auto store = opened(folder.file());
    ASSERT_NE(store, nullptr);
    const ledger::Run expected{.id = "run_old",
                               .caller = "key_ada",
                               .batch = "bat_1",
                               .session = {},
                               .state = State::kDone,
                               .language = "python",
                               .policy = "default",
                               .status = "ok",
                               .reason = "exit code 0",
                               .submission = R"({"a":1})",
                               .outcome = R"({"c":3})",
                               .webhook = "https://example.org/hook",
                               .attempts = 2,
                               .created_ms = 1'600'000'000'000,
                               .started_ms = 1'600'000'000'001,
                               .finished_ms = 1'600'000'000'002};
    const Result<ledger::Run> old = store->find("run_old");
    ASSERT_OK(old);
    EXPECT_EQ(*old, expected);
    EXPECT_EQ(store->artifact("run_old", "out.txt")->content, std::string("\0\xff", 2));
    ASSERT_EQ(store->unfinished()->size(), 1U);
    EXPECT_EQ(store->unfinished()->front().id, "run_open");
    // What came later works.
    ASSERT_OK(store->create_key({.user = "ada", .name = "a"}, kNoonMs));
    ASSERT_OK(store->enqueue("run_old", "https://example.org", "{}", kNoonMs));
  }
  const TemporaryFolder fresh;
  opened(fresh.file()).reset();
  EXPECT_EQ(Raw(folder.file()).ask("PRAGMA user_version"),
            std::to_string(migrations().size()) + "\n");
  EXPECT_EQ(Raw(folder.file()).ask(kSchema), Raw(fresh.file()).ask(kSchema));
  EXPECT_EQ(Raw(folder.file()).ask("PRAGMA integrity_check"), "ok\n");
}

TEST(SqliteVersions, ANewerLedgerIsRefusedAndLeftAsItIs) {
  const TemporaryFolder folder;
  opened(folder.file()).reset();
  Raw(folder.file()).ask("PRAGMA user_version = 99");
  const Result<std::unique_ptr<SqliteStore>> refused = SqliteStore::open(folder.file());
  EXPECT_CODE(Code::kUnavailable, refused);
  EXPECT_THAT(message(refused), HasSubstr("newer"));
  EXPECT_THAT(message(refused), HasSubstr("99"));
  EXPECT_EQ(Raw(folder.file()).ask("PRAGMA user_version"), "99\n");
}

TEST(SqliteVersions, AnotherProgramsDatabaseIsRefusedAndLeftAsItIs) {
  const TemporaryFolder folder;
  Raw(folder.file()).ask("CREATE TABLE theirs (a)");
  const Result<std::unique_ptr<SqliteStore>> refused = SqliteStore::open(folder.file());
  EXPECT_CODE(Code::kUnavailable, refused);
  EXPECT_THAT(message(refused), HasSubstr("not a ledger"));
  EXPECT_EQ(Raw(folder.file()).ask("SELECT name FROM sqlite_schema"), "theirs\n");
  EXPECT_EQ(Raw(folder.file()).ask("PRAGMA journal_mode"), "delete\n");
}

TEST(SqliteVersions, SeveralThatCreateItAtOnceAllSucceed) {
  const TemporaryFolder folder;
  std::vector<pid_t> children;
  for (int i = 0; i < 6; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      const auto store = SqliteStore::open(folder.file());
      ::_exit(store && (*store)->accept(run_named("run_" + std::to_string(i))) ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(opened(folder.file())->unfinished()->size(), 6U);
}

// ---- Damage ----------------------------------------------------------------------------------

void overwrite(const std::string& path, std::streamoff at, const std::string& bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(at);
  file << bytes;
  ASSERT_TRUE(file.good());
}

TEST(SqliteDamage, WhatIsNoDatabaseIsRefused) {
  const TemporaryFolder folder;
  std::ofstream(folder.file()) << std::string(10'000, 'x');
  const Result<std::unique_ptr<SqliteStore>> refused = SqliteStore::open(folder.file());
  EXPECT_CODE(Code::kUnavailable, refused);
  EXPECT_THAT(message(refused), StartsWith("not a ledger"));
}

TEST(SqliteDamage, IsAnErrorWhereverItIs) {
  const TemporaryFolder folder;
  {
    const auto store = opened(folder.file());
    ASSERT_NE(store, nullptr);
    std::vector<ledger::Run> runs;
    for (int i = 0; i < 200; ++i) runs.push_back(run_named("run_" + std::to_string(i)));
    ASSERT_OK(store->accept(runs, "k", {}));
  }
  const Result<std::string> whole = sys::read_file(folder.file().c_str(), 16 * kMiB);
  ASSERT_OK(whole);
  constexpr std::size_t kPage = 4096;
  int refused = 0;
  for (std::size_t page = 0; page < whole->size() / kPage; ++page) {
    const TemporaryFolder other;
    std::ofstream(other.file(), std::ios::binary) << *whole;
    overwrite(other.file(), static_cast<std::streamoff>(page * kPage),
              std::string(kPage, static_cast<char>(0xa5)));
    Result<std::unique_ptr<SqliteStore>> store = SqliteStore::open(other.file());
    if (!store) {
      EXPECT_NE(message(store), "");
      ++refused;
      continue;
    }
    const Result<Page> listed = (*store)->list({}, "", kMaxPage);
    const Result<ledger::Run> found = (*store)->find("run_100");
    const Result<Accepted> accepted = (*store)->accept(run_named("run_new"), "new");
    const Result<Change> ended = (*store)->finished("run_100", ending_at(kNoonMs));
    const Result<std::int64_t> pruned = (*store)->prune({.max_age_ms = 1}, kNoonMs + kDayMs);
    const std::string said =
        message(listed) + message(found) + message(accepted) + message(ended) + message(pruned);
    if (said.find("the ledger is damaged") != std::string::npos) ++refused;
  }
  // Some pages are free, or not on the way of these calls.
  EXPECT_GT(refused, 5);
}

TEST(SqliteDamage, ACutLogLosesOnlyItsEnd) {
  const TemporaryFolder folder;
  // The child ends without closing, so that the log stays.
  ASSERT_EQ(in_child([&] {
              SqliteStore* const store = opened(folder.file()).release();
              for (int i = 0; i < 20; ++i) {
                if (!store->accept(run_named("run_" + std::to_string(i)))) return 1;
              }
              return 0;
            }),
            0);
  const std::string log = folder.file() + "-wal";
  const auto size = std::filesystem::file_size(log);
  ASSERT_GT(size, 100'000U);
  std::filesystem::resize_file(log, size - 1000);
  const auto store = opened(folder.file());
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(store->unfinished()->size(), 19U);
  EXPECT_CODE(Code::kNotFound, store->find("run_19"));
}

// ---- Full disks ------------------------------------------------------------------------------

// Writes until nothing goes any more, makes room, and goes on with the same store. Returns 0 or
// which step was wrong.
int fill_and_recover(const std::string& path, const std::function<bool()>& make_room) {
  const auto store = SqliteStore::open(path);
  if (!store) return 2;
  const Result<CreatedKey> key = (*store)->create_key({.user = "ada", .name = "a"}, kNoonMs);
  if (!key || !(*store)->accept(run_named("run_first"))) return 3;
  ledger::Run large = run_named("run_0");
  large.submission.assign(100'000, 'a');
  std::vector<std::string> accepted;
  Result<Accepted> last = Accepted{};
  for (int i = 0; i < 500 && last; ++i) {
    large.id = "run_" + std::to_string(i);
    last = (*store)->accept(large, large.id);
    if (last) accepted.push_back(large.id);
  }
  if (last) return 4;
  if (last.error().code != Code::kExhausted) return 5;
  if (!last.error().message.starts_with("the ledger cannot be written: ")) return 6;
  // Refused again, for every kind of write; reading and checking keys go on.
  if ((*store)->accept(large, large.id)) return 7;
  // Larger than what did not fit: a page or two may be left.
  const File file{.path = "a", .content = large.submission + large.submission};
  if ((*store)->put_artifacts("run_first", {&file, 1})) return 8;
  if ((*store)->find(large.id)) return 9;
  for (const std::string& id : accepted) {
    if (!(*store)->find(id)) return 10;
  }
  if (!(*store)->check_key(key->secret, kNoonMs + kDayMs)) return 11;

  if (!make_room()) return 12;
  const Result<Accepted> again = (*store)->accept(large, large.id);
  if (!again || again->answer != Accepted::Answer::kNew) return 13;
  if (!(*store)->finished("run_first", ending_at(kNoonMs))) return 14;
  return (*store)->unfinished()->size() == accepted.size() + 1 ? 0 : 15;
}

TEST(SqliteFullDisk, AFileThatMayNotGrowIsAnErrorUntilItMay) {
  const TemporaryFolder folder;
  const int code = in_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 2 * kMiB;
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    return fill_and_recover(folder.file(), [&] {
      limit.rlim_cur = before;
      return ::setrlimit(RLIMIT_FSIZE, &limit) == 0;
    });
  });
  EXPECT_EQ(code, 0);
  EXPECT_EQ(Raw(folder.file()).ask("PRAGMA integrity_check"), "ok\n");
}

TEST(SqliteFullDisk, AFullFileSystemIsAnErrorUntilThereIsRoom) {
  constexpr int kNoMount = 100;
  const TemporaryFolder folder;
  const int code = in_child([&] {
    // Mounts of its own: they end with the child.
    if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return kNoMount;
    ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    const char* const at = folder.path().c_str();
    if (::mount("tmpfs", at, "tmpfs", 0, "size=4m") != 0) return kNoMount;
    // A crash while it is full must lose nothing either.
    const int filled = in_child([&] {
      return fill_and_recover(folder.file(), [&] {
        return ::mount("tmpfs", at, "tmpfs", MS_REMOUNT, "size=64m") == 0;
      });
    });
    if (filled != 0) return filled;
    const auto store = SqliteStore::open(folder.file());
    if (!store || !(*store)->find("run_first")) return 50;
    return Raw(folder.file()).ask("PRAGMA integrity_check") == "ok\n" ? 0 : 51;
  });
  if (code == kNoMount) GTEST_SKIP() << "no tmpfs can be mounted here";
  EXPECT_EQ(code, 0);
}

// ---- Changes that share a transaction ----------------------------------------------------------

// Calls `body` with 0 to `count`-1, each in a thread of its own; true when each answered so.
bool in_threads(int count, const std::function<bool(int)>& body) {
  std::atomic<int> failures = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < count; ++t) {
      threads.emplace_back([&, t] {
        if (!body(t)) ++failures;
      });
    }
  }
  return failures == 0;
}

std::string name_of(int thread, int number) {
  return "run_" + std::to_string(thread) + "_" + std::to_string(number);
}

TEST(SqliteGroups, ShareOneWaitForTheDisk) {
  constexpr int kThreads = 8;
  constexpr int kRuns = 10;
  const TemporaryFolder folder;
  const auto store = opened(folder.file());
  ASSERT_NE(store, nullptr);
  const int before = syncs;
  sync_sleep_us = 5000;  // so that some come while others wait
  EXPECT_TRUE(in_threads(kThreads, [&](int thread) {
    for (int i = 0; i < kRuns; ++i) {
      if (!store->accept(run_named(name_of(thread, i)))) return false;
    }
    return true;
  }));
  sync_sleep_us = 0;
  EXPECT_LT(syncs - before, kThreads * kRuns);
  EXPECT_EQ(store->unfinished()->size(), std::size_t{kThreads} * kRuns);
}

TEST(SqliteGroups, WhatIsRefusedTakesNothingFromTheOthers) {
  constexpr int kThreads = 8;
  const TemporaryFolder folder;
  const auto store = opened(folder.file());
  ASSERT_NE(store, nullptr);
  ASSERT_OK(store->accept(run_named("run_taken")));
  sync_sleep_us = 2000;
  EXPECT_TRUE(in_threads(kThreads, [&](int thread) {
    for (int i = 0; i < 10; ++i) {
      const std::vector<ledger::Run> runs = {
          run_named(name_of(thread, i)),
          run_named(thread % 2 == 0 ? "run_taken" : name_of(thread, 10 + i))};
      const std::vector<Quota> quotas = {{.subject = "user:ada", .per_day = 0}};
      if (store->accept(runs, "", quotas).has_value() != (thread % 2 == 1)) return false;
    }
    return true;
  }));
  sync_sleep_us = 0;
  EXPECT_EQ(store->unfinished()->size(), 1U + kThreads / 2 * 20);
  EXPECT_EQ(*store->used("user:ada", kNoonMs), kThreads / 2 * 20);
  EXPECT_CODE(Code::kNotFound, store->find(name_of(0, 0)));
}

TEST(SqliteGroups, WhatDoesNotFitLetsTheOthersBy) {
  const TemporaryFolder folder;
  const int code = in_child([&] {
    const auto store = SqliteStore::open(folder.file());
    if (!store || !(*store)->accept(run_named("run_large"))) return 1;
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = 16 * kMiB, .rlim_max = RLIM_INFINITY};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 2;
    sync_sleep_us = 2000;
    const File large{.path = "large", .content = std::string(20 * kMiB, 'a')};
    const bool fine = in_threads(5, [&](int thread) {
      for (int i = 0; i < 8; ++i) {
        if (thread == 0) {
          const Status put = (*store)->put_artifacts("run_large", {&large, 1});
          if (put || put.error().code != Code::kExhausted) return false;
        } else if (!(*store)->accept(run_named(name_of(thread, i)))) {
          return false;
        }
      }
      return true;
    });
    if (!fine) return 3;
    return (*store)->unfinished()->size() == 33 ? 0 : 4;
  });
  EXPECT_EQ(code, 0);
}

// ---- Crashes ---------------------------------------------------------------------------------

// What the child of a crash test does until it is killed: each line is written only after the call
// it tells of has returned.
void live(const std::string& path, int round, int report) {
  const auto store = SqliteStore::open(path);
  if (!store) ::_exit(1);
  for (int i = 0;; ++i) {
    const std::string id = "run_" + std::to_string(round) + "_" + std::to_string(i);
    ledger::Run run = run_named(id, kNoonMs + i);
    run.webhook = "https://example.org/hook";
    run.submission += std::string(static_cast<std::size_t>(i % 7) * 3000, ' ');
    if (!(*store)->accept(run, id)) ::_exit(2);
    if (!sys::write_all(report, "A" + id + "\n")) ::_exit(3);
    if (i % 3 == 0) continue;
    if (!(*store)->started(id, kNoonMs + i)) ::_exit(4);
    if (!sys::write_all(report, "S" + id + "\n")) ::_exit(5);
    if (i % 3 == 1) continue;
    Ending ending = ending_at(kNoonMs + i);
    ending.outcome = "outcome of " + id;
    ending.notice = id;
    if (!(*store)->finished(id, ending)) ::_exit(6);
    if (!sys::write_all(report, "F" + id + "\n")) ::_exit(7);
  }
}

TEST(SqliteCrash, KilledAtAnyInstantItHasEverythingThatWasReported) {
  const TemporaryFolder folder;
  std::minstd_rand random(20'231);
  std::vector<std::string> lines;
  for (int round = 0; round < 25; ++round) {
    Result<sys::Pipe> pipe = sys::make_pipe();
    ASSERT_OK(pipe);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) live(folder.file(), round, pipe->write.get());
    pipe->write.reset();
    // So many bytes of reports and some microseconds later.
    const std::size_t wanted = random() % 600;
    std::string text;
    std::array<char, 512> buffer{};
    while (text.size() < wanted) {
      const ssize_t got = ::read(pipe->read.get(), buffer.data(), buffer.size());
      ASSERT_GT(got, 0) << "the child ended by itself";
      text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    ::usleep(static_cast<useconds_t>(random() % 5000));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "exit code " << WEXITSTATUS(status);
    while (true) {
      const ssize_t got = ::read(pipe->read.get(), buffer.data(), buffer.size());
      if (got <= 0) break;
      text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    std::size_t begin = 0;
    for (std::size_t end = text.find('\n'); end != std::string::npos;
         begin = end + 1, end = text.find('\n', begin)) {
      lines.push_back(text.substr(begin, end - begin));
    }

    const auto store = opened(folder.file());
    ASSERT_NE(store, nullptr);
    for (const std::string& line : lines) {
      const std::string id = line.substr(1);
      const Result<ledger::Run> run = store->find(id);
      ASSERT_OK(run);
      ASSERT_THAT(run->submission, StartsWith("{\"language\""));
      if (line[0] == 'S') {
        ASSERT_NE(run->state, State::kQueued) << id;
        ASSERT_EQ(run->attempts, 1);
      }
      if (line[0] == 'F') {
        ASSERT_EQ(run->state, State::kDone) << id;
      }
      // An end is whole: state, outcome and delivery, or nothing of it.
      ASSERT_EQ(run->state == State::kDone, run->outcome == "outcome of " + id) << id;
      ASSERT_EQ(run->state == State::kDone, run->finished_ms != 0) << id;
    }
  }
  EXPECT_GT(lines.size(), 100U);
  Raw raw(folder.file());
  EXPECT_EQ(raw.ask("PRAGMA integrity_check"), "ok\n");
  EXPECT_EQ(raw.ask("PRAGMA foreign_key_check"), "");
  EXPECT_EQ(raw.ask("SELECT count(*) FROM runs WHERE state = 'done'"),
            raw.ask("SELECT count(*) FROM deliveries"));
  EXPECT_EQ(raw.ask("SELECT count(*) FROM runs"), raw.ask("SELECT count(*) FROM submissions"));
  EXPECT_EQ(raw.ask("SELECT count(*) FROM runs"), raw.ask("SELECT count(*) FROM requests"));
}

}  // namespace
}  // namespace belljar::ledger
