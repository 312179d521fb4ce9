"""Opens for writing what in /proc changes the host or its own standing (T064, T200)."""

import os

from attempt import attempt, say

for name in (
    "sys/kernel/core_pattern",
    "sys/vm/drop_caches",
    "sys/kernel/hostname",
    "sysrq-trigger",
    "self/uid_map",
    "self/gid_map",
    "self/setgroups",
    "self/attr/current",
    "self/attr/exec",
    "self/loginuid",
    "self/timens_offsets",
    "self/mem",
    "self/clear_refs",
    "1/oom_score_adj",
    "self/coredump_filter",
    "self/timerslack_ns",
    "self/projid_map",
):
    attempt(f"write {name}", os.open, f"/proc/{name}", os.O_WRONLY)


def lower():
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("-1000")


attempt("lower oom_score_adj", lower)
say(f"oom_score_adj is negative: {int(open('/proc/self/oom_score_adj').read()) < 0}")
