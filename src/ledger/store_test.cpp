// What every implementation of Store does.
#include "ledger/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "ledger/postgres_server.h"
#include "ledger/postgres_store.h"
#include "ledger/sqlite_store.h"
#include "ledger/test_support.h"

namespace belljar::ledger {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Answer = Accepted::Answer;

// One of these for each implementation.
class SqliteMaker {
 public:
  Result<std::unique_ptr<Store>> open() {
    TRY_ASSIGN(std::unique_ptr<SqliteStore> store, SqliteStore::open(folder_.file()));
    return store;
  }

 private:
  TemporaryFolder folder_;
};

template <typename Maker>
class Stores : public testing::Test {
 protected:
  void SetUp() override { reopen(); }
  void reopen() {
    store_.reset();
    Result<std::unique_ptr<Store>> opened = maker_.open();
    ASSERT_OK(opened);
    store_ = *std::move(opened);
  }
  std::vector<std::string> ids_of(const Filter& filter, int limit = kMaxPage) {
    std::vector<std::string> ids;
    std::string cursor;
    do {
      const Result<Page> page = store_->list(filter, cursor, limit);
      EXPECT_TRUE(page.has_value()) << message(page);
      if (!page) break;
      for (const auto& run : page->runs) ids.push_back(run.id);
      cursor = page->next;
    } while (!cursor.empty());
    return ids;
  }

  Maker maker_;
  std::unique_ptr<Store> store_;
};

class PostgresMaker {
 public:
  Result<std::unique_ptr<Store>> open() {
    TRY_ASSIGN(std::unique_ptr<PostgresStore> store,
               PostgresStore::open({.connection = {.url = database_}, .home = "home"}));
    return store;
  }

