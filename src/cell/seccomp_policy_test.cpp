// The compiled programs against policies/syscalls/*.toml, read here by other code than compiled
// them.
#include <gtest/gtest.h>
#include <linux/audit.h>

#include <cerrno>
#include <map>
#include <random>
#include <set>

#include "cell/bpf_evaluator.h"
#include "cell/seccomp.h"

#include "base/toml.h"

namespace belljar::cell {
namespace {

constexpr int kHighestNamed = 470;  // libseccomp may know newer calls than the policy does

struct Verdicts {
  std::uint32_t plain;
  std::uint32_t counting;
  auto operator<=>(const Verdicts&) const = default;
};

int errno_of(std::string_view name) {
  static const std::map<std::string_view, int> kErrnos = {
      {"EAFNOSUPPORT", EAFNOSUPPORT},
      {"EINVAL", EINVAL},
      {"ENOMEM", ENOMEM},
      {"ENOPROTOOPT", ENOPROTOOPT},
      {"ENOSYS", ENOSYS},
      {"ENOTTY", ENOTTY},
      {"EPERM", EPERM},
      {"EPROTONOSUPPORT", EPROTONOSUPPORT},
  };
  return kErrnos.at(name);
}

Verdicts verdicts_of(const toml::table& rule) {
  const std::string_view action = rule["action"].value_or("");
  if (action == "allow") return {SECCOMP_RET_ALLOW, SECCOMP_RET_ALLOW};
  if (action == "skip") return {SECCOMP_RET_ERRNO, SECCOMP_RET_ERRNO};
  const auto denial =
      SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(errno_of(rule["errno"].value_or("")));
  return {denial, rule["count"].value_or(false) ? SECCOMP_RET_USER_NOTIF : denial};
}

// What a policy file says about each number: all the verdicts its rules can give.
class WrittenPolicy {
 public:
  explicit WrittenPolicy(std::string_view name) {
    std::map<std::string, int> numbers;
    for (int number = 0; number < 1024; ++number) numbers[syscall_name(number)] = number;
    const auto path = std::string(BELLJAR_SYSCALL_POLICIES "/").append(name).append(".toml");
    const toml::parse_result file = toml::parse_file(path);
    EXPECT_TRUE(file) << path;
    const auto fallback =
        SECCOMP_RET_ERRNO |
        static_cast<std::uint32_t>(errno_of(file.table()["default"]["errno"].value_or("")));
    fallback_ = {fallback, fallback};
    for (const toml::node& node : *file.table()["rule"].as_array()) {
      const toml::table& rule = *node.as_table();
      for (const toml::node& call : *rule["calls"].as_array()) {
        verdicts_[numbers.at(call.value_or(std::string()))].insert(verdicts_of(rule));
      }
    }
  }

  [[nodiscard]] std::set<Verdicts> of(int number) const {
    const auto found = verdicts_.find(number);
    return found == verdicts_.end() ? std::set{fallback_} : found->second;
  }
  [[nodiscard]] bool names(int number) const { return verdicts_.contains(number); }

 private:
  Verdicts fallback_{};
  std::map<int, std::set<Verdicts>> verdicts_;
};

Verdicts evaluate(const SyscallProfile& profile, const seccomp_data& data) {
  return {evaluate_bpf(profile.plain, data).value_or(0),
          evaluate_bpf(profile.counting, data).value_or(0)};
}

class SeccompPolicy : public testing::TestWithParam<std::string_view> {
 protected:
  const SyscallProfile& profile_ = *find_profile(GetParam());
  const WrittenPolicy written_{GetParam()};
};

TEST_P(SeccompPolicy, EveryNumberHasAClassThatIsWritten) {
  for (int number = 0; number < 1024; ++number) {
    const std::set<Verdicts> expected = written_.of(number);
    for (const std::uint64_t fill : {0ULL, 1ULL, 8ULL, 0x1000ULL, ~0ULL}) {
      const seccomp_data data{.nr = number,
                              .arch = AUDIT_ARCH_X86_64,
                              .instruction_pointer = 0,
                              .args = {fill, fill, fill, fill, fill, fill}};
      EXPECT_TRUE(expected.contains(evaluate(profile_, data)))
          << syscall_name(number) << " " << fill;
    }
  }
}

TEST_P(SeccompPolicy, NoArgumentsGiveAVerdictThatIsNotWritten) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 200000; ++round) {
    seccomp_data data{.nr = static_cast<int>(random() % 512),
                      .arch = AUDIT_ARCH_X86_64,
                      .instruction_pointer = random(),
                      .args = {}};
    for (auto& argument : data.args) argument = random() >> (random() % 64);
    const Verdicts got = evaluate(profile_, data);
    ASSERT_TRUE(written_.of(data.nr).contains(got)) << syscall_name(data.nr);
    if (got.counting != SECCOMP_RET_USER_NOTIF) {
      ASSERT_EQ(got.plain, got.counting) << syscall_name(data.nr);
      continue;
    }
    ASSERT_EQ(got.plain,
              SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(denial_errno(profile_, data.nr)))
        << syscall_name(data.nr);
  }
}

INSTANTIATE_TEST_SUITE_P(Profiles,
                         SeccompPolicy,
                         testing::Values("default", "init"),
                         [](const auto& param) { return std::string(param.param); });

TEST(SeccompPolicy, EveryKnownCallHasARuleAndSoAReason) {
  const WrittenPolicy written("default");
  for (int number = 0; number <= kHighestNamed; ++number) {
    const std::string name = syscall_name(number);
    if (name.starts_with("syscall_")) continue;
    EXPECT_TRUE(written.names(number)) << name;
  }
}

}  // namespace
}  // namespace belljar::cell
