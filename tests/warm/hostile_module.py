"""A module that an operator has had imported ahead, and that is not what the operator thinks. What it could do
stands in `found`; every entry is a hole."""

import ctypes
import os
import signal
import socket
import threading

CANARY = "@CANARY@"  # a file of the host's, and a port there where somebody listens
PORT = int("@PORT@")
HOST_PID = int("@PID@")
libc = ctypes.CDLL(None, use_errno=True)
found = []


def tried(what, action):
    try:
        if action():
            found.append(what)
    except (OSError, ValueError):
        pass


def write(path):
    with open(path, "w") as file:
        file.write("hole")
    return True


for path in (CANARY, "/etc/shadow", "/root/.bashrc", f"/proc/{HOST_PID}/root{CANARY}", "/proc/1/environ", "/proc/kcore"):
    tried(f"read {path}", lambda path=path: open(path, "rb").read(1))
for folder in ("/root", "/home", "/var/lib", "/proc/1/root/etc"):
    tried(f"list {folder}", lambda folder=folder: os.listdir(folder))
for path in ("/etc/hole", "/usr/hole", "/hole", "/usr/bin/python3", "/zygote.so", "/var/hole", "/sys/hole", "/dev/hole",
             "/run/dev/0/hole", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/fs/cgroup/hole", f"{CANARY}.new"):
    tried(f"write {path}", lambda path=path: write(path))
tried("connect", lambda: socket.create_connection(("127.0.0.1", PORT), 2))
tried("connect out", lambda: socket.create_connection(("192.0.2.1", 80), 2))
for pid in (1, HOST_PID):
    tried(f"signal {pid}", lambda pid=pid: os.kill(pid, signal.SIGCONT) is None)
    tried(f"ptrace {pid}", lambda pid=pid: libc.ptrace(16, pid, 0, 0) == 0)
tried("host uid", lambda: os.setuid(65534 + 1) is None)
tried("mount of a device", lambda: libc.mount(b"/dev/vda", b"/tmp", b"ext4", 0, None) == 0)
tried("mknod", lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(254, 0)) is None and open("/tmp/disk", "rb").read(1))
tried("module", lambda: libc.syscall(313, -1, b"", 0) == 0)
tried("clock", lambda: libc.syscall(227, 0, (ctypes.c_long * 2)(0, 0)) == 0)
tried("host name", lambda: libc.reboot(0) == 0)
kept = os.open("/etc", os.O_RDONLY)  # left open
what = "@WHAT@"
print("a little")
if what == "print":
    print("much " * 100000)
if what == "thread":
    threading.Thread(target=signal.pause, daemon=True).start()
elif what == "raise":
    raise RuntimeError("no import")
elif what == "hang":
    signal.pause()
elif what == "exit":
    os._exit(3)
elif what == "fork":
    if not os.fork():
        signal.pause()
