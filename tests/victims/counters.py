"""Prints what of the host's state shines through: must be the same in every cell (T171)."""

import os
import time

from attempt import say

say(f"pid {os.getpid()} parent {os.getppid()}")
for _ in range(3):
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    say(f"child {child}")
for path in (
    "/proc/sys/kernel/random/boot_id",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/interrupts",
    "/proc/pressure/memory",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/stat",
    "/proc/meminfo",
    "/sys/class/thermal",
    "/proc/sys/fs/file-nr",
    "/proc/net/snmp",
    "/proc/vmstat",
    "/etc/machine-id",
    "/etc/hostname",
    "/proc/sys/kernel/hostname",
):
    say(f"{path}: {'there' if os.path.exists(path) else 'absent'}")
for path in ("/box", "/tmp", "/dev/shm"):
    room = os.statvfs(path)
    say(f"room in {path}: {room.f_blocks} {room.f_files}")
for path in ("/", "/etc"):
    room = os.statvfs(path)
    say(f"room in {path}: {room.f_bfree} blocks, {room.f_ffree} files free")
say(f"uptime under a minute: {time.clock_gettime(time.CLOCK_BOOTTIME) < 60}")
say(f"host name: {os.uname().nodename} {os.uname().release != ''}")
