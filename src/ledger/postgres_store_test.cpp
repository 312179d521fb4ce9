// What PostgresStore does beyond what every Store does: several gateways, a server that is away.
#include "ledger/postgres_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ledger/migrations.h"
#include "ledger/postgres_server.h"
#include "ledger/test_support.h"

namespace belljar::ledger {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using Answer = Accepted::Answer;
using std::chrono::milliseconds;

constexpr Migration kMigrations[] = {
#include "generated/postgres_migrations.inc"
};

std::unique_ptr<PostgresStore> opened(const std::string& url,
                                      const std::string& home,
                                      postgres::Options options = {}) {
  options.url = url;
  Result<std::unique_ptr<PostgresStore>> store =
      PostgresStore::open({.connection = options, .home = home});
  EXPECT_TRUE(store.has_value()) << message(store);
  return store ? *std::move(store) : nullptr;
}

std::vector<std::string> ids_of(const Result<std::vector<Run>>& runs) {
  std::vector<std::string> ids;
  EXPECT_TRUE(runs.has_value()) << message(runs);
  if (runs) {
    for (const Run& run : *runs) ids.push_back(run.id);
  }
  return ids;
}

// As of a server of this test's own: the number that a query answers.
std::int64_t number(const std::string& url, const std::string& sql) {
  auto connection = postgres::Connection::open({.url = url});
  EXPECT_TRUE(connection.has_value());
  if (!connection) return -1;
  const auto rows = connection->query({sql});
  EXPECT_TRUE(rows.has_value()) << rows.error().error.message;
  return rows && !rows->empty() ? rows->integer(0, 0) : -1;
}

// A gateway that was last heard of a while ago, and one that has been heard of all that time.
void let_die(const std::string& url, const std::string& home) {
  PostgresServer::shared().run(
      url,
      "UPDATE gateways SET until = now() - interval '1 min', since = now() - "
      "interval '2 min' WHERE home = '" +
          home + "'");
}
void let_age(const std::string& url, const std::string& home) {
  PostgresServer::shared().run(
      url, "UPDATE gateways SET since = now() - interval '2 min' WHERE home = '" + home + "'");
}

// ---- Versions --------------------------------------------------------------------------------

TEST(PostgresVersions, SeveralThatCreateItAtOnceAllSucceed) {
  const std::string url = PostgresServer::shared().new_database();
  std::atomic<int> made = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        const Result<Migrated> done = migrate_postgres({.url = url});
        EXPECT_TRUE(done.has_value()) << message(done);
        if (done && done->from == 0) ++made;
      });
    }
  }
  EXPECT_EQ(made.load(), 1);
  EXPECT_NE(opened(url, "home"), nullptr);
}

TEST(PostgresVersions, AnOldLedgerIsBroughtUpToDateWithWhatItHolds) {
  const std::string url = PostgresServer::shared().new_database();
  PostgresServer::shared().run(
      url,
      "CREATE SCHEMA belljar; SET search_path = belljar; CREATE TABLE ledger (version bigint NOT "
      "NULL); INSERT INTO ledger VALUES (1);" +
          std::string(kMigrations[0].sql) + "INSERT INTO held VALUES (64, 42)");
  const Result<Migrated> done = migrate_postgres({.url = url});
  ASSERT_OK(done);
  EXPECT_EQ(done->from, 1);
  EXPECT_EQ(done->to, std::ssize(kMigrations));
  EXPECT_EQ(*opened(url, "a")->bytes(), 42);
}

TEST(PostgresVersions, ANewerLedgerIsRefusedAndLeftAsItIs) {
  const std::string url = PostgresServer::shared().new_database();
  ASSERT_NE(opened(url, "home"), nullptr);
  PostgresServer::shared().run(url, "UPDATE ledger SET version = 99");
  const auto refused = PostgresStore::open({.connection = {.url = url}, .home = "home"});
  EXPECT_CODE(Code::kUnavailable, refused);
  EXPECT_THAT(refused.error().message, HasSubstr("version is 99"));
  EXPECT_EQ(number(url, "SELECT version FROM belljar.ledger"), 99);
}