 private:
  const std::string database_ = PostgresServer::shared().new_database();
};

using Makers = testing::Types<SqliteMaker, PostgresMaker>;
TYPED_TEST_SUITE(Stores, Makers);

// ---- Runs ------------------------------------------------------------------------------------

TYPED_TEST(Stores, ARunIsThereAfterTheStoreWasClosed) {
  ledger::Run run = run_named("run_1");
  run.batch = "bat_1";
  run.session = "ses_1";
  run.webhook = "https://example.org/hook";
  run.submission = std::string("{\"stdin\":\"\xc3\xa9\"}\0\n", 16);
  ASSERT_OK(this->store_->accept(run));
  this->reopen();
  const Result<ledger::Run> found = this->store_->find("run_1");
  ASSERT_OK(found);
  EXPECT_EQ(*found, run);
}

TYPED_TEST(Stores, ARunGoesFromQueuedOverRunningToItsEnd) {
  ASSERT_OK(this->store_->accept(run_named("run_1")));
  EXPECT_EQ(*this->store_->started("run_1", kNoonMs + 5), Change::kMade);
  Result<ledger::Run> run = this->store_->find("run_1");
  ASSERT_OK(run);
  EXPECT_EQ(run->state, State::kRunning);
  EXPECT_EQ(run->attempts, 1);
  EXPECT_EQ(run->started_ms, kNoonMs + 5);

  EXPECT_EQ(*this->store_->started("run_1", kNoonMs + 6), Change::kMade);
  EXPECT_EQ(*this->store_->finished("run_1", ending_at(kNoonMs + 7)), Change::kMade);
  run = this->store_->find("run_1");
  ASSERT_OK(run);
  EXPECT_EQ(run->state, State::kDone);
  EXPECT_EQ(run->attempts, 2);
  EXPECT_EQ(run->status, "ok");
  EXPECT_EQ(run->reason, "exit code 0");
  EXPECT_EQ(run->outcome, R"({"status":"ok"})");
  EXPECT_EQ(run->finished_ms, kNoonMs + 7);
}

TYPED_TEST(Stores, AnAttemptThatIsToldTwiceIsCountedOnce) {
  ASSERT_OK(this->store_->accept(run_named("run_1")));
  for (const auto& [attempt, counted] : {std::pair(1, 1), {1, 1}, {3, 3}, {2, 3}, {0, 4}}) {
    ASSERT_OK(this->store_->started("run_1", kNoonMs, attempt));
    EXPECT_EQ(this->store_->find("run_1")->attempts, counted) << attempt;
  }
}

TYPED_TEST(Stores, TheFirstEndCounts) {
  ASSERT_OK(this->store_->accept(run_named("run_1")));
  EXPECT_EQ(*this->store_->finished("run_1", ending_at(kNoonMs + 1, State::kCancelled)),
            Change::kMade);
  EXPECT_EQ(*this->store_->finished("run_1", ending_at(kNoonMs + 2)), Change::kHadEnded);
  EXPECT_EQ(*this->store_->started("run_1", kNoonMs + 3), Change::kHadEnded);
  const Result<ledger::Run> run = this->store_->find("run_1");
  ASSERT_OK(run);
  EXPECT_EQ(run->state, State::kCancelled);
  EXPECT_EQ(run->finished_ms, kNoonMs + 1);
  EXPECT_EQ(run->attempts, 0);
}

TYPED_TEST(Stores, ARunDoesNotEndAsQueuedOrRunning) {
  ASSERT_OK(this->store_->accept(run_named("run_1")));
  EXPECT_CODE(Code::kInvalid, this->store_->finished("run_1", ending_at(1, State::kQueued)));
  EXPECT_CODE(Code::kInvalid, this->store_->finished("run_1", ending_at(1, State::kRunning)));
  EXPECT_EQ(this->store_->find("run_1")->state, State::kQueued);
}

TYPED_TEST(Stores, AnUnknownRunIsNotFound) {
  EXPECT_CODE(Code::kNotFound, this->store_->find("run_1"));
  EXPECT_CODE(Code::kNotFound, this->store_->started("run_1", 1));
  EXPECT_CODE(Code::kNotFound, this->store_->finished("run_1", ending_at(1)));
  EXPECT_CODE(Code::kNotFound, this->store_->remove("run_1"));
  EXPECT_CODE(Code::kNotFound, this->store_->artifacts("run_1"));
  EXPECT_CODE(Code::kNotFound, this->store_->artifact("run_1", "a"));
  EXPECT_CODE(Code::kNotFound, this->store_->put_artifacts("run_1", {}));
  EXPECT_CODE(Code::kNotFound, this->store_->enqueue("run_1", "https://example.org", "{}", 1));
}

TYPED_TEST(Stores, ARequestThatIsWrongIsRefusedAndRecordsNothing) {
  ledger::Run fine = run_named("run_1");
  const auto refused = [&](const std::vector<ledger::Run>& runs, const std::string& key = {}) {
    EXPECT_CODE(Code::kInvalid, this->store_->accept(runs, key, {}));
  };
  for (const std::string id : {"", "a/b", "a.b", "a b", "\xc3\xa9"}) refused({run_named(id)});
  refused({run_named(std::string(65, 'a'))});
  refused({run_named("run_1", 0)});
  refused({});
  refused({fine}, std::string(256, 'k'));
  ledger::Run of_another = run_named("run_2");
  of_another.caller = "key_bob";
  refused({fine, of_another});
  refused({fine, run_named("run_2", kNoonMs + 1)});
  refused({fine, fine});
  ledger::Run of_nobody = fine;
  of_nobody.caller = "";
  refused({of_nobody});
  EXPECT_THAT(this->ids_of({}), IsEmpty());

  ASSERT_OK(this->store_->accept(fine));
  refused({run_named("run_2"), fine});
  EXPECT_THAT(this->ids_of({}), ElementsAre("run_1"));
}

TYPED_TEST(Stores, UnfinishedAreInTheOrderOfAcceptance) {
  for (const std::string id : {"run_c", "run_a", "run_d", "run_b"}) {
    ASSERT_OK(this->store_->accept(run_named(id)));
  }
  ASSERT_OK(this->store_->started("run_a", kNoonMs));
  ASSERT_OK(this->store_->finished("run_d", ending_at(kNoonMs)));
  this->reopen();
  const Result<std::vector<ledger::Run>> unfinished = this->store_->unfinished();
  ASSERT_OK(unfinished);
  std::vector<std::string> ids;
  for (const auto& run : *unfinished) ids.push_back(run.id);
  EXPECT_THAT(ids, ElementsAre("run_c", "run_a", "run_b"));
}

TYPED_TEST(Stores, OnlyAnEndedRunIsRemovedAndEverythingWithIt) {
  ASSERT_OK(this->store_->accept(run_named("run_1"), "again"));
  EXPECT_CODE(Code::kDenied, this->store_->remove("run_1"));
  ASSERT_OK(this->store_->started("run_1", kNoonMs));
  EXPECT_CODE(Code::kDenied, this->store_->remove("run_1"));
  const File file{.path = "a.txt", .content = "a"};
  ASSERT_OK(this->store_->put_artifacts("run_1", {&file, 1}));
  ASSERT_OK(this->store_->enqueue("run_1", "https://example.org", "{}", kNoonMs));
  ASSERT_OK(this->store_->finished("run_1", ending_at(kNoonMs)));
  ASSERT_OK(this->store_->remove("run_1"));
  EXPECT_CODE(Code::kNotFound, this->store_->find("run_1"));
  EXPECT_THAT(*this->store_->due(kNoonMs, 10), IsEmpty());
  // Its names are free again, and nothing of the old one shows.
  EXPECT_EQ(this->store_->accept(run_named("run_1"), "again")->answer, Answer::kNew);
  EXPECT_THAT(*this->store_->artifacts("run_1"), IsEmpty());
}

// ---- Idempotency and quotas ------------------------------------------------------------------

TYPED_TEST(Stores, ARepeatedRequestIsToldFromANewOne) {
  const ledger::Run run = run_named("run_1");
  const Result<Accepted> first = this->store_->accept(run, "k");
  ASSERT_OK(first);
  EXPECT_EQ(first->answer, Answer::kNew);
  EXPECT_EQ(first->id, "run_1");

  const Result<Accepted> again = this->store_->accept(run_named("run_2"), "k");
  ASSERT_OK(again);
  EXPECT_EQ(again->answer, Answer::kReplayed);
  EXPECT_EQ(again->id, "run_1");

  ledger::Run other = run_named("run_3");
  other.submission += " ";
  const Result<Accepted> conflict = this->store_->accept(other, "k");
  ASSERT_OK(conflict);
  EXPECT_EQ(conflict->answer, Answer::kConflict);
  EXPECT_EQ(conflict->id, "run_1");

  // Another key, another caller, no key at all: new ones.
  EXPECT_EQ(this->store_->accept(run_named("run_4"), "K")->answer, Answer::kNew);
  ledger::Run of_bob = run_named("run_5");
  of_bob.caller = "key_bob";
  EXPECT_EQ(this->store_->accept(of_bob, "k")->answer, Answer::kNew);
  EXPECT_EQ(this->store_->accept(run_named("run_6"))->answer, Answer::kNew);
  EXPECT_EQ(this->ids_of({}).size(), 4U);
}

TYPED_TEST(Stores, AnEarlierRequestIsFoundWithoutANewOne) {
  const ledger::Run run = run_named("run_1");
  ASSERT_OK(this->store_->accept(run, "k"));
  const auto asked = [&](const ledger::Run& each, std::string_view key = "k") {
    return this->store_->earlier(each, key).value();
  };
  const ledger::Run again = run_named("run_2");
  ASSERT_TRUE(asked(again));
  EXPECT_EQ(asked(again)->answer, Answer::kReplayed);
  EXPECT_EQ(asked(again)->id, "run_1");
  ledger::Run other = again;
  other.submission += " ";
  EXPECT_EQ(asked(other)->answer, Answer::kConflict);
  EXPECT_EQ(asked(other)->id, "run_1");
  EXPECT_FALSE(asked(again, "K"));
  ledger::Run of_bob = again;
  of_bob.caller = "key_bob";
  EXPECT_FALSE(asked(of_bob));
  EXPECT_TRUE(asked(run_named("run_3", kNoonMs + kIdempotencyMs - 1)));
  EXPECT_FALSE(asked(run_named("run_3", kNoonMs + kIdempotencyMs)));
  EXPECT_EQ(this->ids_of({}).size(), 1U);
}

TYPED_TEST(Stores, ARequestMayBeToldByOtherThanWhatIsKept) {
  ledger::Run first = run_named("run_1");
  first.request = "the same";
  ASSERT_OK(this->store_->accept(first, "k"));
  ledger::Run again = run_named("run_2");
  again.request = "the same";
  again.submission = "{}";
  EXPECT_EQ(this->store_->accept(again, "k")->answer, Answer::kReplayed);
  EXPECT_EQ(this->store_->find("run_1")->submission, first.submission);
  again.request = "another";
  EXPECT_EQ(this->store_->accept(again, "k")->answer, Answer::kConflict);
}

TYPED_TEST(Stores, AnIdempotencyKeyIsFreeAgainAfterItsTime) {
  ASSERT_OK(this->store_->accept(run_named("run_1"), "k"));
  const std::int64_t end = kNoonMs + kIdempotencyMs;
  EXPECT_EQ(this->store_->accept(run_named("run_2", end - 1), "k")->answer, Answer::kReplayed);
  EXPECT_EQ(this->store_->accept(run_named("run_3", end), "k")->answer, Answer::kNew);
  EXPECT_EQ(this->store_->accept(run_named("run_4", end + 1), "k")->id, "run_3");
}

TYPED_TEST(Stores, ABatchIsAcceptedWholeAndReplayedWhole) {
  std::vector<ledger::Run> runs;
  for (int i = 0; i < 5; ++i) {
    runs.push_back(run_named("run_" + std::to_string(i)));
    runs.back().batch = "bat_1";
    runs.back().submission = std::to_string(i);
  }
  EXPECT_EQ(this->store_->accept(runs, "k", {})->answer, Answer::kNew);
  EXPECT_EQ(this->store_->accept(runs, "k", {})->answer, Answer::kReplayed);
  std::swap(runs[1].submission, runs[2].submission);
  EXPECT_EQ(this->store_->accept(runs, "k", {})->answer, Answer::kConflict);
  EXPECT_EQ(this->ids_of({.batch = "bat_1"}).size(), 5U);
}

TYPED_TEST(Stores, AQuotaIsOfOneDayAndOneSubject) {
  const std::vector<Quota> two = {{.subject = "key_ada", .per_day = 2}};
  EXPECT_EQ(this->store_->accept(run_named("run_1"), "", two)->answer, Answer::kNew);
  EXPECT_EQ(this->store_->accept(run_named("run_2"), "", two)->answer, Answer::kNew);
  const Result<Accepted> over = this->store_->accept(run_named("run_3"), "", two);
  ASSERT_OK(over);
  EXPECT_EQ(over->answer, Answer::kOverQuota);
  EXPECT_EQ(over->subject, "key_ada");
  EXPECT_CODE(Code::kNotFound, this->store_->find("run_3"));
  EXPECT_EQ(*this->store_->used("key_ada", kNoonMs), 2);

  // Removing a run gives nothing back; the next day does.
  ASSERT_OK(this->store_->finished("run_1", ending_at(kNoonMs)));
  ASSERT_OK(this->store_->remove("run_1"));
  EXPECT_EQ(*this->store_->used("key_ada", kNoonMs), 2);
  EXPECT_EQ(*this->store_->used("key_bob", kNoonMs), 0);
  const ledger::Run tomorrow = run_named("run_4", kNoonMs + kDayMs);
  EXPECT_EQ(this->store_->accept(tomorrow, "", two)->answer, Answer::kNew);
}

TYPED_TEST(Stores, WhatIsRefusedByOneQuotaCountsForNone) {
  const std::vector<Quota> quotas = {{.subject = "user:ada", .per_day = 0},
                                     {.subject = "key_ada", .per_day = 3}};
  std::vector<ledger::Run> runs = {run_named("run_1"), run_named("run_2")};
  EXPECT_EQ(this->store_->accept(runs, "", quotas)->answer, Answer::kNew);
  runs = {run_named("run_3"), run_named("run_4")};
  EXPECT_EQ(this->store_->accept(runs, "", quotas)->answer, Answer::kOverQuota);
  EXPECT_EQ(*this->store_->used("user:ada", kNoonMs), 2);
  EXPECT_EQ(*this->store_->used("key_ada", kNoonMs), 2);
  // A replay costs nothing.
  EXPECT_EQ(this->store_->accept(run_named("run_5"), "k", quotas)->answer, Answer::kNew);
  EXPECT_EQ(this->store_->accept(run_named("run_6"), "k", quotas)->answer, Answer::kReplayed);
  EXPECT_EQ(*this->store_->used("user:ada", kNoonMs), 3);
}

// ---- Lists -----------------------------------------------------------------------------------

TYPED_TEST(Stores, AListIsNewestFirstWithoutTheLargeParts) {
  ASSERT_OK(this->store_->accept(run_named("run_old", kNoonMs - 10)));
  ASSERT_OK(this->store_->accept(run_named("run_new", kNoonMs)));
  ASSERT_OK(this->store_->accept(run_named("run_mid", kNoonMs - 5)));
  EXPECT_THAT(this->ids_of({}), ElementsAre("run_new", "run_mid", "run_old"));
  const Result<Page> page = this->store_->list({}, "", 2);
  ASSERT_OK(page);
  EXPECT_EQ(page->runs.size(), 2U);
  EXPECT_EQ(page->runs[0].submission, "");
  EXPECT_EQ(page->runs[0].language, "python");
}

TYPED_TEST(Stores, EachFilterLeavesOutTheOthers) {
  ledger::Run wanted = run_named("run_1");
  wanted.caller = "ip:::1";
  wanted.language = "c";
  wanted.batch = "bat_1";
  ASSERT_OK(this->store_->accept(wanted));
  ASSERT_OK(this->store_->started("run_1", kNoonMs));
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK(this->store_->accept(run_named("other_" + std::to_string(i), kNoonMs + 100)));
  }
  EXPECT_THAT(this->ids_of({.caller = "ip:::1"}), ElementsAre("run_1"));
  EXPECT_THAT(this->ids_of({.state = State::kRunning}), ElementsAre("run_1"));
  EXPECT_THAT(this->ids_of({.language = "c"}), ElementsAre("run_1"));
  EXPECT_THAT(this->ids_of({.batch = "bat_1"}), ElementsAre("run_1"));
  EXPECT_THAT(this->ids_of({.until_ms = kNoonMs + 100}), ElementsAre("run_1"));
  EXPECT_EQ(this->ids_of({.since_ms = kNoonMs + 100}).size(), 3U);
  EXPECT_EQ(this->ids_of({.since_ms = kNoonMs}).size(), 4U);
  EXPECT_THAT(this->ids_of({.caller = "ip:::1",
                            .state = State::kRunning,
                            .language = "c",
                            .batch = "bat_1",
                            .since_ms = kNoonMs,
                            .until_ms = kNoonMs + 1},
                           1),
              ElementsAre("run_1"));
  EXPECT_THAT(this->ids_of({.caller = "ip:::1", .state = State::kLost}), IsEmpty());
  EXPECT_THAT(this->ids_of({.language = "c' OR 1 --"}), IsEmpty());
}

