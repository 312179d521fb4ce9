"""Reads many files of the shared root: the page cache is not this program's memory (T129)."""

import os

read = 0
for folder, _, files in os.walk("/usr/lib"):
    for name in files:
        path = os.path.join(folder, name)
        if os.path.isfile(path) and not os.path.islink(path):
            try:
                with open(path, "rb", buffering=0) as file:
                    while data := file.read(1 << 20):
                        read += len(data)
            except OSError:
                continue
        if read > 200 << 20:
            break
    if read > 200 << 20:
        break
print(f"attempt read: {'ok' if read > 100 << 20 else read}")
