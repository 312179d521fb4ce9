"""Watches files that all cells have, until stdin ends, and counts what it was told (T167)."""

import os
import struct
import sys

from attempt import attempt, libc, say

IN_ALL = 0xFFF
watch = libc.inotify_init1(os.O_NONBLOCK)
for path in ("/usr/bin/env", "/usr/bin", "/etc", "/etc/passwd", "/bin/sh", "/usr/lib", "/dev", "/"):
    if libc.inotify_add_watch(watch, path.encode(), IN_ALL) < 0:
        say(f"no watch on {path}")
say("attempt watch: ok")
sys.stdin.read()
events = 0
try:
    data = os.read(watch, 1 << 20)
    while data:
        length = struct.unpack_from("iIII", data)[3]
        data = data[16 + length :]
        events += 1
except BlockingIOError:
    pass
say(f"attempt events: {events}")