TYPED_TEST(Stores, ExecutionsAreListedForTheirSessionAlone) {
  for (const std::string& session : {"ses_1", "ses_2"}) {
    for (const std::string& id : {session, session + "_a", session + "_b"}) {
      ledger::Run run = run_named(id);
      run.session = session;
      ASSERT_OK(this->store_->accept(run));
    }
  }
  ASSERT_OK(this->store_->accept(run_named("run_1")));
  EXPECT_THAT(this->ids_of({}), ElementsAre("run_1"));
  EXPECT_THAT(this->ids_of({.caller = "key_ada"}), ElementsAre("run_1"));
  EXPECT_THAT(this->ids_of({.session = "ses_1"}, 1), ElementsAre("ses_1_b", "ses_1_a"));
  EXPECT_THAT(this->ids_of({.caller = "key_bob", .session = "ses_1"}), IsEmpty());
  EXPECT_EQ(this->store_->find("ses_1")->session, "ses_1");
  this->reopen();
  EXPECT_EQ(this->store_->unfinished()->size(), 7U);

  // One that is recorded only when it is over has its session too.
  ledger::Run late = run_named("ses_1_c");
  late.session = "ses_1";
  ASSERT_OK(this->store_->record(late, ending_at(kNoonMs), {}));
  EXPECT_THAT(this->ids_of({.state = State::kDone, .session = "ses_1"}), ElementsAre("ses_1_c"));
}

