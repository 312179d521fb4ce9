"""Looks for its cgroup, mounts a tree of its own, and writes to what it finds (T085)."""

import os

from attempt import attempt, say, syscall

SYS_MOUNT = 165
for kind in (b"cgroup", b"cgroup2"):
    attempt(
        f"mount {kind.decode()}",
        syscall,
        SYS_MOUNT,
        kind,
        b"/tmp",
        kind,
        0,
        b"memory" if kind == b"cgroup" else 0,
    )
for path in (
    "cgroup.procs",
    "memory/memory.limit_in_bytes",
    "memory/tasks",
    "release_agent",
    "devices/devices.allow",
    "unified/cgroup.procs",
):
    attempt(f"write {path}", os.open, f"/sys/fs/cgroup/{path}", os.O_WRONLY)
attempt("new group", os.mkdir, "/sys/fs/cgroup/mine")
paths = {line.rstrip("\n").split(":", 2)[2] for line in open("/proc/self/cgroup")}
say(f"own groups: {' '.join(sorted(paths))}")