TEST(PostgresVersions, AnotherProgramsSchemaIsRefusedAndLeftAsItIs) {
  const std::string url = PostgresServer::shared().new_database();
  PostgresServer::shared().run(url, "CREATE SCHEMA belljar; CREATE TABLE belljar.mine (a int)");
  EXPECT_CODE(Code::kUnavailable, migrate_postgres({.url = url}));
  EXPECT_EQ(number(url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'belljar'"), 1);
}

TEST(PostgresVersions, ADatabaseOfAnotherEncodingIsRefused) {
  PostgresServer::shared().run(
      "postgres", "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
  const std::string url = PostgresServer::shared().url("latin");
  EXPECT_CODE(Code::kUnavailable, migrate_postgres({.url = url}));
}

// ---- Several gateways ------------------------------------------------------------------------

TEST(PostgresGateways, OneOfManyEqualRequestsIsAcceptedAndAQuotaHoldsForAll) {
  const std::string url = PostgresServer::shared().new_database();
  const auto a = opened(url, "a");
  const auto b = opened(url, "b");
  const std::vector<Quota> ten = {{.subject = "key_ada", .per_day = 10}};
  std::atomic<int> within = 0, over = 0;
  for (int round = 0; round < 10; ++round) {
    std::atomic<int> made = 0, replayed = 0;
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        PostgresStore& store = t % 2 == 0 ? *a : *b;
        const std::string name = std::to_string(round) + "_" + std::to_string(t);
        const auto same = store.accept(run_named("same_" + name), "k" + std::to_string(round));
        EXPECT_TRUE(same.has_value()) << message(same);
        if (same && same->answer == Answer::kNew) ++made;
        if (same && same->answer == Answer::kReplayed) ++replayed;
        const auto counted = store.accept(run_named("run_" + name), "", ten);
        EXPECT_TRUE(counted.has_value()) << message(counted);
        if (counted && counted->answer == Answer::kNew) ++within;
        if (counted && counted->answer == Answer::kOverQuota) ++over;
      });
    }
    threads.clear();
    EXPECT_EQ(made.load(), 1);
    EXPECT_EQ(replayed.load(), 3);
  }
  EXPECT_EQ(within.load(), 10);
  EXPECT_EQ(over.load(), 30);
}

TEST(PostgresGateways, RunsOfOneThatLivesAreNobodyElses) {
  const std::string url = PostgresServer::shared().new_database();
  const auto a = opened(url, "a");
  ASSERT_OK(a->accept(run_named("run_1")));
  ASSERT_OK(a->accept(run_named("run_2")));
  ASSERT_OK(a->started("run_1", kNoonMs));
  const auto b = opened(url, "b");
  let_age(url, "b");
  EXPECT_THAT(ids_of(b->unfinished()), IsEmpty());
  EXPECT_THAT(ids_of(b->abandoned(10)), IsEmpty());
  EXPECT_EQ(*b->started("run_2", kNoonMs), Change::kHadEnded);
  EXPECT_EQ(*a->started("run_2", kNoonMs), Change::kMade);
}

TEST(PostgresGateways, RunsOfOneThatIsGoneAreTakenByOneOther) {
  const std::string url = PostgresServer::shared().new_database();
  const auto a = opened(url, "a");
  for (const std::string id : {"run_1", "run_2", "run_3"}) ASSERT_OK(a->accept(run_named(id)));
  const auto b = opened(url, "b");
  const auto c = opened(url, "c");
  let_die(url, "a");
  // The two have not been there for long themselves: perhaps only the server was away.
  EXPECT_THAT(ids_of(b->abandoned(10)), IsEmpty());
  let_age(url, "b");
  let_age(url, "c");
  EXPECT_THAT(ids_of(b->abandoned(2)), ElementsAre("run_1", "run_2"));
  EXPECT_THAT(ids_of(c->abandoned(2)), ElementsAre("run_3"));
  EXPECT_THAT(ids_of(b->abandoned(2)), IsEmpty());
  // It was alive all the time, and is told when it wants to begin; what it had begun may still end.
  EXPECT_EQ(*a->started("run_1", kNoonMs), Change::kHadEnded);
  EXPECT_EQ(*b->started("run_1", kNoonMs), Change::kMade);
  EXPECT_EQ(*a->finished("run_1", ending_at(kNoonMs)), Change::kMade);
  EXPECT_EQ(*b->finished("run_1", ending_at(kNoonMs)), Change::kHadEnded);
}

