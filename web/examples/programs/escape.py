"""Looks for a way out of the cell. Each of these is refused, or shows the cell's own."""

import os
import socket


def attempt(what, action):
    try:
        print(f"{what}: {action()}")
    except OSError as error:
        print(f"{what}: {error}")


def connect():
    with socket.create_connection(("192.0.2.1", 80), timeout=1):
        return "connected"


attempt("who am I", os.getuid)
attempt("other processes", lambda: [name for name in os.listdir("/proc") if name.isdigit()])
attempt("the network", connect)
attempt("the host's passwords", lambda: open("/etc/shadow").read())
attempt("become root", lambda: os.setuid(0))
attempt("write to /usr", lambda: open("/usr/mine", "w"))
attempt("mount", lambda: os.system("mount -t tmpfs none /tmp 2>&1"))
