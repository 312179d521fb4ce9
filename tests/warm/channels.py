"""What two cells could meet at. A program: `hold` takes all of it and tells what happens there, `probe` looks
whether somebody holds it and leaves traces, `both` does the two in one cell, where they must meet."""

import ctypes
import fcntl
import json
import os
import select
import socket
import sys
import time

NAME = "belljar-warm-channel"
KEY = 0x62656C6C
PORT = 5077
libc = ctypes.CDLL(None, use_errno=True)


def places():
    mapped = {line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if line.count("/")}
    files = {"/proc/self/exe", "/usr/bin/python3", "/etc/passwd", "/box/main.py", *mapped}
    files |= {f"/proc/self/map_files/{name}" for name in listed("/proc/self/map_files")[:8]}
    files |= {f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty")}
    return sorted(files) + ["/", "/box", "/tmp", "/dev", "/dev/shm", "/usr", "/usr/lib", "/etc", "/proc"]


def listed(folder):
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def opened(path):
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return -1


class Holder:
    def __init__(self):
        self.fds, self.held, held = [], {}, set()
        self.watcher = libc.inotify_init1(os.O_NONBLOCK)
        self.watched = {}
        for path in places():
            fd = opened(path)
            if fd < 0 or (inode := (os.fstat(fd).st_dev, os.fstat(fd).st_ino)) in held:
                continue
            held.add(inode)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.held[f"flock {path}"] = True
            except OSError:
                self.held[f"flock {path}"] = False
            self.fds.append(fd)
            watch = libc.inotify_add_watch(self.watcher, path.encode(), 0x20 | 0x10 | 0x8)  # open, close
            if watch >= 0:
                self.watched[watch] = path
        self.shared = libc.shmget(KEY, 4096, 0o1600 | 0o66)
        self.messages = libc.msgget(KEY, 0o1666)
        self.semaphore = libc.semget(KEY, 1, 0o1666)
        self.queue = libc.mq_open(f"/{NAME}".encode(), os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o666, None)
        self.abstract = socket.socket(socket.AF_UNIX)
        self.abstract.bind(f"\0{NAME}")
        self.abstract.listen()
        self.server = socket.socket()
        self.server.bind(("127.0.0.1", PORT))
        self.server.listen()
        # One connection that is over, and rests in TIME_WAIT at this end.
        client = socket.create_connection(("127.0.0.1", PORT))
        other, _ = self.server.accept()
        other.close()
        client.close()
        with open(f"/tmp/{NAME}", "w") as file, open(f"/dev/shm/{NAME}", "w") as memory:
            file.write("held")
            memory.write("held")
        # What it has just done itself.
        while self.watcher >= 0 and select.select([self.watcher], [], [], 0)[0]:
            os.read(self.watcher, 65536)

    def watch(self):
        """Tells what happens for as long as it lives."""
        while True:
            watcher = [self.watcher] if self.watcher >= 0 else []
            ready, _, _ = select.select([*watcher, self.abstract, self.server], [], [])
            for source in ready:
                if source == self.watcher:
                    data = os.read(self.watcher, 65536)
                    while data:
                        watch, length = int.from_bytes(data[:4], "little"), int.from_bytes(data[12:16], "little")
                        print("saw", self.watched.get(watch), flush=True)
                        data = data[16 + length :]
                else:
                    source.accept()
                    print("saw a connection", flush=True)


def met():
    """Where somebody else is."""
    found = []
    for path in places():
        fd = opened(path)
        if fd < 0:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found.append(f"flock {path}")
        except OSError:
            pass
        os.close(fd)
    for name, answer in (("shm", libc.shmget(KEY, 0, 0)), ("msg", libc.msgget(KEY, 0)), ("sem", libc.semget(KEY, 0, 0)),
                         ("mqueue", libc.mq_open(f"/{NAME}".encode(), os.O_RDONLY))):  # fmt: skip
        if answer >= 0:
            found.append(name)
    for name, family, address in (("abstract", socket.AF_UNIX, f"\0{NAME}"), ("tcp", socket.AF_INET, ("127.0.0.1", PORT))):
        try:
            socket.socket(family).connect(address)
            found.append(name)
        except OSError:
            pass
    try:
        socket.socket().bind(("127.0.0.1", PORT))
    except OSError:
        found.append("port")
    found += [f"file {path}" for path in (f"/tmp/{NAME}", f"/dev/shm/{NAME}") if os.path.exists(path)]
    return found


def census():
    """Whom and what one can see."""
    others = [int(name) for name in listed("/proc") if name.isdigit() and int(name) not in (os.getpid(), os.getppid())]
    signalled = []
    for pid in range(1, 400):
        try:
            os.kill(pid, 0)
            signalled.append(pid)
        except ProcessLookupError:
            pass
        except PermissionError:
            signalled.append(-pid)
    counters = {line.split(":")[0].strip(): line.split(":")[1].split() for line in open("/proc/self/net/dev") if ":" in line}
    return {
        "processes": others,
        "signalled": [pid for pid in signalled if abs(pid) not in (1, os.getpid(), os.getppid())],
        "sockets": len(open("/proc/self/net/tcp").readlines()) - 1,
        "received": {name: int(values[1]) for name, values in counters.items()},
        "tmp": listed("/tmp") + listed("/dev/shm"),
    }


def main(what):
    if what == "probe":
        before = census()
        print(json.dumps({"census": before, "met": met()}))
        return
    pid = 0
    if what == "both":
        pid = os.fork()
    if what == "hold" or pid:
        if not pid:
            holder = Holder()
            print("ready", json.dumps(holder.held), flush=True)
            holder.watch()
        while not os.path.exists(f"/tmp/{NAME}"):
            time.sleep(0.01)
        print(json.dumps({"census": census(), "met": met()}), flush=True)
        time.sleep(0.2)
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    else:
        Holder().watch()


main(sys.argv[1])
