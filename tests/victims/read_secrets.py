"""Reads files of the host by their names (T068, T044)."""

import os
import sys

from attempt import attempt

for number, path in enumerate(sys.argv[1].split(":")):
    attempt(f"read {number}", open, path)
for path in (
    "/etc/shadow",
    "/root/.bash_history",
    "/root",
    "/home",
    "/var/log",
    "/boot",
    "/var/lib/dpkg/status",
):
    attempt(f"read {path}", os.open, path, os.O_RDONLY)
