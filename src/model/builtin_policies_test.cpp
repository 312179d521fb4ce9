#include "model/builtin_policies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace belljar {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

Policy builtin(std::string_view name) {
  Result<Policy> policy = builtin_policy(name);
  EXPECT_TRUE(policy) << policy.error().message;
  return policy ? *policy : Policy{};
}

TEST(BuiltinPolicies, AreThese) {
  EXPECT_THAT(builtin_policy_names(),
              ::testing::ElementsAre("default", "judge", "pysandbox", "safe-code-executor",
                                     "secure-sandbox", "strict"));
}

TEST(BuiltinPolicies, EachFileParsesAndCarriesItsOwnName) {
  for (const std::string_view name : builtin_policy_names()) {
    const auto policy = parse_policy(builtin_policy_text(name), "nameless");
    ASSERT_TRUE(policy) << policy.error().message;
    EXPECT_EQ(policy->name, name);
    EXPECT_EQ(*policy, builtin(name));
  }
}

// What lets a run under the default policy go without parsing a file.
TEST(BuiltinPolicies, TheDefaultFileSaysWhatTheProgramHolds) {
  EXPECT_EQ(*parse_policy(builtin_policy_text("default"), "nameless"), Policy{});
  EXPECT_EQ(builtin("default"), Policy{});
}

TEST(BuiltinPolicies, TheDefaultFileWritesEveryLimitOut) {
  const std::string text(builtin_policy_text("default"));
  const std::size_t maximum = text.find("[maximum]");
  ASSERT_NE(maximum, std::string::npos);
  for (const LimitField& field : limit_fields()) {
    const std::string line = "\n" + std::string(field.name) + " = ";
    EXPECT_THAT(text.substr(0, maximum), HasSubstr(line));
    EXPECT_THAT(text.substr(maximum), HasSubstr(line));
  }
}

TEST(BuiltinPolicies, StrictWritesNowhereAndTalksToNobody) {
  const Policy policy = builtin("strict");
  EXPECT_FALSE(policy.writable_box);
  EXPECT_FALSE(policy.writable_tmp);
  EXPECT_EQ(policy.network, Network::kNone);
  EXPECT_EQ(policy.defaults, Limits{});
}

TEST(BuiltinPolicies, JudgeTrustsNoVerdictThatNobodyMeasured) {
  const Policy policy = builtin("judge");
  EXPECT_EQ(policy.defaults.wall, seconds(10));
  EXPECT_EQ(policy.defaults.output, 16 * kMiB);
  EXPECT_EQ(policy.network, Network::kNone);
  EXPECT_EQ(policy.require, (WallSet{Wall::kMemoryLimit, Wall::kProcessLimit, Wall::kCpuBill}));
}

TEST(BuiltinPolicies, SafeCodeExecutorHasItsLimits) {
  const Policy policy = builtin("safe-code-executor");
  EXPECT_EQ(policy.defaults.wall, seconds(10));
  EXPECT_EQ(policy.defaults.memory, 128 * kMiB);
  EXPECT_EQ(policy.defaults.processes, 64U);
  EXPECT_FALSE(policy.writable_box);
  EXPECT_FALSE(policy.writable_tmp);
  EXPECT_EQ(policy.network, Network::kNone);
}

TEST(BuiltinPolicies, SecureSandboxHasItsLimits) {
  const Policy policy = builtin("secure-sandbox");
  EXPECT_EQ(policy.defaults.wall, seconds(3));
  EXPECT_EQ(policy.defaults.memory, 100 * kMiB);
  EXPECT_EQ(policy.defaults.cpus_milli, 1000U);
  EXPECT_EQ(policy.defaults.processes, 64U);
  EXPECT_EQ(policy.defaults.output, 100 * kKiB);
  EXPECT_EQ(policy.on_output_limit, OnOutputLimit::kDrain);
}

TEST(BuiltinPolicies, NoneLeavesAWallOut) {
  for (const std::string_view name : builtin_policy_names()) {
    EXPECT_TRUE(builtin(name).without.empty()) << name;
  }
}

TEST(BuiltinPolicies, AnUnknownNameListsTheKnown) {
  for (const std::string_view name : {"", "Default", "strict.toml", "../strict"}) {
    const auto policy = builtin_policy(name);
    ASSERT_FALSE(policy) << name;
    EXPECT_EQ(policy.error().code, Code::kNotFound);
    EXPECT_THAT(policy.error().message,
                HasSubstr("default, judge, pysandbox, safe-code-executor, secure-sandbox, strict"));
  }
  EXPECT_EQ(builtin_policy_text("nothing"), "");
}

}  // namespace
}  // namespace belljar