TYPED_TEST(Stores, PagesStayWhatTheyAreWhileRunsComeAndGo) {
  std::vector<std::string> expected;
  for (int i = 0; i < 40; ++i) {
    const std::string id = "run_" + std::to_string(100 + i);
    // Several in one millisecond.
    ASSERT_OK(this->store_->accept(run_named(id, kNoonMs + i / 4)));
    expected.push_back(id);
  }
  std::ranges::reverse(expected);
  std::vector<std::string> seen;
  std::string cursor;
  int added = 0;
  do {
    const Result<Page> page = this->store_->list({}, cursor, 3);
    ASSERT_OK(page);
    for (const auto& run : page->runs) seen.push_back(run.id);
    cursor = page->next;
    // A newer one comes, and the very one that the cursor was made of goes.
    ASSERT_OK(this->store_->accept(run_named("new_" + std::to_string(added++), kNoonMs + 1000)));
    ASSERT_OK(this->store_->finished(seen.back(), ending_at(kNoonMs)));
    ASSERT_OK(this->store_->remove(seen.back()));
  } while (!cursor.empty());
  EXPECT_EQ(seen, expected);
}

TYPED_TEST(Stores, ACursorOrALimitThatIsWrongIsRefused) {
  ASSERT_OK(this->store_->accept(run_named("run_1")));
  for (const std::string cursor : {"x", ".", "1", "1.", ".run_1", "-1.run_1", "1.a/b",
                                   "99999999999999999999.run_1", "0.a", "1.run_1 ", " 1.run_1"}) {
    EXPECT_CODE(Code::kInvalid, this->store_->list({}, cursor, 10));
  }
  EXPECT_CODE(Code::kInvalid, this->store_->list({}, "", 0));
  EXPECT_CODE(Code::kInvalid, this->store_->list({}, "", kMaxPage + 1));
}

