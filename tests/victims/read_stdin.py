"""Reads standard input to its end: a held-open one must not hold the cell (T002)."""

import sys

data = sys.stdin.buffer.read()
print(f"attempt read to the end: {len(data)}")
