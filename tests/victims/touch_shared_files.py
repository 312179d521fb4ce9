"""Opens, reads and executes files that all cells have (T167)."""

import os
import subprocess

for _ in range(20):
    for path in ("/usr/bin/env", "/etc/passwd", "/bin/sh"):
        with open(path, "rb") as file:
            file.read()
    subprocess.run(["/usr/bin/env", "true"], check=True)
    os.listdir("/etc")
print("attempt touch: ok")
