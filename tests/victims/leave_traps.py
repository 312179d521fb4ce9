"""Leaves what would hurt a cleaner who walks by name: links, dead ends, closed folders (T051)."""

import os
import sys

for folder in ("/box", "/tmp", "/dev/shm"):
    os.chdir(folder)
    for number, target in enumerate(
        ["/", "/etc", "/root", os.path.dirname(sys.argv[1]), sys.argv[1]]
    ):
        os.symlink(target, f"trap-{number}")
    os.makedirs("closed/inside")
    os.chmod("closed/inside", 0)
    os.chmod("closed", 0)
    for _ in range(200):
        os.mkdir("deep")
        os.chdir("deep")
print("attempt traps: ok")
