"""Looks everywhere for what another cell may have left: names that hold a word (T165)."""

import os
import sys

word = sys.argv[1]
found = []
for folder, folders, files in os.walk("/"):
    if folder == "/":
        folders[:] = [name for name in folders if name not in ("proc", "usr")]
    found += [os.path.join(folder, name) for name in folders + files if word in name]
print("attempt find:", len(found))