// ---- Retention -------------------------------------------------------------------------------

// One run a day, so that it is the same whether a ledger forgets runs or days.
TYPED_TEST(Stores, PruneByAgeForgetsOnlyWhatEndedBefore) {
  constexpr int kDays = 12;
  for (int i = 0; i < kDays; ++i) {
    const std::string id = "run_" + std::to_string(i);
    const std::int64_t created_ms = kNoonMs + i * kDayMs;
    ASSERT_OK(this->store_->accept(run_named(id, created_ms), "key_" + id));
    if (i != 0) ASSERT_OK(this->store_->finished(id, ending_at(created_ms + 1)));
  }
  const Result<std::int64_t> none = this->store_->prune({.max_age_ms = 2 * kDayMs}, kNoonMs);
  ASSERT_OK(none);
  EXPECT_EQ(*none, 0);
  const std::int64_t held = *this->store_->bytes();
  const Result<std::int64_t> pruned =
      this->store_->prune({.max_age_ms = 2 * kDayMs}, kNoonMs + 10 * kDayMs);
  ASSERT_OK(pruned);
  EXPECT_EQ(*pruned, 7);
  EXPECT_LE(*this->store_->bytes(), held);
  EXPECT_THAT(this->ids_of({}), ElementsAre("run_11", "run_10", "run_9", "run_8", "run_0"))
      << "what has not ended is never forgotten";
  EXPECT_CODE(Code::kNotFound, this->store_->find("run_3"));
  EXPECT_EQ(*this->store_->prune({}, kNoonMs + 100 * kDayMs), 0) << "no limit is no limit";
  // The names of what was forgotten are free, of the day too.
  EXPECT_EQ(this->store_->accept(run_named("run_3", kNoonMs + 3 * kDayMs), "key_run_3")->answer,
            Answer::kNew);
}

TYPED_TEST(Stores, PruneBySizeForgetsTheOldestUntilItFits) {
  const std::string content(256 * 1024, 'a');
  for (int i = 0; i < 20; ++i) {
    const std::string id = "run_" + std::to_string(i);
    ASSERT_OK(this->store_->accept(run_named(id, kNoonMs + i)));
    const File file{.path = "big", .content = content};
    ASSERT_OK(this->store_->put_artifacts(id, {&file, 1}));
    if (i != 0) ASSERT_OK(this->store_->finished(id, ending_at(kNoonMs + i)));
  }
  constexpr std::int64_t kMax = 2 * 1024 * 1024;
  EXPECT_GT(*this->store_->bytes(), 5'000'000);
  const Result<std::int64_t> pruned = this->store_->prune({.max_bytes = kMax}, kNoonMs);
  ASSERT_OK(pruned);
  EXPECT_LE(*this->store_->bytes(), kMax);
  EXPECT_GT(*this->store_->bytes(), kMax - 600 * 1024) << "no more than needed";
  const std::vector<std::string> left = this->ids_of({});
  EXPECT_EQ(std::ssize(left), 20 - *pruned);
  EXPECT_EQ(left.front(), "run_19");
  EXPECT_EQ(left.back(), "run_0");
  // What has not ended stays, also where it alone is too much.
  ASSERT_OK(this->store_->prune({.max_bytes = 1}, kNoonMs));
  EXPECT_THAT(this->ids_of({}), ElementsAre("run_0"));
}

