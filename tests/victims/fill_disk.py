"""Fills /box, /tmp and /dev/shm with bytes until there is no room, at most MIB mebibytes (T012)."""

import sys

from attempt import name_of, say

most = int(sys.argv[1]) << 20 if len(sys.argv) > 1 else 1 << 40
block = b"x" * 65536
for place in ("/box", "/tmp", "/dev/shm"):
    written, result = 0, "ok"
    try:
        with open(f"{place}/filler", "wb", buffering=0) as file:
            while written < most:
                written += file.write(block)
    except OSError as error:
        result = name_of(error.errno)
    say(f"attempt fill {place}: {result}")
    say(f"filled {place}: {written >> 10} KiB")
