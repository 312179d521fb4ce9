"""Walks out through /proc: the root, the working directory and descriptors of itself (T056)."""

import os
import subprocess
import sys

from attempt import attempt, say

secret = sys.argv[1]
say(f"cwd: {os.getcwd()}")
for start in (
    "/proc/self/root",
    "/proc/self/cwd/..",
    "/proc/self/fd/0/..",
    "/proc/1/root",
    "/proc/1/cwd",
    "/proc/self/task/1/root",
    "/.." * 20,
    "/box/" + "../" * 40,
    "/dev/fd/3/..",
):
    attempt(f"read through {start[:24]}", open, start + secret)
for number in range(3, 64):
    try:
        open(f"/proc/self/fd/{number}/../../..{secret}")
        say(f"attempt read through {number}: ok")
    except OSError:
        pass
with open("script", "w") as file:
    file.write("#!/proc/self/cwd/../../../../bin/sh\necho attempt script: started\n")
os.chmod("script", 0o755)
done = subprocess.run(["./script"], capture_output=True, text=True)
say(done.stdout.strip() or "attempt script: refused")
