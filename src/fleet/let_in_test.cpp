#include "fleet/let_in.h"

#include <gtest/gtest.h>

namespace belljar::fleet {
namespace {

using std::chrono::seconds;
using Counts = std::map<std::string, std::uint64_t>;

TEST(LetIn, CountsTheLastMinute) {
  LetIn counted;
  const Nanoseconds start = seconds(1000);
  counted.add("ada", 2, start);
  counted.add("ada", 1, start + seconds(30));
  counted.add("bob", 1, start + seconds(59));
  EXPECT_EQ(counted.here(start + seconds(59)), (Counts{{"ada", 3}, {"bob", 1}}));
  EXPECT_EQ(counted.here(start + seconds(60)), (Counts{{"ada", 1}, {"bob", 1}}));
  EXPECT_EQ(counted.here(start + seconds(90)), (Counts{{"bob", 1}}));
  counted.add("ada", 5, start + seconds(500));
  EXPECT_EQ(counted.here(start + seconds(500)), (Counts{{"ada", 5}}));
  EXPECT_EQ(counted.here(start + seconds(600)), Counts());
}

TEST(LetIn, SumsWhatOthersTold) {
  LetIn counted;
  counted.add("ada", 7, seconds(10));
  counted.hear("g2", {{"ada", 2}}, seconds(10));
  counted.hear("g3", {{"ada", 3}, {"bob", 1}}, seconds(10));
  EXPECT_EQ(counted.elsewhere("ada", seconds(10)), 5U);
  EXPECT_EQ(counted.elsewhere("eve", seconds(10)), 0U);
  counted.hear("g2", {}, seconds(11));
  EXPECT_EQ(counted.elsewhere("ada", seconds(11)), 3U);
  // One that says nothing any more has gone.
  EXPECT_EQ(counted.elsewhere("ada", seconds(100)), 0U);
}

TEST(LetIn, TellsThoseWithTheMostWhereThereAreTooMany) {
  LetIn counted;
  for (int i = 0; i < 10'000; ++i) counted.add("ip:" + std::to_string(i), 1, seconds(10));
  counted.add("ada", 2, seconds(10));
  const auto told = counted.here(seconds(10));
  EXPECT_EQ(told.size(), 4096U);
  EXPECT_TRUE(told.contains("ada"));
}

}  // namespace
}  // namespace belljar::fleet