TYPED_TEST(Stores, ARunWhoseDeliveryIsPendingIsKept) {
  ASSERT_OK(this->store_->accept(run_named("run_1")));
  const Result<std::string> delivery =
      this->store_->enqueue("run_1", "https://example.org", "{}", kNoonMs);
  ASSERT_OK(delivery);
  ASSERT_OK(this->store_->finished("run_1", ending_at(kNoonMs)));
  const Retention strict{.max_age_ms = 1, .max_bytes = 1};
  EXPECT_EQ(*this->store_->prune(strict, kNoonMs + kDayMs), 0);
  ASSERT_OK(this->store_->delivered(*delivery));
  EXPECT_EQ(*this->store_->prune(strict, kNoonMs + kDayMs), 1);
}

// ---- Artifacts -------------------------------------------------------------------------------

TYPED_TEST(Stores, ArtifactsComeBackByteForByte) {
  ASSERT_OK(this->store_->accept(run_named("run_1")));
  EXPECT_THAT(*this->store_->artifacts("run_1"), IsEmpty());
  std::string every;
  for (int i = 0; i < 70'000; ++i) every += static_cast<char>(i);
  const std::vector<File> files = {{.path = "z/out.bin", .content = every, .executable = true},
                                   {.path = "empty", .content = ""}};
  ASSERT_OK(this->store_->put_artifacts("run_1", files));
  this->reopen();
  EXPECT_THAT(*this->store_->artifacts("run_1"),
              ElementsAre(ArtifactInfo{.path = "empty", .size = 0, .executable = false},
                          ArtifactInfo{.path = "z/out.bin", .size = 70'000, .executable = true}));
  EXPECT_EQ(*this->store_->artifact("run_1", "z/out.bin"), files[0]);
  EXPECT_EQ(*this->store_->artifact("run_1", "empty"), files[1]);
  EXPECT_CODE(Code::kNotFound, this->store_->artifact("run_1", "z"));
}

TYPED_TEST(Stores, ArtifactsAreReplacedTogetherOrNotAtAll) {
  ASSERT_OK(this->store_->accept(run_named("run_1")));
  const std::vector<File> old = {{.path = "a", .content = "1"}};
  ASSERT_OK(this->store_->put_artifacts("run_1", old));
  const std::vector<File> twice = {{.path = "b", .content = "2"}, {.path = "b", .content = "3"}};
  EXPECT_CODE(Code::kInvalid, this->store_->put_artifacts("run_1", twice));
  EXPECT_EQ(this->store_->artifact("run_1", "a")->content, "1");
  ASSERT_OK(this->store_->put_artifacts("run_1", {twice.data(), 1}));
  EXPECT_CODE(Code::kNotFound, this->store_->artifact("run_1", "a"));
  EXPECT_EQ(this->store_->artifact("run_1", "b")->content, "2");
}

// ---- Keys ------------------------------------------------------------------------------------

TYPED_TEST(Stores, AKeyIsKnownByItsSecretAlone) {
  const NewKey wanted{.user = "ada",
                      .name = "laptop",
                      .scopes = {"runs:write", "runs:read"},
                      .expires_ms = 0,
                      .limits = {.requests_per_minute = 10, .concurrent = 2, .runs_per_day = 99}};
  const Result<CreatedKey> created = this->store_->create_key(wanted, kNoonMs);
  ASSERT_OK(created);
  EXPECT_TRUE(created->secret.starts_with("bj_"));
  EXPECT_EQ(created->secret.size(), 67U);
  EXPECT_EQ(created->key.user, "ada");
  EXPECT_EQ(created->key.limits, wanted.limits);
  this->reopen();
  const Result<Key> key = this->store_->check_key(created->secret, kNoonMs + 5);
  ASSERT_OK(key);
  Key expected = created->key;
  expected.last_used_ms = kNoonMs + 5;
  EXPECT_EQ(*key, expected);

  std::string close = created->secret;
  close.back() = close.back() == '0' ? '1' : '0';
  for (const std::string& wrong :
       {close, std::string(), std::string("bj_"), created->secret + " ",
        created->secret.substr(0, 66), created->secret + std::string("\0", 1), created->key.id,
        std::string(1 << 20, 'a'), std::string(67, '\0')}) {
    EXPECT_CODE(Code::kDenied, this->store_->check_key(wrong, kNoonMs));
  }
}

TYPED_TEST(Stores, ARevokedOrExpiredKeyIsRefused) {
  const Result<CreatedKey> first =
      this->store_->create_key({.user = "ada", .name = "a", .expires_ms = kNoonMs + 10}, kNoonMs);
  const Result<CreatedKey> second = this->store_->create_key({.user = "bob", .name = "b"}, kNoonMs);
  ASSERT_OK(first);
  ASSERT_OK(second);
  EXPECT_NE(first->secret, second->secret);
  ASSERT_OK(this->store_->check_key(first->secret, kNoonMs + 9));
  EXPECT_CODE(Code::kDenied, this->store_->check_key(first->secret, kNoonMs + 10));
  ASSERT_OK(this->store_->check_key(second->secret, kNoonMs + 10));
  ASSERT_OK(this->store_->revoke_key(second->key.id, kNoonMs + 20));
  ASSERT_OK(this->store_->revoke_key(second->key.id, kNoonMs + 30));
  EXPECT_CODE(Code::kDenied, this->store_->check_key(second->secret, kNoonMs + 20));
  EXPECT_CODE(Code::kNotFound, this->store_->revoke_key("key_none", kNoonMs));

  const Result<std::vector<Key>> all = this->store_->list_keys();
  ASSERT_OK(all);
  EXPECT_EQ(all->size(), 2U);
  const Result<std::vector<Key>> of_bob = this->store_->list_keys("bob");
  ASSERT_OK(of_bob);
  ASSERT_EQ(of_bob->size(), 1U);
  EXPECT_EQ(of_bob->front().revoked_ms, kNoonMs + 20);
  EXPECT_EQ(of_bob->front().scopes.size(), 0U);
}

TYPED_TEST(Stores, WhenAKeyWasLastUsedIsKeptToTheMinute) {
  const Result<CreatedKey> made = this->store_->create_key({.user = "ada", .name = "a"}, kNoonMs);
  ASSERT_OK(made);
  const auto used_at = [&](std::int64_t ms) {
    return this->store_->check_key(made->secret, kNoonMs + ms)->last_used_ms - kNoonMs;
  };
  EXPECT_EQ(used_at(1), 1);
  EXPECT_EQ(used_at(60'000), 1);
  EXPECT_EQ(used_at(60'001), 60'001);
  EXPECT_EQ(this->store_->list_keys()->front().last_used_ms, kNoonMs + 60'001);
}

TYPED_TEST(Stores, AKeyThatIsWrongIsNotMade) {
  const auto refused = [&](const NewKey& key) {
    EXPECT_CODE(Code::kInvalid, this->store_->create_key(key, kNoonMs));
  };
  refused({.user = "", .name = "a"});
  refused({.user = "ada", .name = ""});
  refused({.user = "a\nb", .name = "a"});
  refused({.user = "\xff", .name = "a"});
  refused({.user = std::string(129, 'a'), .name = "a"});
  refused({.user = "ada", .name = "a", .scopes = {""}});
  refused({.user = "ada", .name = "a", .scopes = {"two words"}});
  refused({.user = "ada", .name = "a", .expires_ms = -1});
  refused({.user = "ada", .name = "a", .limits = {.concurrent = -1}});
  EXPECT_THAT(*this->store_->list_keys(), IsEmpty());
}

// ---- Webhooks --------------------------------------------------------------------------------

TYPED_TEST(Stores, AnEndAndItsDeliveryAreOne) {
  ledger::Run run = run_named("run_1");
  run.webhook = "https://example.org/hook";
  ASSERT_OK(this->store_->accept(run));
  Ending ending = ending_at(kNoonMs + 1);
  ending.notice = R"({"id":"run_1"})";
  ASSERT_OK(this->store_->finished("run_1", ending));
  EXPECT_EQ(*this->store_->finished("run_1", ending), Change::kHadEnded);
  const Result<std::vector<Delivery>> due = this->store_->due(kNoonMs + 1, 10);
  ASSERT_OK(due);
  ASSERT_EQ(due->size(), 1U);
  EXPECT_EQ(due->front().run, "run_1");
  EXPECT_EQ(due->front().url, run.webhook);
  EXPECT_EQ(due->front().body, ending.notice);

  // No webhook or no notice: nothing to deliver.
  ASSERT_OK(this->store_->accept(run_named("run_2")));
  ASSERT_OK(this->store_->finished("run_2", ending));
  run.id = "run_3";
  ASSERT_OK(this->store_->accept(run));
  ASSERT_OK(this->store_->finished("run_3", ending_at(kNoonMs)));
  EXPECT_EQ(this->store_->due(kNoonMs + kDayMs, 10)->size(), 1U);
}

TYPED_TEST(Stores, ADeliveryIsTriedAgainUntilItIsDoneOrGivenUp) {
  ASSERT_OK(this->store_->accept(run_named("run_1")));
  const std::string late =
      *this->store_->enqueue("run_1", "https://a.example", "late", kNoonMs + 9);
  const std::string soon =
      *this->store_->enqueue("run_1", "https://b.example", "soon", kNoonMs + 5);
  EXPECT_THAT(*this->store_->due(kNoonMs + 4, 10), IsEmpty());
  EXPECT_EQ(this->store_->due(kNoonMs + 5, 10)->size(), 1U);
  EXPECT_EQ(this->store_->due(kNoonMs + 9, 1)->front().id, soon);
  EXPECT_EQ(this->store_->due(kNoonMs + 9, 10)->back().id, late);

  ASSERT_OK(this->store_->not_delivered(soon, kNoonMs + 100, "503"));
  EXPECT_EQ(this->store_->due(kNoonMs + 99, 10)->size(), 1U);
  this->reopen();
  const Result<std::vector<Delivery>> due = this->store_->due(kNoonMs + 100, 10);
  ASSERT_OK(due);
  EXPECT_EQ(due->back().id, soon);
  EXPECT_EQ(due->back().attempts, 1);
  EXPECT_EQ(due->back().error, "503");

  ASSERT_OK(this->store_->delivered(late));
  ASSERT_OK(this->store_->not_delivered(soon, 0, "gone"));
  EXPECT_THAT(*this->store_->due(kNoonMs + kDayMs, 10), IsEmpty());
  EXPECT_CODE(Code::kNotFound, this->store_->delivered(late));
  EXPECT_CODE(Code::kNotFound, this->store_->not_delivered(soon, 1, ""));
  EXPECT_CODE(Code::kNotFound, this->store_->delivered("dlv_none"));
}

TYPED_TEST(Stores, WhatIsBusyIsLeftOut) {
  ledger::Run run = run_named("run_1");
  run.caller = "ada";
  ASSERT_OK(this->store_->accept(run));
  run = run_named("run_2");
  run.caller = "eve";
  ASSERT_OK(this->store_->accept(run));
  const std::string a = *this->store_->enqueue("run_1", "https://a.example/x_y", "", kNoonMs);
  const std::string b = *this->store_->enqueue("run_1", "https://a.example.org/", "", kNoonMs);
  const std::string c = *this->store_->enqueue("run_2", "https://c.example/", "", kNoonMs);
  const auto left = [&](const Busy& busy) {
    std::vector<std::string> ids;
    const Result<std::vector<Delivery>> due = this->store_->due(kNoonMs, 10, busy);
    EXPECT_TRUE(due.has_value()) << message(due);
    if (due) {
      for (const Delivery& each : *due) ids.push_back(each.id);
    }
    return ids;
  };
  EXPECT_THAT(left({}), ElementsAre(a, b, c));
  EXPECT_EQ(this->store_->due(kNoonMs, 10)->back().caller, "eve");
  EXPECT_THAT(left({.deliveries = {a, "dlv_none"}}), ElementsAre(b, c));
  EXPECT_THAT(left({.callers = {"ada"}}), ElementsAre(c));
  EXPECT_THAT(left({.urls = {"https://a.example/", "https://%", "https://c.example_"}}),
              ElementsAre(b, c));
  EXPECT_THAT(left({.deliveries = {b}, .callers = {"eve"}, .urls = {"https://a.example/"}}),
              IsEmpty());
}

// ---- Threads ---------------------------------------------------------------------------------

TYPED_TEST(Stores, ManyThreadsLoseNothing) {
  constexpr int kThreads = 8;
  constexpr int kRuns = 25;
  std::atomic<int> failures = 0;
  const auto expect = [&](bool fine) { failures += fine ? 0 : 1; };
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kRuns; ++i) {
          const std::string id = "run_" + std::to_string(t) + "_" + std::to_string(i);
          expect(this->store_->accept(run_named(id)).has_value());
          expect(this->store_->started(id, kNoonMs).has_value());
          const File file{.path = "nonce", .content = id};
          expect(this->store_->put_artifacts(id, {&file, 1}).has_value());
          Ending ending = ending_at(kNoonMs);
          ending.outcome = id;
          expect(this->store_->finished(id, ending).has_value());
          const Result<ledger::Run> run = this->store_->find(id);
          expect(run && run->outcome == id);
          expect(this->store_->list({.caller = "key_ada"}, "", 5).has_value());
          expect(this->store_->prune({.max_age_ms = kDayMs}, kNoonMs).has_value());
        }
      });
    }
  }
  EXPECT_EQ(failures.load(), 0);
  EXPECT_EQ(this->ids_of({.state = State::kDone}, 7).size(), std::size_t{kThreads} * kRuns);
  EXPECT_EQ(this->store_->artifact("run_3_7", "nonce")->content, "run_3_7");
}

TYPED_TEST(Stores, OneOfManyEqualRequestsIsExecutedAndAQuotaHolds) {
  constexpr int kThreads = 8;
  const std::vector<Quota> ten = {{.subject = "key_ada", .per_day = 10}};
  std::atomic<int> executed = 0;
  std::atomic<int> within = 0;
  std::atomic<int> over = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        const std::string name = std::to_string(t);
        const auto same = this->store_->accept(run_named("same_" + name), "k");
        if (same && same->answer == Answer::kNew) ++executed;
        for (int i = 0; i < 5; ++i) {
          const auto run = run_named("run_" + name + "_" + std::to_string(i));
          const auto accepted = this->store_->accept(run, "", ten);
          if (accepted && accepted->answer == Answer::kNew) ++within;
          if (accepted && accepted->answer == Answer::kOverQuota) ++over;
        }
      });
    }
  }
  EXPECT_EQ(executed.load(), 1);
  EXPECT_EQ(within.load(), 10);
  EXPECT_EQ(over.load(), kThreads * 5 - 10);
}

TEST(States, HaveNames) {
  for (const State state :
       {State::kQueued, State::kRunning, State::kDone, State::kCancelled, State::kLost}) {
    EXPECT_EQ(parse_state(state_name(state)), state);
  }
  EXPECT_EQ(state_name(State::kLost), "lost");
  EXPECT_FALSE(parse_state("").has_value());
  EXPECT_FALSE(parse_state("Done").has_value());
}

}  // namespace
}  // namespace belljar::ledger
