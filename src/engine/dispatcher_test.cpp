#include "engine/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>

#include "base/sys.h"

namespace belljar::engine {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;

Result<warden::Client> no_warden() {
  return fail(Code::kUnavailable, "no warden in this test");
}

// Jobs that write down in which order they ran.
class DispatcherTest : public ::testing::Test {
 protected:
  Job job(const std::string& caller, const std::string& word = "") {
    return {.caller = caller,
            .memory = 1,
            .cpus_milli = 1,
            .deadline = sys::now() + hours(1),
            .run = [this, text = word.empty() ? caller : word](WardenAccess&) { note(text); },
            .give_up = [this](const Error& error) { note(error.message); }};
  }
  Job blocker(std::latch& entered, std::latch& release) {
    Job made = job("blocker");
    made.run = [&entered, &release](WardenAccess&) {
      entered.count_down();
      release.wait();
    };
    return made;
  }
  void note(const std::string& text) {
    const std::lock_guard lock(mutex_);
    order_.push_back(text);
  }
  std::mutex mutex_;
  std::vector<std::string> order_;
};

TEST_F(DispatcherTest, CallersTakeTurns) {
  std::latch entered(1);
  std::latch release(1);
  Dispatcher dispatcher({.threads = 1}, no_warden);
  ASSERT_TRUE(dispatcher.submit(blocker(entered, release)));
  entered.wait();
  for (const char* const name : {"a1", "a2", "a3"}) ASSERT_TRUE(dispatcher.submit(job("a", name)));
  ASSERT_TRUE(dispatcher.submit(job("c")));
  ASSERT_TRUE(dispatcher.submit(job("d")));
  release.count_down();
  EXPECT_TRUE(dispatcher.drain(seconds(10)));
  EXPECT_THAT(order_, ElementsAre("c", "d", "a1", "a2", "a3"));
}

TEST_F(DispatcherTest, TheQueueIsBoundedWholeAndPerCaller) {
  std::latch entered(1);
  std::latch release(1);
  Dispatcher dispatcher({.threads = 1, .queue = 3, .queue_per_caller = 2}, no_warden);
  ASSERT_TRUE(dispatcher.submit(blocker(entered, release)));
  entered.wait();
  ASSERT_TRUE(dispatcher.submit(job("a")));
  ASSERT_TRUE(dispatcher.submit(job("a")));
  EXPECT_EQ(dispatcher.submit(job("a")).error().code, Code::kExhausted);
  ASSERT_TRUE(dispatcher.submit(job("b")));
  EXPECT_EQ(dispatcher.submit(job("c")).error().code, Code::kExhausted);
  EXPECT_EQ(dispatcher.state().waiting, 3U);
  release.count_down();
  EXPECT_TRUE(dispatcher.drain(seconds(10)));
}

TEST_F(DispatcherTest, SaysBeforehandWhetherThereIsRoom) {
  std::latch entered(1);
  std::latch release(1);
  Dispatcher dispatcher({.threads = 1, .queue = 5, .queue_per_caller = 3, .memory = 100},
                        no_warden);
  ASSERT_TRUE(dispatcher.submit(blocker(entered, release)));
  entered.wait();
  EXPECT_TRUE(dispatcher.check(job("a"), 3));
  EXPECT_EQ(dispatcher.check(job("a"), 4).error().code, Code::kInvalid);  // never
  ASSERT_TRUE(dispatcher.submit(job("a")));
  EXPECT_TRUE(dispatcher.check(job("a"), 2));
  EXPECT_EQ(dispatcher.check(job("a"), 3).error().code, Code::kExhausted);  // not now
  Job large = job("b");
  large.memory = 101;
  EXPECT_EQ(dispatcher.check(large).error().code, Code::kInvalid);
  EXPECT_EQ(dispatcher.state().waiting, 1U);
  release.count_down();
  EXPECT_TRUE(dispatcher.drain(seconds(10)));
}

TEST_F(DispatcherTest, ACallersOwnConcurrencyHoldsAndLetsOthersPass) {
  std::latch entered(1);
  std::latch release(1);
  std::latch other(1);
  Dispatcher dispatcher({.threads = 4}, no_warden);
  Job first = blocker(entered, release);
  first.concurrent = 1;
  ASSERT_TRUE(dispatcher.submit(std::move(first)));
  entered.wait();
  Job second = job("blocker", "second");
  second.concurrent = 1;
  ASSERT_TRUE(dispatcher.submit(std::move(second)));
  Job passes = job("other");
  passes.run = [this, &other](WardenAccess&) {
    note("other");
    other.count_down();
  };
  ASSERT_TRUE(dispatcher.submit(std::move(passes)));
  other.wait();
  release.count_down();
  EXPECT_TRUE(dispatcher.drain(seconds(10)));
  EXPECT_THAT(order_, ElementsAre("other", "second"));
}

TEST_F(DispatcherTest, TheBudgetHolds) {
  std::atomic<int> now = 0;
  std::atomic<int> most = 0;
  {
    Dispatcher dispatcher({.threads = 8, .memory = 2 * kMiB}, no_warden);
    for (int i = 0; i < 20; ++i) {
      Job each = job(std::to_string(i % 3));
      each.memory = kMiB;
      each.run = [&now, &most](WardenAccess&) {
        const int here = ++now;
        for (int seen = most; here > seen && !most.compare_exchange_weak(seen, here);) {
        }
        std::this_thread::sleep_for(milliseconds(2));
        --now;
      };
      ASSERT_TRUE(dispatcher.submit(std::move(each)));
    }
    EXPECT_TRUE(dispatcher.drain(seconds(10)));
  }
  EXPECT_LE(most, 2);
}

TEST_F(DispatcherTest, AJobThatCouldNeverFitIsRefusedWithTheField) {
  Dispatcher dispatcher({.threads = 1, .memory = kMiB}, no_warden);
  Job big = job("a");
  big.memory = kGiB;
  const Status refused = dispatcher.submit(std::move(big));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_TRUE(refused.error().message.starts_with("limits.memory"));
}

TEST_F(DispatcherTest, WhatWaitsTooLongIsGivenUp) {
  std::latch entered(1);
  std::latch release(1);
  std::latch given_up(1);
  Dispatcher dispatcher({.threads = 2, .memory = 1}, no_warden);
  ASSERT_TRUE(dispatcher.submit(blocker(entered, release)));
  entered.wait();
  Job late = job("a");
  late.deadline = sys::now();
  late.give_up = [&given_up](const Error& error) {
    EXPECT_EQ(error.code, Code::kExhausted);
    given_up.count_down();
  };
  ASSERT_TRUE(dispatcher.submit(std::move(late)));
  given_up.wait();
  release.count_down();
}

TEST_F(DispatcherTest, WhatCameWhileTheOnlyWorkerWasWokenIsGivenUpToo) {
  std::latch entered(1);
  std::latch release(1);
  std::latch given_up(1);
  Dispatcher dispatcher({.threads = 1}, no_warden);
  ASSERT_TRUE(dispatcher.submit(blocker(entered, release)));
  // Whether the worker has the first by now or is about to take it.
  Job late = job("late");
  late.deadline = sys::now() + milliseconds(20);
  late.give_up = [&given_up](const Error&) { given_up.count_down(); };
  ASSERT_TRUE(dispatcher.submit(std::move(late)));
  given_up.wait();
  release.count_down();
  EXPECT_TRUE(dispatcher.drain(seconds(10)));
}

TEST_F(DispatcherTest, AnEndGivesUpWhatWaitsAndTakesNoMore) {
  std::latch entered(1);
  std::latch release(1);
  {
    Dispatcher dispatcher({.threads = 1}, no_warden);
    ASSERT_TRUE(dispatcher.submit(blocker(entered, release)));
    entered.wait();
    ASSERT_TRUE(dispatcher.submit(job("a")));
    EXPECT_FALSE(dispatcher.drain(milliseconds(1)));
    EXPECT_EQ(dispatcher.submit(job("b")).error().code, Code::kUnavailable);
    release.count_down();
  }
  EXPECT_THAT(order_, ElementsAre("the service is shutting down"));
}

}  // namespace
}  // namespace belljar::engine
