"""Two processes and two streams write in turns: each line must come out whole (T187)."""

import os

for number in range(200):
    os.write(2, f"err {number}\n".encode())
    os.write(1, f"out {number}\n".encode())
child = os.fork()
for number in range(200):
    os.write(1, f"{'child' if child == 0 else 'parent'} {number}\n".encode())
if child == 0:
    os._exit(0)
os.wait()
