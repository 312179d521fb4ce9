"""Makes device nodes, opens those of a host, and lists those it was given (T062)."""

import os
import stat

from attempt import attempt, say

for name in sorted(os.listdir("/dev")):
    mode = os.lstat(f"/dev/{name}").st_mode
    kind = "device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "other"
    say(f"{kind}: {name}")
attempt("mknod character", os.mknod, "/box/mem", 0o600 | stat.S_IFCHR, os.makedev(1, 1))
attempt("mknod block", os.mknod, "/box/sda", 0o600 | stat.S_IFBLK, os.makedev(8, 0))
attempt("mknod whiteout", os.mknod, "/box/whiteout", 0o600 | stat.S_IFCHR, os.makedev(0, 0))
for name in (
    "mem",
    "kmsg",
    "sda",
    "vda",
    "tty",
    "ptmx",
    "fuse",
    "net/tun",
    "kvm",
    "loop-control",
    "console",
    "tty0",
    "hugepages",
    "cpu_dma_latency",
    "rtc0",
    "vsock",
    "mapper/control",
):
    attempt(f"open {name}", os.open, f"/dev/{name}", os.O_RDWR)
for name in ("null", "zero", "full", "random", "urandom"):
    attempt(f"open {name}", os.open, f"/dev/{name}", os.O_RDONLY)
