// Asks for new namespaces in every way there is, and for those of others (T030, T084).
#include "attempt.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

static const struct {
  const char* name;
  unsigned long flag;
} kinds[] = {{"user", CLONE_NEWUSER},    {"mnt", CLONE_NEWNS},  {"pid", CLONE_NEWPID},
             {"net", CLONE_NEWNET},      {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS},
             {"cgroup", CLONE_NEWCGROUP}};

// In a child, so that each attempt starts from the same place.
static void unshare_in_child(const char* what, unsigned long flags) {
  if (fork() == 0) {
    attempt(what, unshare((int)flags));
    _exit(0);
  }
  wait(NULL);
}

int main(int count, char** words) {
  int rounds = count > 1 ? atoi(words[1]) : 1;
  char what[64];
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i) {
      snprintf(what, sizeof what, "unshare %s", kinds[i].name);
      unshare_in_child(what, kinds[i].flag);
      snprintf(what, sizeof what, "clone %s", kinds[i].name);
      long child = syscall(SYS_clone, kinds[i].flag | SIGCHLD, 0, 0, 0, 0);
      if (child == 0) _exit(0);
      attempt(what, child);
      snprintf(what, sizeof what, "/proc/self/ns/%s", kinds[i].name);
      int fd = open(what, O_RDONLY);
      snprintf(what, sizeof what, "setns %s", kinds[i].name);
      // One's own user namespace cannot be joined again by anybody.
      if (fd >= 0 && kinds[i].flag != CLONE_NEWUSER && fork() == 0) {
        attempt(what, setns(fd, 0));
        _exit(0);
      }
      if (fd >= 0) close(fd);
      while (wait(NULL) > 0) {
      }
    }
    struct clone_args arguments = {.flags = CLONE_NEWUTS, .exit_signal = SIGCHLD};
    long child = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (child == 0) _exit(0);
    attempt("clone3", child);
    while (wait(NULL) > 0) {
    }
  }
  return 0;
}
