// Stacks seccomp filters of its own until there is no room, and asks for a listener (T115).
#include "attempt.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>

static struct sock_filter instructions[4096];
static struct sock_fprog program = {.len = 4096, .filter = instructions};

static long install(unsigned flags) {
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static void* synchronise(void* unused) {
  program.len = 1;
  attempt("from a thread", install(SECCOMP_FILTER_FLAG_TSYNC));
  return unused;
}

int main(void) {
  for (int i = 0; i < 4096; ++i)
    instructions[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  attempt("listener", install(SECCOMP_FILTER_FLAG_NEW_LISTENER));
  attempt("user dispatch", prctl(59 /* PR_SET_SYSCALL_USER_DISPATCH */, 0, 0, 0, 0));
  pthread_t thread;
  pthread_create(&thread, NULL, synchronise, NULL);
  pthread_join(thread, NULL);
  program.len = 4096;
  int count = 0;
  while (count < 1000 && install(0) == 0) ++count;
  attempt("filters without end", count < 1000 ? -1 : 0);
  return 0;
}
