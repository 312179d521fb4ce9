#include "base/pause.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace belljar {
namespace {

TEST(Pause, IsOverAfterItsLength) {
  const std::stop_source stop;
  EXPECT_TRUE(pause_unless_stopped(stop.get_token(), std::chrono::milliseconds(1)));
}

TEST(Pause, DoesNotBeginAfterAStop) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(pause_unless_stopped(stop.get_token(), std::chrono::hours(1)));
}

TEST(Pause, EndsWithAStop) {
  std::atomic<bool> whole = true;
  std::jthread waiting([&whole](const std::stop_token& stop) {
    whole = pause_unless_stopped(stop, std::chrono::hours(1));
  });
  waiting.request_stop();
  waiting.join();
  EXPECT_FALSE(whole);
}

}  // namespace
}  // namespace belljar
