// Seccomp: the system-call filter of a cell, compiled from policies/syscalls/*.toml at build time.
//
// The filter denies with errno and never kills, save for a foreign ABI (SECCOMP_RET_KILL_PROCESS).
// Calls that are neither allowed nor named answer ENOSYS. A named denial is a user notification
// (SECCOMP_RET_USER_NOTIF, kernel 5.0, seccomp_unotify(2)) so that the warden can count it by name;
// the warden always answers with the rule's errno, never with "continue", so the notification is
// no policy decision. Denials that runtimes probe on every start (clone3, io_uring_setup, …) are
// plain SECCOMP_RET_ERRNO and are not counted. A second program has plain errno everywhere: it is
// used where no listener is wanted.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace belljar::cell {

struct SyscallProfile {
  std::string_view name;                  // "default"
  std::span<const sock_filter> counting;  // named denials notify
  std::span<const sock_filter> plain;     // named denials are SECCOMP_RET_ERRNO
};

// The profile compiled in under that name, or null.
const SyscallProfile* find_profile(std::string_view name);

// The errno with which a notified call of that number is answered.
// EPERM where the profile does not name it.
int denial_errno(const SyscallProfile& profile, int number);

// "ptrace"; "syscall_999" for a number without a name in the table.
std::string syscall_name(int number);

}  // namespace belljar::cell
