"""Asks of every directory and file it can see whether it may write there (T060)."""

import os

from attempt import attempt, say, syscall

SYS_MOUNT, MS_REMOUNT, MS_BIND = 165, 32, 4096
FS_IOC_SETFLAGS = 0x40086602

for folder, folders, files in os.walk("/"):
    if folder == "/":
        folders.remove("proc")
    if os.access(folder, os.W_OK):
        say(f"writable: {folder}")
        folders.clear()
        continue
    for name in files:
        path = os.path.join(folder, name)
        if os.access(path, os.W_OK) and not os.path.islink(path):
            say(f"writable: {path}")
    folders.sort()
attempt("remount", syscall, SYS_MOUNT, b"none", b"/", 0, MS_REMOUNT, 0)
attempt("bind", syscall, SYS_MOUNT, b"/box", b"/usr", 0, MS_BIND, 0)
root = os.open("/", os.O_RDONLY)
attempt("chattr", syscall, 16, root, FS_IOC_SETFLAGS, b"\0" * 8)
attempt("mkdir", os.mkdir, "/new")
attempt("unlink", os.unlink, "/bin/sh")
attempt("rename", os.rename, "/usr/bin", "/usr/nib")
