#include "app/gateway_confinement.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "base/fd.h"
#include "base/sys.h"

namespace belljar::app {
namespace {

Status drop_identity(uid_t uid) {
  if (::geteuid() == 0) {
    for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
      if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return fail_errno("PR_CAPBSET_DROP");
    }
    if (::setgroups(0, nullptr) != 0) return fail_errno("setgroups");
    if (::setresgid(uid, uid, uid) != 0) return fail_errno("setresgid");
    if (::setresuid(uid, uid, uid) != 0) return fail_errno("setresuid");
    if (::getuid() != uid || ::setresuid(0, 0, 0) == 0) {
      return fail(Code::kInternal, "the gateway could become root again");
    }
  }
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) return fail_errno("capset");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("PR_SET_NO_NEW_PRIVS");
  return {};
}

Status add_rule(int ruleset, const char* path, std::uint64_t access) {
  TRY_ASSIGN(const Fd folder, sys::open_file(path, O_PATH));
  const landlock_path_beneath_attr rule{.allowed_access = access, .parent_fd = folder.get()};
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
    return fail_errno("landlock_add_rule");
  }
  return {};
}

Status restrict_files(const std::string& state_dir) {
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1) return {};
  constexpr std::uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
  constexpr std::uint64_t kWrite = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                                   LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                                   LANDLOCK_ACCESS_FS_MAKE_DIR;
  const landlock_ruleset_attr attributes{
      .handled_access_fs = kRead | kWrite | LANDLOCK_ACCESS_FS_EXECUTE |
                           LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                           LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                           LANDLOCK_ACCESS_FS_MAKE_SYM};
  const Fd ruleset = Fd::adopt(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
  if (!ruleset.valid()) return fail_errno("landlock_create_ruleset");
  TRY(add_rule(ruleset.get(), "/", kRead));
  TRY(add_rule(ruleset.get(), state_dir.c_str(), kRead | kWrite));
  // Pseudo-terminals for interactive runs.
  constexpr std::uint64_t kUse = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
  TRY(add_rule(ruleset.get(), "/dev/ptmx", kUse));
  TRY(add_rule(ruleset.get(), "/dev/pts", kUse));
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    return fail_errno("landlock_restrict_self");
  }
  return {};
}

}  // namespace

Status confine_gateway(uid_t uid, const std::string& state_dir) {
  TRY(drop_identity(uid));
  return restrict_files(state_dir);
}

}  // namespace belljar::app
