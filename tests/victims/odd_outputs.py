"""Results with every odd name, and results that are no files, many of them (T052, T182)."""

import os
import socket

names = [
    b"plain.txt",
    b"-rf",
    b"--help",
    b"new\nline",
    b"\x1b[31mred",
    b"\xff\xfe",
    b"..x",
    b"...",
    b"n" * 255,
    b" ",
    b"tab\t",
    "\u202egnp.exe".encode(),
    b"a\\b",
    b"$(id)",
    b"C:\\x",
    b"\x9b31m",
]
for name in names:
    with open(name, "wb") as file:
        file.write(b"odd")
os.mkfifo("fifo")
socket.socket(socket.AF_UNIX).bind("socket")
os.mkdir("many")
for number in range(2000):
    os.close(os.open(f"many/{number}", os.O_CREAT))
print("attempt names: ok")
