"""Prints every variable it can find, its own, its parent's and its init's (T189)."""

import os

print(sorted(os.environ))
for pid in ("self", "1", str(os.getppid())):
    try:
        print(open(f"/proc/{pid}/environ").read().replace("\0", "\n"))
    except OSError as error:
        print(type(error).__name__)
