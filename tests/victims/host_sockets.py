"""Connects to the host's UNIX sockets: abstract ones, and those with a path (T088, T089)."""

import os
import socket
import sys

from attempt import attempt, say

abstract, path = sys.argv[1:3]


def connect(address):
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(address)


attempt("abstract", connect, "\0" + abstract)
attempt("path", connect, path)
if len(sys.argv) < 4:
    for number, usual in enumerate(
        (
            "/run/docker.sock",
            "/var/run/docker.sock",
            "/run/dbus/system_bus_socket",
            "/run/systemd/private",
            "/run/containerd/containerd.sock",
            "/tmp/.X11-unix/X0",
            "/run/nscd/socket",
            "/dev/log",
        )
    ):
        attempt(f"usual {number}", connect, usual)
    with open("/proc/self/net/unix") as table:
        say(f"sockets in the table: {len(table.readlines()) - 1}")
