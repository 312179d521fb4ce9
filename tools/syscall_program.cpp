#include "syscall_program.h"

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <cstddef>
#include <map>

namespace belljar::tools {
namespace {

// Writes a program from its end to its start, so that every jump's target is there before the jump.
class Writer {
 public:
  // An instruction, by how many follow it plus one; stays valid while earlier ones are written.
  using Label = std::size_t;

  Label answer(std::uint32_t verdict) {
    const auto known = answers_.find(verdict);
    if (known != answers_.end() && size() - known->second <= kReach) return known->second;
    return answers_[verdict] = push(BPF_RET | BPF_K, verdict);
  }
  Label load(std::size_t offset, Label next) {
    fall_through(next);
    return push(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
  }
  Label keep_bits(std::uint32_t mask, Label next) {
    fall_through(next);
    return push(BPF_ALU | BPF_AND | BPF_K, mask);
  }
  // `test` is BPF_JEQ or BPF_JGE of the accumulator with the value.
  Label branch(unsigned test, std::uint32_t value, Label yes, Label no) {
    yes = bring_near(yes);
    no = bring_near(no);
    const auto skip_yes = static_cast<std::uint8_t>(size() - yes);
    const auto skip_no = static_cast<std::uint8_t>(size() - no);
    return push(BPF_JMP | test | BPF_K, value, skip_yes, skip_no);
  }
  std::vector<sock_filter> finish() && {
    std::ranges::reverse(backwards_);
    return std::move(backwards_);
  }

 private:
  // A conditional jump skips at most 255 instructions; one less leaves room for a second stepping
  // stone between the first one and the jump.
  static constexpr std::size_t kReach = 254;

  [[nodiscard]] std::size_t size() const { return backwards_.size(); }

  Label push(unsigned code, std::uint32_t k, std::uint8_t yes = 0, std::uint8_t no = 0) {
    backwards_.push_back({.code = static_cast<std::uint16_t>(code), .jt = yes, .jf = no, .k = k});
    return size();
  }
  Label jump(Label target) {
    return push(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(size() - target));
  }
  Label bring_near(Label target) { return size() - target <= kReach ? target : jump(target); }
  void fall_through(Label next) {
    if (next != size()) jump(next);
  }

  std::vector<sock_filter> backwards_;
  std::map<std::uint32_t, Label> answers_;
};

class Compiler {
 public:
  Compiler(const SyscallPolicy& policy, Denials denials) : policy_(policy), denials_(denials) {}

  std::vector<sock_filter> run() {
    lay_out_numbers();
    const Writer::Label kill = writer_.answer(SECCOMP_RET_KILL_PROCESS);
    const Writer::Label by_number =
        writer_.load(offsetof(seccomp_data, nr), search(0, segments_.size()));
    writer_.load(offsetof(seccomp_data, arch),
                 writer_.branch(BPF_JEQ, AUDIT_ARCH_X86_64, by_number, kill));
    return std::move(writer_).finish();
  }

 private:
  // What decides about a run of neighbouring numbers.
  struct Decision {
    std::uint32_t verdict = 0;
    std::vector<const Rule*> rules;  // where arguments decide; then `verdict` is unused

    bool operator==(const Decision&) const = default;
  };
  struct Segment {
    std::uint32_t first;
    Decision decision;
  };

  [[nodiscard]] std::uint32_t verdict(const Action& action) const {
    switch (action.kind) {
      case Action::Kind::kAllow:
        return SECCOMP_RET_ALLOW;
      case Action::Kind::kSkip:
        return SECCOMP_RET_ERRNO;
      case Action::Kind::kErrno:
        break;
    }
    if (action.counted && denials_ == Denials::kNotify) return SECCOMP_RET_USER_NOTIF;
    return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(action.error);
  }

  void add(std::uint32_t first, Decision decision) {
    if (!segments_.empty() && segments_.back().decision == decision) return;
    segments_.push_back({first, std::move(decision)});
  }

  void lay_out_numbers() {
    std::map<int, std::vector<const Rule*>> by_number;
    for (const Rule& rule : policy_.rules) {
      for (const int number : rule.numbers) by_number[number].push_back(&rule);
    }
    const Decision unknown{.verdict = verdict(policy_.fallback), .rules = {}};
    std::uint32_t next = 0;
    for (auto& [number, rules] : by_number) {
      const auto first = static_cast<std::uint32_t>(number);
      if (first > next) add(next, unknown);
      add(first, rules.front()->when.empty()
                     ? Decision{.verdict = verdict(rules.front()->action), .rules = {}}
                     : Decision{.verdict = 0, .rules = std::move(rules)});
      next = first + 1;
    }
    // Bit 30 makes a number one of the x32 ABI. -1 is no call of any ABI.
    const Decision foreign{.verdict = SECCOMP_RET_KILL_PROCESS, .rules = {}};
    add(next, unknown);
    add(0x40000000, foreign);
    add(0x80000000, unknown);
    add(0xc0000000, foreign);
    add(0xffffffff, unknown);
  }

  // A balanced tree of comparisons over the segments [begin, end).
  Writer::Label search(std::size_t begin, std::size_t end) {
    if (end - begin == 1) return decide(segments_[begin].decision);
    const std::size_t middle = begin + (end - begin) / 2;
    const Writer::Label above = search(middle, end);
    const Writer::Label below = search(begin, middle);
    return writer_.branch(BPF_JGE, segments_[middle].first, above, below);
  }

  Writer::Label decide(const Decision& decision) {
    if (decision.rules.empty()) return writer_.answer(decision.verdict);
    Writer::Label next = writer_.answer(verdict(decision.rules.back()->action));
    for (auto rule = decision.rules.rbegin() + 1; rule != decision.rules.rend(); ++rule) {
      Writer::Label held = writer_.answer(verdict((*rule)->action));
      for (auto condition = (*rule)->when.rbegin(); condition != (*rule)->when.rend();
           ++condition) {
        held = compare(*condition, held, next);
      }
      next = held;
    }
    return next;
  }

  Writer::Label compare(const Condition& condition, Writer::Label yes, Writer::Label no) {
    const std::size_t low = offsetof(seccomp_data, args) +
                            static_cast<std::size_t>(condition.argument) * sizeof(std::uint64_t);
    if (!condition.wide) return compare_half(low, condition.mask, condition.equals, yes, no);
    const std::size_t high = low + sizeof(std::uint32_t);
    for (auto value = condition.equals.rbegin(); value != condition.equals.rend(); ++value) {
      const Writer::Label low_equal = compare_half(low, condition.mask, {*value}, yes, no);
      no = compare_half(high, condition.mask >> 32, {*value >> 32}, low_equal, no);
    }
    return no;
  }

  Writer::Label compare_half(std::size_t offset,
                             std::uint64_t mask,
                             const std::vector<std::uint64_t>& values,
                             Writer::Label yes,
                             Writer::Label no) {
    for (auto value = values.rbegin(); value != values.rend(); ++value) {
      no = writer_.branch(BPF_JEQ, static_cast<std::uint32_t>(*value), yes, no);
    }
    const auto bits = static_cast<std::uint32_t>(mask);
    if (bits != 0xffffffff) no = writer_.keep_bits(bits, no);
    return writer_.load(offset, no);
  }

  const SyscallPolicy& policy_;
  const Denials denials_;
  std::vector<Segment> segments_;
  Writer writer_;
};

}  // namespace

std::vector<sock_filter> compile_program(const SyscallPolicy& policy, Denials denials) {
  return Compiler(policy, denials).run();
}

}  // namespace belljar::tools
