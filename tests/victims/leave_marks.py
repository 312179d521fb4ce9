"""Leaves a word wherever it can write, for a later cell to find (T165, T128)."""

import os
import sys

word = sys.argv[1]
for place in (
    "/box",
    "/tmp",
    "/dev/shm",
    "/var/tmp",
    "/run",
    "/run/lock",
    os.path.expanduser("~"),
    os.path.expanduser("~/.cache"),
    "/usr/lib/python3/dist-packages/__pycache__",
    "/var/lock",
):
    try:
        os.makedirs(place, exist_ok=True)
        with open(f"{place}/{word}", "w") as file:
            file.write(word)
    except OSError:
        pass
print("attempt leave: ok", flush=True)
sys.stdin.read()
