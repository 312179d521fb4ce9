"""Writes the bytes that its arguments give in hexadecimal, one write for each (T179-T183)."""

import os
import sys

for word in sys.argv[1:]:
    data, _, times = word.partition("x")
    os.write(1, bytes.fromhex(data) * int(times or 1))
