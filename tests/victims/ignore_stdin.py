"""Has its ways with stdin: never reads it, closes it, or reads a byte and ends (T178)."""

import os
import sys

if sys.argv[1] == "close":
    os.close(0)
if sys.argv[1] == "byte":
    os.read(0, 1)
os.write(1, b"attempt end: ok\n")
