#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "model/policy.h"

namespace belljar {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr std::string_view kHead = "why = \"For a test.\"\n";

Result<Policy> parse(std::string_view body) {
  return parse_policy(std::string(kHead) + std::string(body), "test");
}

TEST(ParsePolicy, AFileThatOnlySaysWhyIsTheDefault) {
  Policy expected;
  expected.name = "test";
  EXPECT_EQ(*parse(""), expected);
}

TEST(ParsePolicy, ReadsEveryKey) {
  const auto policy = parse(R"(
name = "other-1"
[defaults]
why = "Because."
wall = 3
memory = "100M"
cpus = "0.5"
processes = 7
[maximum]
why = "Because."
memory = 1073741824
wall = "60s"
[filesystem]
why = "Because."
writable_box = false
writable_tmp = false
[network]
why = "Because."
mode = "none"
[output]
why = "Because."
on_limit = "drain"
[walls]
why = "Because."
without = ["time-namespace"]
require = ["seccomp", "landlock"]
)");
  ASSERT_TRUE(policy) << policy.error().message;
  Policy expected;
  expected.name = "other-1";
  expected.defaults.wall = seconds(3);
  expected.defaults.memory = 100 * kMiB;
  expected.defaults.cpus_milli = 500;
  expected.defaults.processes = 7;
  expected.maximum.memory = kGiB;
  expected.maximum.wall = seconds(60);
  expected.writable_box = false;
  expected.writable_tmp = false;
  expected.network = Network::kNone;
  expected.on_output_limit = OnOutputLimit::kDrain;
  expected.without = {Wall::kTimeNamespace};
  expected.require = {Wall::kSeccomp, Wall::kLandlock};
  EXPECT_EQ(*policy, expected);
}

TEST(ParsePolicy, ReadsEveryLimitByItsName) {
  for (const LimitField& field : limit_fields()) {
    const std::string body =
        "[defaults]\nwhy = \"Because.\"\n" + std::string(field.name) + " = 9\n";
    const auto policy = parse(body);
    ASSERT_TRUE(policy) << policy.error().message;
    EXPECT_NE(policy->defaults, Limits{}) << field.name;
  }
}

TEST(ParsePolicy, BytesThatNoFileHoldsAreRefusedWithTheirLine) {
  const auto broken = parse_policy("why = \"x\"\nname = \"\xff\"\n", "test");
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().message, "policy 'test': line 2: not valid UTF-8");
  EXPECT_FALSE(parse_policy("why = \"x\"\né = 1\n", "test"));
}

TEST(ParsePolicy, FullRequiresEveryWall) {
  EXPECT_EQ(parse("[walls]\nwhy = \"All.\"\nrequire = \"FULL\"\n")->require, WallSet::full());
}

TEST(ParsePolicy, WithoutMaximumTheHighestHold) {
  EXPECT_EQ(parse("")->maximum, highest_limits());
  EXPECT_EQ(parse("[maximum]\nwhy = \"Less.\"\nwall = \"20s\"\n")->maximum.memory,
            highest_limits().memory);
}

struct BadFile {
  std::string_view body;
  std::string_view message;
};

void expect_refused(const BadFile& file) {
  const auto policy = parse(file.body);
  ASSERT_FALSE(policy) << file.body;
  EXPECT_EQ(policy.error().code, Code::kInvalid) << file.body;
  EXPECT_THAT(policy.error().message, HasSubstr(std::string(file.message))) << file.body;
  EXPECT_EQ(policy.error().message.find('\n'), std::string::npos) << file.body;
}

TEST(ParsePolicy, UnknownKeysAreRefusedWithPathAndLine) {
  constexpr BadFile kFiles[] = {
      {"limits = 1", "policy 'test': limits (line 2): unknown key"},
      {"[seccomp]\n", "seccomp (line 2): unknown key"},
      {"\n\n[filesystem]\nwhy = \"x\"\nwriteable_box = true\n",
       "filesystem.writeable_box (line 6): unknown key; there are why, writable_box, writable_tmp"},
      {"[network]\nmod = \"none\"\n", "network.mod (line 3): unknown key"},
      {"[output]\nlimit = \"kill\"\n", "output.limit (line 3): unknown key"},
      {"[walls]\nwithhold = []\n", "walls.withhold (line 3): unknown key"},
      {"[defaults]\nmem = \"1M\"\n", "defaults.mem (line 3): no limit is called 'mem'"},
      {"[maximum]\nWall = \"1s\"\n", "maximum.Wall (line 3): no limit is called 'Wall'"},
  };
  for (const BadFile& file : kFiles) expect_refused(file);
}

