"""Makes files that are all hole: of 8 EiB, and one that fits but is too much to keep (T022)."""

import os

from attempt import attempt

with open("huge.bin", "wb") as file:
    attempt("8 EiB", os.ftruncate, file.fileno(), (1 << 63) - 1)
with open("sparse.bin", "wb") as file:
    attempt("32 MiB", os.ftruncate, file.fileno(), 32 << 20)
