#include "engine/rate_window.h"

#include <gtest/gtest.h>

namespace belljar::engine {
namespace {

using std::chrono::seconds;

TEST(RateWindow, AllowsTheLimitAndSaysHowLongToWait) {
  RateWindow window(seconds(60));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(window.take("a", 10, seconds(i)), Nanoseconds{});
  EXPECT_EQ(window.take("a", 10, seconds(20)), seconds(40));
  EXPECT_EQ(window.take("b", 10, seconds(20)), Nanoseconds{});
}

TEST(RateWindow, ARefusalCountsNothing) {
  RateWindow window(seconds(60));
  EXPECT_EQ(window.take("a", 1, seconds(0)), Nanoseconds{});
  for (int i = 1; i < 60; ++i) EXPECT_EQ(window.take("a", 1, seconds(i)), seconds(60 - i));
  EXPECT_EQ(window.take("a", 1, seconds(60)), Nanoseconds{});
}

TEST(RateWindow, SeveralAreTakenTogetherOrNotAtAll) {
  RateWindow window(seconds(60));
  EXPECT_EQ(window.take("a", 5, seconds(0), 3), Nanoseconds{});
  EXPECT_EQ(window.take("a", 5, seconds(10), 1), Nanoseconds{});
  EXPECT_EQ(window.take("a", 5, seconds(20), 2), seconds(40));  // one place, and two are needed
  EXPECT_EQ(window.take("a", 5, seconds(20), 5), seconds(50));
  EXPECT_EQ(window.take("a", 5, seconds(20), 1), Nanoseconds{});
  EXPECT_EQ(window.take("a", 5, seconds(60), 3), Nanoseconds{});
  EXPECT_EQ(window.take("a", 5, seconds(60), 6), seconds(60));  // never
  EXPECT_EQ(window.take("a", 5, seconds(60), 0), Nanoseconds{});
}

TEST(RateWindow, SlidesAndDoesNotJump) {
  RateWindow window(seconds(60));
  EXPECT_EQ(window.take("a", 2, seconds(0)), Nanoseconds{});
  EXPECT_EQ(window.take("a", 2, seconds(59)), Nanoseconds{});
  // A window that started anew at each minute would allow two more here.
  EXPECT_EQ(window.take("a", 2, seconds(60)), Nanoseconds{});
  EXPECT_EQ(window.take("a", 2, seconds(61)), seconds(58));
}

TEST(RateWindow, ALimitThatWasLoweredHoldsAtOnce) {
  RateWindow window(seconds(60));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(window.take("a", 5, seconds(i)), Nanoseconds{});
  EXPECT_EQ(window.take("a", 2, seconds(10)), seconds(53));
}

TEST(RateWindow, WhatWasTakenElsewhereCountsToo) {
  RateWindow window(seconds(60));
  EXPECT_EQ(window.take("a", 5, seconds(0), 1, 4), Nanoseconds{});
  EXPECT_EQ(window.take("a", 5, seconds(10), 1, 4), seconds(50));  // when the one here is over
  EXPECT_EQ(window.take("a", 5, seconds(10), 1, 3), Nanoseconds{});
  EXPECT_EQ(window.take("b", 5, seconds(10), 1, 5), seconds(1));  // only the others know when
  EXPECT_EQ(window.take("b", 5, seconds(10), 1, 500), seconds(1));
  EXPECT_EQ(window.take("b", 5, seconds(10), 1, 0), Nanoseconds{});
}

TEST(RateWindow, ForgetsCallersThatAreGone) {
  RateWindow window(seconds(1));
  for (int i = 0; i < 1000; ++i) (void)window.take(std::to_string(i), 1, Nanoseconds{});
  EXPECT_EQ(window.size(), 1000U);
  (void)window.take("late", 1, seconds(5));
  EXPECT_EQ(window.size(), 1U);
}

}  // namespace
}  // namespace belljar::engine
