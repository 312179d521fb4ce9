"""Not hostile at all: does ordinary things and prints what must be the same in every cell."""

import hashlib
import os
import subprocess
import sys
import tempfile
import threading

sums = []


def work():
    sums.append(sum(number * number for number in range(10_000)))


threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
with tempfile.NamedTemporaryFile("w+") as file:
    file.write("kept")
    file.seek(0)
    kept = file.read()
with open("note.txt", "w") as note:
    note.write("in the box")
done = subprocess.run(["/bin/sh", "-c", "echo child; exit 3"], capture_output=True, text=True)

print(os.getcwd(), sorted(os.listdir(".")), sorted(os.listdir("/tmp")))
print(sums, kept, done.stdout.strip(), done.returncode)
print(hashlib.sha256(b"belljar").hexdigest(), sorted(os.environ), sys.argv[1:])
