"""Takes inotify instances until it is refused, then holds them until stdin ends (T026)."""

import os
import sys

from attempt import libc, say

made = 0
while libc.inotify_init1(0) >= 0:
    made += 1
say(f"instances: {made}")
sys.stdin.read()
