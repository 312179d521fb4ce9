// Turns a SyscallPolicy into a classic BPF program for seccomp(2).
#pragma once

#include <linux/filter.h>

#include <vector>

#include "syscall_policy.h"

namespace belljar::tools {

enum class Denials : std::uint8_t {
  kNotify,  // counted denials are user notifications
  kErrno,   // every denial is an errno
};

std::vector<sock_filter> compile_program(const SyscallPolicy& policy, Denials denials);

}  // namespace belljar::tools