TEST(ParsePolicy, WrongTypesAreRefusedWithPathAndLine) {
  constexpr BadFile kFiles[] = {
      {"name = 1", "name (line 2): must be a string"},
      {"defaults = 1", "defaults (line 2): must be a table"},
      {"[[defaults]]\nwall = 1\n", "defaults (line 2): must be a table"},
      {"[defaults]\nwall = 1.5\n", "defaults.wall (line 3): must be a string such as"},
      {"[defaults]\nwall = true\n", "defaults.wall (line 3): must be a string such as"},
      {"[defaults]\nwall = [1]\n", "defaults.wall (line 3): must be a string such as"},
      {"[filesystem]\nwritable_box = \"no\"\n", "must be true or false"},
      {"[filesystem]\nwritable_tmp = 0\n", "must be true or false"},
      {"[network]\nmode = true\n", "network.mode (line 3): must be a string"},
      {"[output]\non_limit = 1\n", "output.on_limit (line 3): must be a string"},
      {"[walls]\nwithout = \"seccomp\"\n", "walls.without (line 3): must be a list of walls"},
      {"[walls]\nwithout = [1]\n", "walls.without (line 3): must be a string"},
      {"[walls]\nrequire = 1\n", "walls.require (line 3): must be a list of walls"},
      {"[network]\nwhy = 1\n", "network.why (line 3): must be a string"},
  };
  for (const BadFile& file : kFiles) expect_refused(file);
}

TEST(ParsePolicy, ValuesOutOfRangeAreRefused) {
  constexpr BadFile kFiles[] = {
      {"[defaults]\nwall = 0\n", "defaults.wall (line 3): limit wall: '0' is not a time"},
      {"[defaults]\nmemory = -1\n", "limit memory: '-1' is not a size"},
      {"[defaults]\nmemory = \"0\"\n", "limit memory: '0' is not a size"},
      {"[defaults]\ncpus = \"nan\"\n", "limit cpus: 'nan'"},
      {"[maximum]\nwhy = \"x\"\nmemory = \"17G\"\n",
       "maximum.memory (line 4): limit memory: 17.0 GiB is over the maximum of 16.0 GiB"},
      {"[maximum]\nwhy = \"x\"\nmemory = \"100M\"\n",
       "defaults: limit memory: 256.0 MiB is over the maximum of 100.0 MiB"},
      {"[defaults]\nwhy = \"x\"\nwall = \"2000s\"\n[maximum]\nwhy = \"x\"\nwall = \"1000s\"\n",
       "defaults: limit wall: 2000.00 s is over the maximum of 1000.00 s"},
      {"[network]\nmode = \"host\"\n", "must be \"none\" or \"loopback\""},
      {"[output]\non_limit = \"cut\"\n", "must be \"kill\" or \"drain\""},
      {"[walls]\nwithout = [\"moat\"]\n", "no wall is called 'moat'"},
      {"[walls]\nrequire = \"full\"\n", "must be \"FULL\" or a list of walls"},
      {"[walls]\nwhy = \"x\"\nwithout = [\"seccomp\"]\nrequire = \"FULL\"\n",
       "the same wall is required and left out"},
      {"name = \"\"", "name (line 2): must be 1 to 64"},
      {"name = \"../x\"", "name (line 2): must be 1 to 64"},
      {"name = \"Strict\"", "name (line 2): must be 1 to 64"},
  };
  for (const BadFile& file : kFiles) expect_refused(file);
}

TEST(ParsePolicy, AFileWithoutAReasonIsRefused) {
  const auto policy = parse_policy("name = \"x\"\n", "test");
  ASSERT_FALSE(policy);
  EXPECT_EQ(policy.error().message, "policy 'test': why: a policy must say what it is for");
  EXPECT_FALSE(parse_policy("why = \"\"\n", "test"));
  EXPECT_FALSE(parse_policy("why = \" \\n\"\n", "test"));
  EXPECT_FALSE(parse_policy("", "test"));
}

TEST(ParsePolicy, EachTableThatDiffersMustSayWhy) {
  constexpr BadFile kFiles[] = {
      {"[defaults]\nwall = \"2s\"\n", "defaults (line 2): differs from the default"},
      {"[maximum]\nwall = \"60s\"\n", "maximum (line 2): differs from the default"},
      {"[filesystem]\nwritable_box = false\n", "filesystem (line 2): differs"},
      {"[network]\nmode = \"none\"\n", "network (line 2): differs"},
      {"[output]\non_limit = \"drain\"\n", "output (line 2): differs"},
      {"[walls]\nrequire = [\"seccomp\"]\n", "walls (line 2): differs"},
      {"[walls]\nwhy = \"\"\nrequire = [\"seccomp\"]\n", "walls.why (line 3): must say why"},
  };
  for (const BadFile& file : kFiles) expect_refused(file);
}

TEST(ParsePolicy, ATableThatSaysTheDefaultNeedsNoReason) {
  EXPECT_TRUE(parse("[defaults]\nwall = \"10s\"\n[network]\nmode = \"loopback\"\n[walls]\n"));
}

TEST(ParsePolicy, BrokenTomlIsRefusedWithItsLine) {
  constexpr BadFile kFiles[] = {
      {"[defaults", "policy 'test': line 2: "},
      {"a = ", "line 2: "},
      {"[network]\nmode = \"none\"\nmode = \"none\"\n", "line 4: "},
      {"why = \"twice\"", "line 2: "},
      {"x = \"\xff\"", "line 2: "},
  };
  for (const BadFile& file : kFiles) expect_refused(file);
}

TEST(ParsePolicy, DeepNestingIsAnErrorAndNoCrash) {
  EXPECT_FALSE(parse("x = " + std::string(100'000, '[')));
  EXPECT_FALSE(parse("x = " + std::string(100'000, '[') + std::string(100'000, ']')));
}

}  // namespace
}  // namespace belljar
