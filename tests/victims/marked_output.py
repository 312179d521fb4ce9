"""A result with set-id bits and attributes (T053)."""

import os

from attempt import attempt

with open("wanted.bin", "wb") as file:
    file.write(b"\x7fELF")
attempt("user xattr", os.setxattr, "wanted.bin", "user.note", b"x")
attempt(
    "capability",
    os.setxattr,
    "wanted.bin",
    "security.capability",
    b"\x01\x00\x00\x02" + b"\xff" * 16,
)
attempt("chown", os.chown, "wanted.bin", 0, 0)
attempt("chmod", os.chmod, "wanted.bin", 0o6777)