TEST(PostgresGateways, WhatStopsHandsItsRunsOnAtOnceAndTakesThemAgainWhenItStarts) {
  const std::string url = PostgresServer::shared().new_database();
  auto a = opened(url, "a");
  ASSERT_OK(a->accept(run_named("run_1")));
  ASSERT_OK(a->accept(run_named("run_2")));
  const auto b = opened(url, "b");
  a.reset();
  EXPECT_THAT(ids_of(b->abandoned(1)), ElementsAre("run_1"));
  a = opened(url, "a");
  EXPECT_THAT(ids_of(a->unfinished()), ElementsAre("run_2"));
}

TEST(PostgresGateways, ADeliveryIsInOneHandAtATime) {
  const std::string url = PostgresServer::shared().new_database();
  auto a = opened(url, "a");
  const auto b = opened(url, "b");
  ASSERT_OK(a->accept(run_named("run_1")));
  const std::string id = *a->enqueue("run_1", "https://example.org/", "{}", kNoonMs);
  ASSERT_EQ(a->due(kNoonMs, 10)->size(), 1U);
  EXPECT_THAT(*b->due(kNoonMs, 10), IsEmpty());
  EXPECT_EQ(a->due(kNoonMs, 10)->size(), 1U) << "it still has it in hand";
  ASSERT_OK(a->not_delivered(id, kNoonMs + 5, "503"));
  EXPECT_EQ(b->due(kNoonMs + 5, 10)->size(), 1U);
  EXPECT_THAT(*a->due(kNoonMs + 5, 10), IsEmpty());
  let_die(url, "b");
  EXPECT_EQ(a->due(kNoonMs + 5, 10)->size(), 1U);
}

TEST(PostgresGateways, SeveralWorkersAskedAtOnceAreToldOfDifferentOnes) {
  const std::string url = PostgresServer::shared().new_database();
  constexpr int kDeliveries = 40;
  std::vector<std::unique_ptr<PostgresStore>> stores;
  for (int i = 0; i < 4; ++i) stores.push_back(opened(url, "home_" + std::to_string(i)));
  ASSERT_OK(stores[0]->accept(run_named("run_1")));
  for (int i = 0; i < kDeliveries; ++i) {
    ASSERT_OK(stores[0]->enqueue("run_1", "https://example.org/", "{}", kNoonMs));
  }
  std::vector<std::vector<std::string>> told(stores.size());
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < stores.size(); ++t) {
      threads.emplace_back([&, t] {
        Busy busy;
        while (true) {
          const auto due = stores[t]->due(kNoonMs, 1, busy);
          EXPECT_TRUE(due.has_value()) << message(due);
          if (!due || due->empty()) return;
          busy.deliveries.push_back(due->front().id);
          told[t].push_back(due->front().id);
        }
      });
    }
  }
  std::vector<std::string> all;
  for (const auto& each : told) all.insert(all.end(), each.begin(), each.end());
  std::ranges::sort(all);
  EXPECT_EQ(all.size(), std::size_t{kDeliveries});
  EXPECT_EQ(std::ranges::unique(all).size(), 0U);
}

TEST(PostgresGateways, ACommandBesideThemTakesNothing) {
  const std::string url = PostgresServer::shared().new_database();
  auto a = opened(url, "a");
  ASSERT_OK(a->accept(run_named("run_1")));
  a.reset();
  const auto command = opened(url, "");
  EXPECT_THAT(ids_of(command->unfinished()), IsEmpty());
  EXPECT_THAT(ids_of(command->abandoned(10)), IsEmpty());
  EXPECT_EQ(command->find("run_1")->state, State::kQueued);
  EXPECT_THAT(ids_of(opened(url, "b")->abandoned(10)), ElementsAre("run_1"));
}

// ---- Days ------------------------------------------------------------------------------------

