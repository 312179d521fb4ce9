// Interprets a seccomp program in userspace, so that a filter can be tested without a kernel.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace belljar::cell {

// What the program returns for that call: SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | EPERM, …
// kInvalid for what seccomp(2) would not install: an unknown instruction, a load outside
// seccomp_data, a jump past the end, no return at the end. `executed`, where given, has one element
// per instruction; those that ran are set.
Result<std::uint32_t> evaluate_bpf(std::span<const sock_filter> program,
                                   const seccomp_data& data,
                                   std::vector<bool>* executed = nullptr);

}  // namespace belljar::cell
