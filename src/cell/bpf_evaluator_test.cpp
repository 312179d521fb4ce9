#include "cell/bpf_evaluator.h"

#include <gtest/gtest.h>

#include <cstddef>

namespace belljar::cell {
namespace {

constexpr sock_filter line(unsigned code,
                           std::uint32_t k,
                           std::uint8_t yes = 0,
                           std::uint8_t no = 0) {
  return {.code = static_cast<std::uint16_t>(code), .jt = yes, .jf = no, .k = k};
}
constexpr sock_filter load_number() {
  return line(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
}
constexpr sock_filter answer(std::uint32_t verdict) {
  return line(BPF_RET | BPF_K, verdict);
}

// 1 where `test` of the call number with `value` holds, else 0.
std::uint32_t holds(unsigned test, std::uint32_t value, int number) {
  const sock_filter program[] = {load_number(), line(BPF_JMP | test | BPF_K, value, 1, 0),
                                 answer(0), answer(1)};
  const auto result =
      evaluate_bpf(program, {.nr = number, .arch = 0, .instruction_pointer = 0, .args = {}});
  EXPECT_TRUE(result);
  return result.value_or(99);
}

TEST(BpfEvaluator, ComparesWithoutSign) {
  EXPECT_EQ(holds(BPF_JEQ, 7, 7), 1);
  EXPECT_EQ(holds(BPF_JEQ, 7, 8), 0);
  EXPECT_EQ(holds(BPF_JGT, 7, 7), 0);
  EXPECT_EQ(holds(BPF_JGT, 7, -1), 1);
  EXPECT_EQ(holds(BPF_JGE, 7, 7), 1);
  EXPECT_EQ(holds(BPF_JGE, 7, 6), 0);
  EXPECT_EQ(holds(BPF_JSET, 6, 2), 1);
  EXPECT_EQ(holds(BPF_JSET, 6, 9), 0);
}

TEST(BpfEvaluator, LoadsBothHalvesOfAnArgument) {
  seccomp_data data{};
  data.args[5] = 0x1122334455667788;
  const auto low =
      static_cast<std::uint32_t>(offsetof(seccomp_data, args) + 5 * sizeof data.args[0]);
  const sock_filter program[] = {line(BPF_LD | BPF_W | BPF_ABS, low),
                                 line(BPF_ALU | BPF_AND | BPF_K, 0xff),
                                 line(BPF_JMP | BPF_JEQ | BPF_K, 0x88, 0, 2),
                                 line(BPF_LD | BPF_W | BPF_ABS, low + 4),
                                 line(BPF_JMP | BPF_JEQ | BPF_K, 0x11223344, 1, 0),
                                 answer(0),
                                 answer(1)};
  EXPECT_EQ(evaluate_bpf(program, data).value_or(99), 1);
}

TEST(BpfEvaluator, SaysWhichInstructionsRan) {
  const sock_filter program[] = {line(BPF_JMP | BPF_JA, 1), answer(1), answer(2)};
  std::vector<bool> executed(3);
  EXPECT_EQ(evaluate_bpf(program, {}, &executed).value_or(99), 2);
  EXPECT_EQ(executed, (std::vector<bool>{true, false, true}));
}

TEST(BpfEvaluator, RefusesWhatTheKernelWouldNotInstall) {
  // NOLINTNEXTLINE(misc-redundant-expression): BPF_ADD and BPF_K are zero, and say what is meant
  const sock_filter add[] = {line(BPF_ALU | BPF_ADD | BPF_K, 1), answer(0)};
  const sock_filter outside[] = {line(BPF_LD | BPF_W | BPF_ABS, sizeof(seccomp_data)), answer(0)};
  const sock_filter unaligned[] = {line(BPF_LD | BPF_W | BPF_ABS, 2), answer(0)};
  const sock_filter past_the_end[] = {line(BPF_JMP | BPF_JA, 0xffffffff), answer(0)};
  const sock_filter no_answer[] = {load_number()};
  EXPECT_FALSE(evaluate_bpf(add, {}));
  EXPECT_FALSE(evaluate_bpf(outside, {}));
  EXPECT_FALSE(evaluate_bpf(unaligned, {}));
  EXPECT_FALSE(evaluate_bpf(past_the_end, {}));
  EXPECT_FALSE(evaluate_bpf(no_answer, {}));
  EXPECT_FALSE(evaluate_bpf({}, {}));
}

}  // namespace
}  // namespace belljar::cell
