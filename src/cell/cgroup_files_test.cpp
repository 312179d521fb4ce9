#include "cell/cgroup_files.h"

#include <gtest/gtest.h>

namespace belljar::cell {
namespace {

TEST(CgroupFiles, FindsTheValueOfOneKey) {
  const char* const stat = "usage_usec 1234\nuser_usec 1000\nsystem_usec 234\nnr_periods 0";
  EXPECT_EQ(value_of(stat, "usage_usec"), 1234U);
  EXPECT_EQ(value_of(stat, "nr_periods"), 0U);
  EXPECT_EQ(value_of(stat, "usec"), std::nullopt);
  EXPECT_EQ(value_of(stat, "user"), std::nullopt);
  EXPECT_EQ(value_of("", "x"), std::nullopt);
  EXPECT_EQ(value_of("oom_kill", "oom_kill"), std::nullopt);
  EXPECT_EQ(value_of("oom 1\noom_kill 2\n", "oom_kill"), 2U);
  EXPECT_EQ(value_of("a b\n", "a"), std::nullopt);
}

}  // namespace
}  // namespace belljar::cell
