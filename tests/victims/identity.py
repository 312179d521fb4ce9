"""Says who it is, as the kernel sees it (T105)."""

import ctypes
import os
import re

from attempt import libc, say

status = open("/proc/self/status").read()


def field(name):
    return re.search(rf"^{name}:[ \t]*(.*)$", status, re.MULTILINE)[1].strip()


for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Groups"):
    say(f"{name}: {field(name)}".rstrip())
uids, gids = field("Uid").split(), field("Gid").split()
say(f"one uid: {len(set(uids)) == 1}, one gid: {len(set(gids)) == 1}, root: {'0' in uids + gids}")
say(f"personality: {libc.personality(ctypes.c_ulong(0xffffffff))}")
say(f"session leader: {os.getsid(0) == os.getpid()}, umask: {os.umask(0):03o}")
say(f"seccomp filters: {'some' if int(field('Seccomp_filters')) > 0 else 'none'}")
say(
    f"pid: {os.getpid()}, parent: {os.getppid()}, nice: {os.nice(0)},"
    f" scheduler: {os.sched_getscheduler(0)}"
)
say(f"blocked signals: {field('SigBlk')}, ignored: {int(field('SigIgn'), 16) & ~0x1001000}")
