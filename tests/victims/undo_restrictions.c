// Takes back what was done to it: death signal, limits, no_new_privs, capabilities, uids (T080).
#include "attempt.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/resource.h>

int main(void) {
  attempt("pdeathsig 0", prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0));
  attempt("dumpable 1", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
  attempt("no_new_privs 0", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
  attempt("securebits", prctl(PR_SET_SECUREBITS, 0, 0, 0, 0));
  attempt("ambient", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0));
  attempt("bounding set", prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0));
  attempt("ptracer", prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0));
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{~0U, ~0U, ~0U}, {~0U, ~0U, ~0U}};
  attempt("capset", syscall(SYS_capset, &header, data));
  attempt("setuid", setuid(0));
  attempt("setresuid", setresuid(0, 0, 0));
  attempt("setgid", setgid(0));
  attempt("setgroups", setgroups(0, NULL));
  static const struct {
    const char* name;
    int number;
  } limits[] = {{"NOFILE", RLIMIT_NOFILE},        {"NPROC", RLIMIT_NPROC},
                {"FSIZE", RLIMIT_FSIZE},          {"CPU", RLIMIT_CPU},
                {"MEMLOCK", RLIMIT_MEMLOCK},      {"MSGQUEUE", RLIMIT_MSGQUEUE},
                {"SIGPENDING", RLIMIT_SIGPENDING}};
  for (size_t i = 0; i < sizeof limits / sizeof *limits; ++i) {
    attempt(limits[i].name,
            setrlimit(limits[i].number, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}));
  }
  return 0;
}
