// What the compiler of system-call policies refuses: every mistake is an error with the rule's
// name.
#include "syscall_policy.h"

#include <gtest/gtest.h>

namespace belljar::tools {
namespace {

constexpr std::string_view kDefault = "[default]\nerrno = 'ENOSYS'\nwhy = 'new'\n";
constexpr std::string_view kRule = "[[rule]]\nname = 'first'\nwhy = 'it is'\n";

// The message for a file with one rule, or "" where it is accepted.
std::string refusal(std::string_view rest) {
  const auto policy =
      parse_syscall_policy(std::string(kDefault).append(kRule).append(rest), "test");
  return policy ? "" : policy.error().message;
}

std::string second_rule(std::string_view rest) {
  return "action = 'allow'\ncalls = ['read', 'write']\n[[rule]]\nname = 'second'\nwhy = 'it is'\n" +
         std::string(rest);
}

TEST(SyscallPolicy, ReadsARule) {
  const auto policy = parse_syscall_policy(
      std::string(kDefault) + "[numbers]\nlistns = 470\n" + std::string(kRule) +
          "action = 'errno'\nerrno = 'EPERM'\ncount = true\ncalls = ['listns', 'socket']\n"
          "when = [{ argument = 1, ignore = ['SOCK_CLOEXEC'], equals = ['SOCK_RAW', 7] }]\n"
          "[[rule]]\nname = 'rest'\nwhy = 'it is'\naction = 'allow'\ncalls = ['listns', "
          "'socket']\n",
      "test");
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->name, "test");
  EXPECT_EQ(policy->names.at(470), "listns");
  const Rule expected{
      .name = "first",
      .action = {.kind = Action::Kind::kErrno, .error = EPERM, .counted = true},
      .numbers = {470, 41},
      .when = {{.argument = 1, .wide = false, .mask = 0xfff7ffff, .equals = {3, 7}}}};
  EXPECT_EQ(policy->rules.front(), expected);
}

TEST(SyscallPolicy, RefusesAnIncompleteRule) {
  EXPECT_EQ(refusal("calls = ['read']"), "rule \"first\": needs a text \"action\"");
  EXPECT_EQ(refusal("action = 'allow'"),
            "rule \"first\": needs a list \"calls\" that is not empty");
  EXPECT_EQ(refusal("action = 'errno'\nerrno = 'EPERM'\ncalls = ['read']"),
            "rule \"first\": needs \"count\": true or false");
  EXPECT_EQ(refusal(second_rule("action = 'skip'\ncalls = ['sync']\n[[rule]]\nname = 'third'\n"
                                "action = 'allow'\ncalls = ['brk']")),
            "rule \"third\": needs a text \"why\"");
}

TEST(SyscallPolicy, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(refusal("action = 'allow'\ncalls = ['read']\nerno = 1"),
            "rule \"first\": unknown key \"erno\"");
  EXPECT_EQ(refusal("action = 'allow'\ncalls = ['reed']"),
            "rule \"first\": unknown system call \"reed\"");
  // A name that libseccomp has for other architectures only.
  EXPECT_EQ(refusal("action = 'allow'\ncalls = ['socketcall']"),
            "rule \"first\": unknown system call \"socketcall\"");
  EXPECT_EQ(refusal("action = 'kill'\ncalls = ['read']"),
            "rule \"first\": unknown action \"kill\"");
  EXPECT_EQ(refusal("action = 'errno'\ncount = true\nerrno = 'EFOO'\ncalls = ['read']"),
            "rule \"first\": unknown errno \"EFOO\"");
  EXPECT_EQ(
      refusal("action = 'allow'\ncalls = ['read']\nwhen = [{ argument = 0, equals = ['X'] }]"),
      "rule \"first\": unknown constant \"X\"");
}

TEST(SyscallPolicy, RefusesConditionsThatCannotHold) {
  const auto condition = [](std::string_view text) {
    return refusal("action = 'allow'\ncalls = ['read']\nwhen = [{ " + std::string(text) + " }]");
  };
  EXPECT_EQ(condition("argument = 6, equals = [1]"),
            "rule \"first\": needs \"argument\" from 0 to 5");
  EXPECT_EQ(condition("argument = 0, mask = [4], equals = [1]"),
            "rule \"first\": compares with a value outside the mask");
  EXPECT_EQ(condition("argument = 0, equals = [0x100000000]"),
            "rule \"first\": compares with a value outside the mask");
  EXPECT_EQ(condition("argument = 0, equals = [1, 1]"), "rule \"first\": compares with 1 twice");
  EXPECT_EQ(condition("argument = 0, width = 16, equals = [1]"),
            "rule \"first\": \"width\" is 32 or 64");
}

TEST(SyscallPolicy, RefusesRulesThatNeverDecide) {
  EXPECT_EQ(refusal("action = 'allow'\ncalls = ['read', 'read']"),
            "rule \"first\": names read twice");
  EXPECT_EQ(refusal(second_rule("action = 'skip'\ncalls = ['write']")),
            "rule \"second\": \"first\" has decided system call 1 (write) already");
  EXPECT_EQ(refusal("action = 'allow'\ncalls = ['read']\nwhen = [{ argument = 0, equals = [1] }]"),
            "rule \"first\": system call 0 (read) needs a last rule without \"when\"");
  EXPECT_EQ(refusal("action = 'allow'\ncalls = ['read']\n" + std::string(kRule) +
                    "action = 'allow'\ncalls = ['brk']"),
            "rule \"first\": there are two of that name");
}

TEST(SyscallPolicy, RefusesTwoErrnosForCountedDenialsOfOneCall) {
  EXPECT_EQ(
      refusal("action = 'errno'\nerrno = 'EPERM'\ncount = true\ncalls = ['read']\n"
              "when = [{ argument = 0, equals = [1] }]\n[[rule]]\nname = 'second'\nwhy = 'it is'\n"
              "action = 'errno'\nerrno = 'EINVAL'\ncount = true\ncalls = ['read']"),
      "rule \"second\": another counted rule answers system call 0 (read) with another errno");
}

TEST(SyscallPolicy, RefusesNumbersThatAreNotTheLibrarys) {
  const auto numbers = [](std::string_view text) {
    const auto policy =
        parse_syscall_policy(std::string(kDefault).append("[numbers]\n").append(text), "test");
    return policy ? "" : policy.error().message;
  };
  EXPECT_EQ(numbers("read = 7"), "numbers.read: libseccomp knows it otherwise");
  EXPECT_EQ(numbers("fresh = 0"), "numbers.fresh: libseccomp knows it otherwise");
  EXPECT_EQ(numbers("fresh = -1"), "numbers.fresh: is no system call number");
  EXPECT_EQ(numbers("fresh = 900\nother = 900"),
            "numbers.other: the number has another name already");
}

TEST(SyscallPolicy, RefusesAFileWithoutItsParts) {
  EXPECT_FALSE(parse_syscall_policy("", "test"));
  EXPECT_FALSE(parse_syscall_policy(kDefault, "test"));
  EXPECT_FALSE(parse_syscall_policy("[default]\nerrno = 'ENOSYS'\n", "test"));
  EXPECT_FALSE(parse_syscall_policy("[default", "test"));
}

}  // namespace
}  // namespace belljar::tools
