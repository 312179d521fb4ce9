"""Writes the bytes that its arguments say in hexadecimal, each argument in a write of its own (T179-T183)."""

import os
import sys

for word in sys.argv[1:]:
    data, _, times = word.partition("x")
    os.write(1, bytes.fromhex(data) * int(times or 1))
