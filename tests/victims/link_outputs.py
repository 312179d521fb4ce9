"""Offers links to files of the host as its results (T046)."""

import os
import sys

os.mkdir("folder")
for number, target in enumerate(
    [
        sys.argv[1],
        "/proc/self/environ",
        "/proc/1/root/etc/passwd",
        "/etc/passwd",
        "../../etc/passwd",
    ]
):
    os.symlink(target, f"link-{number}.txt")
os.symlink(os.path.dirname(sys.argv[1]), "folder/linked")
os.symlink("/", "root")
os.symlink("plain.txt", "inside.txt")
with open("plain.txt", "w") as file:
    file.write("plain")
print("attempt links: ok")