TEST(PostgresDays, AreMadeAheadAndDroppedWhole) {
  const std::string url = PostgresServer::shared().new_database();
  const auto store = opened(url, "a");
  const std::string days =
      "SELECT count(*) FROM pg_inherits WHERE inhparent = 'belljar.runs'::regclass";
  ASSERT_OK(store->prune({}, kNoonMs));
  EXPECT_EQ(number(url, days), 4) << "today and three more";
  for (int i = 0; i < 3; ++i) {
    const std::string id = "run_" + std::to_string(i);
    ASSERT_OK(store->accept(run_named(id, kNoonMs - 2 * kDayMs + i), "k" + std::to_string(i)));
    const File file{.path = "a", .content = std::string(1000, 'a')};
    ASSERT_OK(store->put_artifacts(id, {&file, 1}));
    ASSERT_OK(store->finished(id, ending_at(kNoonMs - 2 * kDayMs + i)));
  }
  EXPECT_EQ(number(url, days), 5);
  EXPECT_EQ(*store->prune({.max_age_ms = kDayMs}, kNoonMs), 3);
  EXPECT_EQ(number(url, days), 4);
  for (const std::string table : {"places", "submissions", "outcomes", "artifacts", "requests"}) {
    EXPECT_EQ(number(url, "SELECT count(*) FROM belljar." + table), 0) << table;
  }
  EXPECT_EQ(*store->bytes(), 0);
}

TEST(PostgresDays, AreDroppedOnceBySeveralAtOnce) {
  const std::string url = PostgresServer::shared().new_database();
  const auto a = opened(url, "a");
  const auto b = opened(url, "b");
  constexpr int kDays = 6;
  for (int day = 0; day < kDays; ++day) {
    const std::string id = "run_" + std::to_string(day);
    ASSERT_OK(a->accept(run_named(id, kNoonMs + day * kDayMs)));
    ASSERT_OK(a->finished(id, ending_at(kNoonMs + day * kDayMs)));
  }
  std::atomic<std::int64_t> pruned = 0;
  {
    std::vector<std::jthread> threads;
    for (PostgresStore* const store : {a.get(), b.get()}) {
      threads.emplace_back([&pruned, store] {
        const auto done = store->prune({.max_age_ms = kDayMs}, kNoonMs + 20 * kDayMs);
        EXPECT_TRUE(done.has_value()) << message(done);
        if (done) pruned += *done;
      });
    }
  }
  EXPECT_EQ(pruned.load(), kDays);
  EXPECT_EQ(*a->bytes(), 0);
}

TEST(PostgresDays, OneThatHoldsARunThatLivesLosesTheOthers) {
  const std::string url = PostgresServer::shared().new_database();
  const auto store = opened(url, "a");
  ASSERT_OK(store->accept(run_named("run_1")));
  ASSERT_OK(store->accept(run_named("run_2")));
  ASSERT_OK(store->finished("run_2", ending_at(kNoonMs)));
  EXPECT_EQ(*store->prune({.max_age_ms = kDayMs}, kNoonMs + 9 * kDayMs), 1);
  EXPECT_EQ(store->find("run_1")->state, State::kQueued);
}

TEST(PostgresDays, AreDroppedWhileOthersAreWrittenTo) {
  const std::string url = PostgresServer::shared().new_database();
  const auto store = opened(url, "a");
  const auto other = opened(url, "b");
  std::atomic<bool> stop = false;
  std::atomic<int> written = 0;
  std::jthread writer([&] {
    for (int i = 0; !stop; ++i) {
      const std::string id = "new_" + std::to_string(i);
      const auto accepted = other->accept(run_named(id, kNoonMs + 9 * kDayMs));
      EXPECT_TRUE(accepted.has_value()) << message(accepted);
      const auto finished = other->finished(id, ending_at(kNoonMs + 9 * kDayMs));
      EXPECT_TRUE(finished.has_value()) << message(finished);
      ++written;
    }
  });
  for (int day = 0; day < 5; ++day) {
    const std::string id = "old_" + std::to_string(day);
    ASSERT_OK(store->accept(run_named(id, kNoonMs + day * kDayMs)));
    ASSERT_OK(store->finished(id, ending_at(kNoonMs + day * kDayMs)));
    EXPECT_EQ(*store->prune({.max_age_ms = kDayMs}, kNoonMs + (day + 2) * kDayMs), 1);
  }
  stop = true;
  writer.join();
  EXPECT_GT(written.load(), 0);
  EXPECT_EQ(number(url, "SELECT count(*) FROM belljar.runs"), written.load());
}

// ---- A server that is away -------------------------------------------------------------------

