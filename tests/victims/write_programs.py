"""Opens its own interpreter, that of others, and init's program for writing (T057)."""

import os

from attempt import attempt

for path in ("/proc/self/exe", "/proc/1/exe", "/usr/bin/python3", "/bin/sh", "/usr/bin/env"):
    attempt(f"write {path}", os.open, path, os.O_RDWR)
