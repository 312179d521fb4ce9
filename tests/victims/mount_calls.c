// Tries every call that makes, moves, changes or lists mounts, the old ones and the new (T108).
#include "attempt.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/syscall.h>

int main(void) {
  attempt("mount tmpfs", mount("none", "/dev/shm", "tmpfs", 0, NULL));
  attempt("mount bind", mount("/", "/dev/shm", NULL, MS_BIND, NULL));
  attempt("mount remount", mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL));
  attempt("mount private", mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  attempt("umount2", umount2("/dev/shm", MNT_DETACH));
  int tree = (int)syscall(SYS_open_tree, AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */);
  attempt("open_tree", tree);
  attempt("move_mount", syscall(SYS_move_mount, tree, "", AT_FDCWD, "/dev/shm", 4));
  int fs = (int)syscall(SYS_fsopen, "tmpfs", 0);
  attempt("fsopen", fs);
  attempt("fsconfig", syscall(SYS_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0));
  attempt("fsmount", syscall(SYS_fsmount, fs, 0, 0));
  attempt("fspick", syscall(SYS_fspick, AT_FDCWD, "/", 0));
  uint64_t attributes[4] = {1, 0, 0, 0};
  attempt("mount_setattr",
          syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, attributes, sizeof attributes));
  uint64_t request[4] = {24, 1, 1, 0}, buffer[64];
  attempt("statmount", syscall(457, request, buffer, sizeof buffer, 0));
  attempt("listmount", syscall(458, request, buffer, 8, 0));
  return 0;
}
