"""Writes to /tmp: safe-code-executor's attack on its read-only file system (T060)."""

open("/tmp/test.txt", "w").write("hello")
print("written")
