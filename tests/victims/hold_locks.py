"""Takes locks of every kind on shared files, and holds them until stdin ends (T166)."""

import fcntl
import os
import sys

from attempt import attempt

held = []
for path in (
    "/usr/bin/env",
    "/etc/passwd",
    "/bin/sh",
    "/dev/null",
    "/proc/self/exe",
    "/proc/self/ns/uts",
):
    for name, lock in (
        ("flock", lambda fd: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)),
        ("fcntl", lambda fd: fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)),
    ):
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:
            continue
        held.append(descriptor)
        attempt(f"{name} {path}", lock, descriptor)
sys.stdout.flush()
sys.stdin.read()
