// Looks into the process that watches it: pid 1 of its cell (T074).
#include "attempt.h"

#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

int main(void) {
  const char* files[] = {"mem", "maps", "environ", "fd",      "root",
                         "cwd", "exe",  "stat",    "syscall", "stack"};
  char path[64], byte;
  for (size_t i = 0; i < sizeof files / sizeof *files; ++i) {
    snprintf(path, sizeof path, "/proc/1/%s", files[i]);
    attempt(path, open(path, O_RDONLY));
  }
  attempt("ptrace attach", ptrace(PTRACE_ATTACH, 1, 0, 0));
  attempt("ptrace seize", ptrace(PTRACE_SEIZE, 1, 0, 0));
  struct iovec here = {&byte, 1}, there = {(void*)0x400000, 1};
  attempt("process_vm_readv", process_vm_readv(1, &here, 1, &there, 1, 0));
  attempt("process_vm_writev", process_vm_writev(1, &here, 1, &there, 1, 0));
  int pidfd = (int)syscall(SYS_pidfd_open, 1, 0);
  attempt("pidfd_getfd", syscall(SYS_pidfd_getfd, pidfd, 0, 0));
  attempt("kcmp", syscall(SYS_kcmp, 1, getpid(), 0, 0, 0));
  return 0;
}
