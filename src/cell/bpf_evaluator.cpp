#include "cell/bpf_evaluator.h"

#include <cstring>
#include <optional>
#include <string>

namespace belljar::cell {
namespace {

std::unexpected<Error> invalid(std::size_t at, std::string_view what) {
  return fail(Code::kInvalid, "instruction " + std::to_string(at) + ": " + std::string(what));
}

std::optional<std::uint32_t> load(const seccomp_data& data, std::uint32_t offset) {
  if (offset % sizeof(std::uint32_t) != 0 || offset >= sizeof data) return std::nullopt;
  std::uint32_t word = 0;
  std::memcpy(&word, reinterpret_cast<const char*>(&data) + offset, sizeof word);
  return word;
}

std::optional<bool> test(std::uint16_t code, std::uint32_t accumulator, std::uint32_t value) {
  switch (code) {
    case BPF_JMP | BPF_JEQ | BPF_K:
      return accumulator == value;
    case BPF_JMP | BPF_JGT | BPF_K:
      return accumulator > value;
    case BPF_JMP | BPF_JGE | BPF_K:
      return accumulator >= value;
    case BPF_JMP | BPF_JSET | BPF_K:
      return (accumulator & value) != 0;
    default:
      return std::nullopt;
  }
}

}  // namespace

Result<std::uint32_t> evaluate_bpf(std::span<const sock_filter> program,
                                   const seccomp_data& data,
                                   std::vector<bool>* executed) {
  std::uint32_t accumulator = 0;
  // Every jump is forward, so this ends.
  for (std::size_t at = 0; at < program.size(); ++at) {
    const sock_filter& instruction = program[at];
    if (executed != nullptr) (*executed)[at] = true;
    switch (instruction.code) {
      case BPF_LD | BPF_W | BPF_ABS: {
        const auto word = load(data, instruction.k);
        if (!word) return invalid(at, "loads from outside the data");
        accumulator = *word;
        break;
      }
      case BPF_ALU | BPF_AND | BPF_K:
        accumulator &= instruction.k;
        break;
      case BPF_JMP | BPF_JA:
        at += instruction.k;
        break;
      case BPF_RET | BPF_K:
        return instruction.k;
      default: {
        const auto holds = test(instruction.code, accumulator, instruction.k);
        if (!holds) return invalid(at, "unknown code " + std::to_string(instruction.code));
        at += *holds ? instruction.jt : instruction.jf;
      }
    }
  }
  return fail(Code::kInvalid, "the program ends without an answer");
}

}  // namespace belljar::cell
