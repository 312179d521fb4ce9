"""Prints its own word at full speed, for ever or so many times (T174)."""

import os
import sys

line = (sys.argv[1] + "\n").encode()
times = int(sys.argv[2]) if len(sys.argv) > 2 else 1 << 60
while times > 0:
    count = min(times, 512)
    os.write(1, line * count)
    os.write(2, line)
    times -= count
