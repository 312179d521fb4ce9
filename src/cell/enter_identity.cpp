#include "cell/enter_identity.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "cell/readback.h"
#include "cell/secure_bits.h"

namespace belljar::cell {
namespace {

bool empty_bounding_set() {
  for (unsigned long capability = 0; capability < 64; ++capability) {
    const int held = ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (held < 0) return errno == EINVAL;  // past the kernel's last capability
    if (held == 1 && ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return false;
  }
  return true;
}

bool bounding_set_is_empty() {
  for (unsigned long capability = 0; capability < 64; ++capability) {
    const int held = ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (held < 0) return errno == EINVAL || mismatch();
    if (held == 1) return mismatch();
  }
  return true;
}

bool drop_capabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct none[2] = {};
  if (::syscall(SYS_capset, &header, none) != 0) return false;
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return false;
  __user_cap_data_struct got[2] = {};
  if (::syscall(SYS_capget, &header, got) != 0) return false;
  for (const __user_cap_data_struct& set : got) {
    if ((set.effective | set.permitted | set.inheritable) != 0) return mismatch();
  }
  return bounding_set_is_empty();
}

bool change_ids(uid_t own) {
  if (::setgroups(0, nullptr) != 0 || ::setresgid(own, own, own) != 0 ||
      ::setresuid(own, own, own) != 0) {
    return false;
  }
  uid_t ids[3] = {};
  if (::getresuid(&ids[0], &ids[1], &ids[2]) != 0) return false;
  if (ids[0] != own || ids[1] != own || ids[2] != own) return mismatch();
  if (::getresgid(&ids[0], &ids[1], &ids[2]) != 0) return false;
  if (ids[0] != own || ids[1] != own || ids[2] != own) return mismatch();
  return ::getgroups(0, nullptr) == 0 || mismatch();
}

}  // namespace

bool become_user(const LaunchPlan& plan) {
  if (plan.walls.has(Wall::kNoCapabilities)) {
    if (!empty_bounding_set()) return false;
    if (::prctl(PR_SET_SECUREBITS, kSecureBits, 0, 0, 0) != 0) return false;
    if (::prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) != static_cast<int>(kSecureBits)) return mismatch();
  }
  // In a nested user namespace there is one uid, and it is this one already.
  if (plan.identity.nested_user_namespace) {
    if (::getuid() != plan.identity.user) return mismatch();
  } else if (!change_ids(plan.identity.user)) {
    return false;
  }
  return !plan.walls.has(Wall::kNoCapabilities) || drop_capabilities();
}

bool die_with_parent() {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return false;
  int signal = 0;
  if (::prctl(PR_GET_PDEATHSIG, &signal, 0, 0, 0) != 0) return false;
  if (signal != SIGKILL) return mismatch();
  // The parent may have died before the call: then pid 1 is not the parent any more.
  return ::getppid() == 1 || mismatch();
}

bool no_new_privs(const LaunchPlan& plan) {
  // Mitigations that this processor or kernel does not offer per task answer ENXIO or ENODEV.
  ::prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, PR_SPEC_FORCE_DISABLE, 0, 0);
  ::prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH, PR_SPEC_FORCE_DISABLE, 0, 0);
  if (!plan.walls.has(Wall::kNoNewPrivs)) return true;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 || mismatch();
}

}  // namespace belljar::cell
