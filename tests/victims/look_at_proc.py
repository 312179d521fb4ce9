"""Lists what /proc shows besides processes, and opens what tells of the host (T063, T065, T114)."""

import os

from attempt import attempt, say

own = str(os.getpid())
say("entries: " + " ".join(sorted(name for name in os.listdir("/proc") if not name.isdigit())))
say(
    "processes: "
    + ("only own" if {n for n in os.listdir("/proc") if n.isdigit()} <= {own} else "others")
)
for name in (
    "sys",
    "interrupts",
    "keys",
    "key-users",
    "timer_list",
    "kallsyms",
    "kcore",
    "kpagecount",
    "kpageflags",
    "pressure/memory",
    "locks",
    "loadavg",
    "uptime",
    "meminfo",
    "cpuinfo",
    "stat",
    "version",
    "cmdline",
    "mounts",
    "net/unix",
    "sysrq-trigger",
    "sched_debug",
    "diskstats",
    "sysvipc/shm",
    "modules",
    "partitions",
    "1/status",
    "1/environ",
    "1/cmdline",
    "2/../1/maps",
):
    attempt(f"open {name}", open, f"/proc/{name}")
for name in (
    "/sys",
    "/sys/fs/cgroup",
    "/sys/kernel/debug",
    "/sys/firmware",
    "/sys/class/net",
    "/sys/devices/virtual/powercap",
):
    attempt(f"list {name}", os.scandir, name)
with open("/proc/self/pagemap", "rb") as pages:
    pages.seek(8 * (id(own) // 4096))
    frame = int.from_bytes(pages.read(8), "little") & ((1 << 55) - 1)
say(f"attempt page frame: {'ok' if frame else 'hidden'}")
