// Tries calls that act on the kernel as a whole, with arguments that would do no harm to it (T111).
#include "attempt.h"

#include <stdint.h>
#include <sys/syscall.h>

#define TRY(name, ...) attempt(#name, syscall(SYS_##name, __VA_ARGS__))

int main(void) {
  uint64_t zero[32] = {0};
  TRY(io_uring_setup, 0, zero);
  TRY(io_uring_enter, -1, 0, 0, 0, 0, 0);
  TRY(io_uring_register, -1, 0, 0, 0);
  TRY(io_setup, 0, zero);
  TRY(userfaultfd, -1);
  TRY(bpf, 0, zero, 0);
  TRY(perf_event_open, zero, 0, -1, -1, -1);
  TRY(keyctl, 0, -1, 0, 0, 0);
  TRY(add_key, "user", "belljar", "x", 1, 0);
  TRY(request_key, "user", "belljar", 0, 0);
  TRY(fanotify_init, -1, 0);
  TRY(fanotify_mark, -1, 0, 0, 0, 0);
  TRY(quotactl, -1, 0, 0, 0);
  TRY(kexec_load, 0, -1, 0, -1);
  TRY(kexec_file_load, -1, -1, 0, 0, -1);
  TRY(init_module, 0, 0, 0);
  TRY(finit_module, -1, 0, -1);
  TRY(delete_module, "belljar-has-no-such-module", 0);
  TRY(acct, "/belljar/has/no/such/file");
  TRY(swapon, "/belljar/has/no/such/file", 0);
  TRY(swapoff, "/belljar/has/no/such/file");
  TRY(reboot, 0, 0, 0, 0);
  TRY(settimeofday, zero, -1);
  TRY(adjtimex, -1);
  TRY(clock_adjtime, 99, zero);
  TRY(syslog, 99, 0, 0);
  TRY(lookup_dcookie, 0, 0, 0);
  TRY(iopl, 99);
  TRY(ioperm, 0xffff, 99, 1);
  TRY(modify_ldt, 99, 0, 0);
  TRY(process_madvise, -1, 0, 0, 0, -1);
  TRY(process_mrelease, -1, -1);
  TRY(kcmp, 1, 1, 99, 0, 0);
  TRY(move_pages, 1, 0, 0, 0, 0, -1);
  TRY(migrate_pages, -1, 0, 0, 0);
  TRY(mbind, 0, 0, 99, 0, 0, 0);
  TRY(set_mempolicy, 99, 0, 0);
  TRY(get_mempolicy, 0, 0, 0, 0, -1);
  TRY(vhangup, 0);
  TRY(sethostname, "", -1);
  TRY(setdomainname, "", -1);
  TRY(remap_file_pages, 0, 0, 0, 0, 0);
  TRY(pidfd_getfd, -1, 0, 0);
  attempt("lsm_get_self_attr", syscall(459, 0, 0, 0, -1));
  attempt("lsm_set_self_attr", syscall(460, 0, 0, 0, -1));
  attempt("lsm_list_modules", syscall(461, 0, 0, -1));
  attempt("cachestat", syscall(451, -1, 0, 0, 0));
  attempt("memfd_secret", syscall(447, -1));
  attempt("quotactl_fd", syscall(443, -1, 0, 0, 0));
  attempt("ustat", syscall(136, 0, zero));
  return 0;
}