TEST(PostgresAway, IsAnErrorUntilItIsBackAndNothingIsOpenedAgain) {
  PostgresServer server;
  const std::string url = server.new_database();
  const auto store = opened(url, "a");
  ASSERT_OK(store->accept(run_named("run_1"), "k"));
  server.stop();
  EXPECT_CODE(Code::kExhausted, store->accept(run_named("run_2")));
  EXPECT_CODE(Code::kExhausted, store->find("run_1"));
  EXPECT_CODE(Code::kExhausted, store->finished("run_1", ending_at(kNoonMs)));
  EXPECT_CODE(Code::kExhausted, store->check_key("bj_" + std::string(64, 'a'), kNoonMs));
  EXPECT_CODE(Code::kExhausted, PostgresStore::open({.connection = {.url = url}, .home = "b"}));
  server.start();
  // The last refusal is told for a moment longer.
  Result<Change> ended = store->finished("run_1", ending_at(kNoonMs));
  for (int i = 0; i < 200 && !ended; ++i) {
    std::this_thread::sleep_for(milliseconds(50));
    ended = store->finished("run_1", ending_at(kNoonMs));
  }
  ASSERT_OK(ended);
  EXPECT_EQ(*ended, Change::kMade);
  EXPECT_EQ(store->accept(run_named("run_3"), "k")->answer, Answer::kReplayed);
  EXPECT_CODE(Code::kNotFound, store->find("run_2"));
}

TEST(PostgresAway, WhatWasAcceptedSurvivesACrashOfTheServer) {
  PostgresServer server;
  const std::string url = server.new_database();
  const auto store = opened(url, "a");
  constexpr std::size_t kThreads = 4;
  std::vector<std::vector<std::string>> accepted(kThreads);
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 10'000; ++i) {
          const std::string id = "run_" + std::to_string(t) + "_" + std::to_string(i);
          // Half of them as the service records what is answered with its end.
          const bool done = i % 2 == 0
                                ? store->accept(run_named(id)).has_value()
                                : store->record(run_named(id), ending_at(kNoonMs), {}).has_value();
          if (!done) return;
          accepted[t].push_back(id);
        }
      });
    }
    while (number(url, "SELECT count(*) FROM belljar.runs") < 50) {
      std::this_thread::sleep_for(milliseconds(5));
    }
    server.stop(SIGQUIT);
  }
  server.start();
  const auto after = opened(url, "b");
  int lost = 0;
  std::size_t all = 0;
  for (const auto& ids : accepted) {
    all += ids.size();
    for (const std::string& id : ids) lost += after->find(id) ? 0 : 1;
  }
  EXPECT_GE(all, 40U);
  EXPECT_EQ(lost, 0);
}

// The server goes on with what its client has given up: nobody can tell whether it was done.
TEST(PostgresAway, WhatNobodyCanTellIsFoundAgain) {
  PostgresServer server;
  const std::string url = server.new_database();
  const auto store = opened(url, "a", {.statement_timeout = milliseconds(300)});
  ASSERT_OK(store->prune({}, kNoonMs));
  std::vector<pid_t> backends;
  {
    auto connection = postgres::Connection::open({.url = url});
    ASSERT_TRUE(connection.has_value());
    const auto rows = connection->query(
        {"SELECT pid::int8 FROM pg_stat_activity WHERE application_name = 'belljar' AND pid <> "
         "pg_backend_pid()"});
    ASSERT_TRUE(rows.has_value());
    for (int row = 0; row < rows->size(); ++row) {
      backends.push_back(static_cast<pid_t>(rows->integer(row, 0)));
    }
  }
  ASSERT_FALSE(backends.empty());
  for (const pid_t each : backends) ::kill(each, SIGSTOP);
  EXPECT_CODE(Code::kExhausted, store->accept(run_named("run_1")));
  for (const pid_t each : backends) ::kill(each, SIGCONT);
  Result<std::vector<ledger::Run>> found = store->abandoned(10);
  for (int i = 0; i < 100 && (!found || found->empty()); ++i) {
    std::this_thread::sleep_for(milliseconds(50));
    found = store->abandoned(10);
  }
  EXPECT_THAT(ids_of(found), ElementsAre("run_1"));
  // Whoever accepts it again is told that it is accepted now.
  const Result<Accepted> again = store->accept(run_named("run_1"));
  ASSERT_OK(again);
  EXPECT_EQ(again->answer, Answer::kNew);
  EXPECT_CODE(Code::kInvalid, store->accept(run_named("run_1")));
  ASSERT_OK(store->started("run_1", kNoonMs));
  EXPECT_THAT(ids_of(store->abandoned(10)), IsEmpty());
}

