#include "base/id.h"

#include <gtest/gtest.h>

#include <set>

namespace belljar {
namespace {

TEST(Id, HasItsPrefixAndOnlyPlainCharacters) {
  const std::string id = make_id("run");
  EXPECT_TRUE(id.starts_with("run_"));
  EXPECT_EQ(id.size(), 4U + 10 + 26);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdefghjkmnpqrstvwxyz", 4), std::string::npos);
}

TEST(Id, IsNeverTheSameTwice) {
  std::set<std::string> seen;
  for (int i = 0; i < 10'000; ++i) EXPECT_TRUE(seen.insert(make_id("x")).second);
}

TEST(Id, LaterMillisecondsSortLater) {
  const std::string first = make_id("x");
  for (const std::int64_t start = unix_ms(); unix_ms() == start;) {
  }
  EXPECT_LT(first, make_id("x"));
}

}  // namespace
}  // namespace belljar
