"""Makes empty files in /box, /tmp and /dev/shm until there is no inode, or MOST each (T020)."""

import os
import sys

from attempt import name_of, say

most = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
for place in ("/box", "/tmp", "/dev/shm"):
    os.mkdir(f"{place}/many")
    made, result = 0, "ok"
    try:
        while made < most:
            os.close(os.open(f"{place}/many/{made}", os.O_CREAT | os.O_WRONLY))
            made += 1
    except OSError as error:
        result = name_of(error.errno)
    say(f"attempt files in {place}: {result}")
