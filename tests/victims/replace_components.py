"""Puts something else in the place of each part of a path: out, out/of, out/of/way.txt (T048)."""

import os
import socket
import sys

secret = sys.argv[1]


def link(path):
    os.symlink(secret, path)


def folder_link(path):
    os.symlink(os.path.dirname(secret), path)


def hard_link(path):
    os.link("plain.txt", path)


def unix_socket(path):
    socket.socket(socket.AF_UNIX).bind(path)


def device(path):
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))
    except OSError:
        pass


with open("plain.txt", "w") as file:
    file.write("plain")
kinds = [link, folder_link, hard_link, os.mkfifo, unix_socket, device, os.mkdir]
for kind in kinds:
    name = kind.__name__
    kind(f"{name}-0")
    os.makedirs(f"{name}-1")
    kind(f"{name}-1/of")
    os.makedirs(f"{name}-2/of")
    kind(f"{name}-2/of/way.txt")
for path in (__file__, "attempt.py"):
    if os.path.exists(path):
        os.unlink(path)
os.symlink(secret, __file__)
print("attempt replace: ok")
