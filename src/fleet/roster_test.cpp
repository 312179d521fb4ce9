#include "fleet/roster.h"

#include <gtest/gtest.h>

#include "fleet/subjects.h"

namespace belljar::fleet {
namespace {

constexpr Nanoseconds kNow = std::chrono::hours(1);

WorkerState worker(const std::string& id, std::uint64_t capacity, std::uint64_t running = 0) {
  return {.id = id,
          .pool = "pool of " + id,
          .kernel = "6.1",
          .languages = {"python", "c"},
          .labels = {{"arch", "x86_64"}, {"region", id}},
          .capacity = capacity,
          .running = running};
}

// So many find a place in line and none besides.
void fill_lines(Roster& roster, int places) {
  for (int i = 0; i < places; ++i) EXPECT_TRUE(roster.take_room("python", {}, kNow)) << i;
  EXPECT_FALSE(roster.take_room("python", {}, kNow));
}

TEST(Roster, ARunGoesToTheWorkerWithTheMostRoom) {
  Roster roster;
  EXPECT_FALSE(roster.knows_any());
  EXPECT_FALSE(roster.take_room("", {}, kNow));
  roster.hear(worker("a", 2), kNow);
  roster.hear(worker("b", 4, 1), kNow);
  EXPECT_EQ(roster.pool_for("python", {}, kNow), "pool of b");
  EXPECT_EQ(roster.take_room("python", {}, kNow), "b");
  EXPECT_EQ(roster.take_room("python", {}, kNow), "a");  // both had room for two
  EXPECT_EQ(roster.take_room("python", {}, kNow), "b");
  EXPECT_EQ(roster.take_room("c", {}, kNow), "a");
  EXPECT_EQ(roster.take_room("", {}, kNow), "b");
  fill_lines(roster, 6);
  // Where all are full work still waits for somebody.
  EXPECT_EQ(roster.pool_for("python", {}, kNow), "pool of b");
  roster.give_back_room("a");
  EXPECT_EQ(roster.take_room("python", {}, kNow), "a");
  // What it says itself counts.
  roster.hear(worker("a", 2, 1), kNow);
  EXPECT_EQ(roster.take_room("python", {}, kNow), "a");
  fill_lines(roster, 2);
}

TEST(Roster, WhereAllAreFullTheLineThatIsShortestForItsSizeIsTaken) {
  Roster roster;
  roster.hear(worker("a", 1, 1), kNow);
  roster.hear(worker("b", 4, 4), kNow);
  std::string taken;
  while (const auto each = roster.take_room("python", {}, kNow)) taken += *each;
  EXPECT_EQ(taken, "abbbb");
  WorkerState waiting = worker("b", 4, 4);
  waiting.waiting = 3;
  roster.hear(waiting, kNow);
  EXPECT_EQ(roster.take_room("python", {}, kNow), "b");
  EXPECT_FALSE(roster.take_room("python", {}, kNow));
  roster.hear(worker("none", 0), kNow);
  EXPECT_FALSE(roster.take_room("python", {}, kNow));
  roster.hear(worker("c", 2, 1), kNow);
  EXPECT_EQ(roster.take_room("python", {}, kNow), "c");
}

TEST(Roster, OnlyWhoHasTheLanguageAndTheLabelsIsAsked) {
  Roster roster;
  roster.hear(worker("a", 2), kNow);
  roster.hear(worker("b", 9), kNow);
  EXPECT_FALSE(roster.take_room("rust", {}, kNow));
  EXPECT_FALSE(roster.pool_for("rust", {}, kNow));
  EXPECT_EQ(roster.take_room("c", {{"region", "a"}}, kNow), "a");
  EXPECT_EQ(roster.pool_for("c", {{"region", "a"}, {"arch", "x86_64"}}, kNow), "pool of a");
  EXPECT_FALSE(roster.take_room("c", {{"region", "a"}, {"arch", "aarch64"}}, kNow));
}

TEST(Roster, WhoSaysNothingOrDrainsIsNotThere) {
  Roster roster;
  roster.hear(worker("a", 2, 1), kNow);
  WorkerState draining = worker("b", 8);
  draining.draining = true;
  roster.hear(draining, kNow);
  EXPECT_EQ(roster.take_room("python", {}, kNow), "a");
  fill_lines(roster, 2);
  const Roster::Workers seen = roster.workers(kNow);
  EXPECT_EQ(seen.count, 1U);
  EXPECT_EQ(seen.capacity, 2U);
  EXPECT_EQ(seen.running, 1U);
  EXPECT_FALSE(roster.is_gone("b", kNow));
  const Nanoseconds later = kNow + kWorkerGone + std::chrono::seconds(1);
  EXPECT_TRUE(roster.is_gone("a", later));
  EXPECT_TRUE(roster.is_gone("nobody", kNow));
  EXPECT_FALSE(roster.pool_for("python", {}, later));
  EXPECT_EQ(roster.workers(later).count, 0U);
  roster.forget_gone(later);
  EXPECT_TRUE(roster.knows_any());
  roster.forget_gone(kNow + 11 * kWorkerGone);
  EXPECT_FALSE(roster.knows_any());
}

TEST(Roster, WhatACallerHasElsewhereIsSummed) {
  Roster roster;
  roster.hear({.id = "g1", .callers = {{.id = "ada", .waiting = 2, .running = 1}}, .let_in = {}},
              kNow);
  roster.hear({.id = "g2",
               .callers = {{.id = "ada", .waiting = 3, .running = 4}, {.id = "bob", .waiting = 1}},
               .let_in = {}},
              kNow);
  EXPECT_EQ(roster.elsewhere("ada", kNow).waiting, 5U);
  EXPECT_EQ(roster.elsewhere("ada", kNow).running, 5U);
  EXPECT_EQ(roster.elsewhere("eve", kNow).waiting, 0U);
  const Nanoseconds later = kNow + kGatewayGone + std::chrono::seconds(1);
  EXPECT_EQ(roster.elsewhere("ada", later).waiting, 0U);
}

}  // namespace
}  // namespace belljar::fleet
