#include "cell/seccomp.h"

#include <algorithm>
#include <array>
#include <cerrno>

namespace belljar::cell {
namespace {

struct Denial {
  int number;
  int error;
};

struct CompiledProfile {
  SyscallProfile profile;
  std::span<const Denial> denials;  // the counted ones
};

#include "syscall_programs.inc"

}  // namespace

const SyscallProfile* find_profile(std::string_view name) {
  const auto* found = std::ranges::find_if(
      kProfiles, [&](const CompiledProfile& compiled) { return compiled.profile.name == name; });
  return found == std::end(kProfiles) ? nullptr : &found->profile;
}

int denial_errno(const SyscallProfile& profile, int number) {
  for (const CompiledProfile& compiled : kProfiles) {
    if (compiled.profile.name != profile.name) continue;
    for (const Denial& denial : compiled.denials) {
      if (denial.number == number) return denial.error;
    }
  }
  return EPERM;
}

std::string syscall_name(int number) {
  if (number >= 0 && static_cast<std::size_t>(number) < std::size(kNames)) {
    const std::string_view name = kNames[number];
    if (!name.empty()) return std::string(name);
  }
  return "syscall_" + std::to_string(number);
}

}  // namespace belljar::cell
