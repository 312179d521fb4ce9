"""Looks for the objects of leave_ipc.py, and for those of the host (T170)."""

import ctypes
import socket
import sys

from attempt import attempt, libc, name_of, say

key, host_key = int(sys.argv[1]), int(sys.argv[2])


def check(what, result):
    say(f"attempt find {what}: {'ok' if result >= 0 else name_of(ctypes.get_errno())}")


check("shm", libc.shmget(key, 4096, 0))
check("sem", libc.semget(key, 1, 0))
check("msg", libc.msgget(key, 0))
check("shm of the host", libc.shmget(host_key, 4096, 0))
with socket.socket(socket.AF_UNIX) as link:
    attempt("find abstract", link.connect, f"\0belljar-{key}")
with socket.socket() as link:
    attempt("find tcp", link.connect, ("127.0.0.1", 40000 + key % 20000))
with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
    attempt("routing groups", link.bind, (0, 0xFFFFFFFF))