TEST(PostgresAway, SlowIsAnErrorToo) {
  const std::string url = PostgresServer::shared().new_database();
  const auto store = opened(url, "a", {.statement_timeout = milliseconds(200)});
  ASSERT_OK(store->accept(run_named("run_1")));
  {
    auto holder = postgres::Connection::open({.url = url});
    ASSERT_TRUE(holder.has_value());
    ASSERT_TRUE(holder->script("BEGIN; LOCK TABLE runs").has_value());
    const auto slow = store->accept(run_named("run_2"));
    EXPECT_CODE(Code::kExhausted, slow);
    EXPECT_THAT(slow.error().message, HasSubstr("slow"));
  }
  Result<Accepted> accepted = store->accept(run_named("run_2"));
  for (int i = 0; i < 100 && !accepted; ++i) {  // until the server has noticed that the other went
    std::this_thread::sleep_for(milliseconds(20));
    accepted = store->accept(run_named("run_2"));
  }
  ASSERT_OK(accepted);
  EXPECT_EQ(accepted->answer, Answer::kNew);
}

TEST(PostgresAway, FewConnectionsServeManyThreads) {
  const std::string url = PostgresServer::shared().new_database();
  const auto store = opened(url, "a", {.connections = 2});
  std::atomic<int> failures = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 12; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 10; ++i) {
          const std::string id = "run_" + std::to_string(t) + "_" + std::to_string(i);
          if (!store->accept(run_named(id))) ++failures;
        }
      });
    }
  }
  EXPECT_EQ(failures.load(), 0);
  EXPECT_EQ(number(url, "SELECT count(*) FROM belljar.runs"), 120);
  EXPECT_LE(number(url,
                   "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                   "pid <> pg_backend_pid()"),
            2);
}

// Of a disk of the server's own, that is taken away and given back in the server's mount namespace.
TEST(PostgresAway, AFullDiskIsAnErrorUntilThereIsRoom) {
  const TemporaryFolder folder;
  if (::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=160m,mode=777") != 0) {
    GTEST_SKIP() << "no tmpfs can be mounted here";
  }
  {
    PostgresServer server({"max_wal_size=32MB", "min_wal_size=32MB"}, folder.path() + "/");
    const std::string url = server.new_database();
    const auto store = opened(url, "a");
    ledger::Run large = run_named("run_first");
    ASSERT_OK(store->accept(large));
    std::vector<std::string> accepted{"run_first"};
    Result<Accepted> last = Accepted();
    for (int i = 0; i < 2000 && last; ++i) {
      large = run_named("run_" + std::to_string(i));
      // What cannot be compressed.
      for (int j = 0; j < 4000; ++j) large.submission += new_id("");
      last = store->accept(large);
      if (last) accepted.push_back(large.id);
    }
    EXPECT_CODE(Code::kExhausted, last);
    ASSERT_EQ(::mount("tmpfs", folder.path().c_str(), "tmpfs", MS_REMOUNT, "size=640m,mode=777"),
              0);
    // A server that could not write its log any more has ended, and is started again by its
    // operator.
    server.start_again();
    last = store->accept(run_named("run_last"));
    for (int i = 0; i < 300 && !last; ++i) {
      std::this_thread::sleep_for(milliseconds(50));
      last = store->accept(run_named("run_last"));
    }
    ASSERT_OK(last);
    for (const std::string& id : accepted) EXPECT_TRUE(store->find(id).has_value()) << id;
  }
  ::umount(folder.path().c_str());
}

TEST(PostgresUrls, SayWhichPortsTheyLeadTo) {
  EXPECT_THAT(*postgres::ports("postgresql://ada@db/ledger"), ElementsAre(5432));
  EXPECT_THAT(*postgres::ports("postgresql://ada@a:5433,b:5434/ledger?sslmode=verify-full"),
              UnorderedElementsAre(5433, 5434, 5432));
  EXPECT_CODE(Code::kInvalid, postgres::ports("postgresql://ada@db/ledger?nonsense=1"));
}

}  // namespace
}  // namespace belljar::ledger
