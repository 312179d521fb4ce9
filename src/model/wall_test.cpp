#include "model/wall.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

namespace belljar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<Wall> all_walls() {
  std::vector<Wall> walls;
  for (int i = 0; i < kWallCount; ++i) walls.push_back(static_cast<Wall>(i));
  return walls;
}

TEST(Wall, NamesAreThoseOfPolicyFilesAndOutcomes) {
  EXPECT_THAT(WallSet::full().names(),
              ElementsAre("pid-namespace", "mount-namespace", "net-namespace", "ipc-namespace",
                          "uts-namespace", "cgroup-namespace", "time-namespace", "private-root",
                          "private-devices", "proc", "own-uid", "init-uid", "no-capabilities",
                          "no-new-privs", "landlock", "landlock-scope", "seccomp", "memory-limit",
                          "process-limit", "cpu-limit", "cpu-bill", "rlimits"));
}

TEST(Wall, NamesAreReadBack) {
  for (const Wall wall : all_walls()) EXPECT_EQ(*parse_wall(to_string(wall)), wall);
}

TEST(Wall, EachIsExplainedInOneSentenceOfItsOwn) {
  std::set<std::string_view> sentences;
  for (const Wall wall : all_walls()) {
    const std::string_view sentence = explain(wall);
    EXPECT_GT(sentence.size(), 20U) << to_string(wall);
    EXPECT_EQ(sentence.back(), '.') << to_string(wall);
    EXPECT_EQ(sentence.find('\n'), std::string_view::npos) << to_string(wall);
    EXPECT_TRUE(sentences.insert(sentence).second) << to_string(wall);
  }
}

TEST(ParseWall, RefusesAnUnknownNameAndListsTheKnown) {
  for (const std::string_view name : {"", "Seccomp", "seccomp ", "FULL", "pid_namespace", "\x1b"}) {
    const auto wall = parse_wall(name);
    ASSERT_FALSE(wall) << name;
    EXPECT_EQ(wall.error().code, Code::kInvalid);
    EXPECT_THAT(wall.error().message, HasSubstr("pid-namespace, mount-namespace"));
    EXPECT_THAT(wall.error().message, HasSubstr("rlimits"));
    EXPECT_EQ(wall.error().message.find('\x1b'), std::string::npos);
  }
}

TEST(ParseWalls, ReadsFullAndLists) {
  EXPECT_EQ(*parse_walls("FULL"), WallSet::full());
  EXPECT_EQ(*parse_walls("seccomp"), WallSet{Wall::kSeccomp});
  EXPECT_EQ(*parse_walls("landlock,seccomp"), (WallSet{Wall::kSeccomp, Wall::kLandlock}));
  EXPECT_EQ(*parse_walls("seccomp,seccomp"), WallSet{Wall::kSeccomp});
}

TEST(ParseWalls, RefusesMalformedLists) {
  for (const std::string_view text : {"", ",", "full", "seccomp,", ",seccomp", "seccomp,,landlock",
                                      "seccomp, landlock", "FULL,seccomp", "seccomp;landlock"}) {
    EXPECT_FALSE(parse_walls(text)) << text;
  }
}

TEST(WallSet, AddsRemovesAndSubtracts) {
  WallSet walls{Wall::kProc, Wall::kRlimits};
  EXPECT_TRUE(walls.has(Wall::kProc));
  EXPECT_FALSE(walls.has(Wall::kSeccomp));
  walls.remove(Wall::kProc);
  walls.add(Wall::kSeccomp);
  EXPECT_THAT(walls.names(), ElementsAre("seccomp", "rlimits"));
  EXPECT_EQ(walls.minus(WallSet{Wall::kSeccomp}), WallSet{Wall::kRlimits});
  EXPECT_TRUE(walls.minus(WallSet::full()).empty());
}

TEST(WallSet, BitsThatNameNoWallAreDropped) {
  EXPECT_EQ(WallSet::from_bits(0xffffffffU), WallSet::full());
  EXPECT_EQ(WallSet::from_bits(WallSet::full().bits()), WallSet::full());
  EXPECT_EQ(WallSet::full().names().size(), static_cast<std::size_t>(kWallCount));
}

}  // namespace
}  // namespace belljar
