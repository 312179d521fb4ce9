"""Canaries: things of the host that no cell may read, reach, signal or change."""

import contextlib
import ctypes
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile

FOLDERS = ("/etc", "/var/lib", "/srv", "/opt", "/home", "/root")
FOLDER = "belljar-canaries"
DAY = 86_400
IPC_CREAT, IPC_EXCL, IPC_RMID = 0o1000, 0o2000, 0


class SecretFile:
    """A file that any user may read, with an access time that the first read would change."""

    def __init__(self, path, content):
        self.path = pathlib.Path(path)
        self.content = content
        self.path.write_text(content)
        self.path.chmod(0o644)
        now = self.path.stat().st_mtime
        os.utime(self.path, (now - DAY, now))
        self.facts = self._facts()

    def _facts(self):
        status = self.path.stat()
        return {
            "mode": oct(status.st_mode),
            "uid": status.st_uid,
            "gid": status.st_gid,
            "links": status.st_nlink,
            "inode": status.st_ino,
            "changed": status.st_mtime_ns,
            "read": status.st_atime_ns,
        }

    def problems(self):
        try:
            now = self._facts()
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOATIME | os.O_NOFOLLOW)
            with open(descriptor, encoding="utf-8") as file:
                content = file.read()
        except OSError as error:
            return [f"canary file: {error}"]
        found = [
            f"canary file {self.path}: {name} was {value}, is {now[name]}"
            for name, value in self.facts.items()
            if now[name] != value
        ]
        if content != self.content:
            found.append(f"canary file {self.path}: its content changed")
        return found


def _listener(family, address, kind=socket.SOCK_STREAM):
    listener = socket.socket(family, kind)
    listener.bind(address)
    if kind == socket.SOCK_STREAM:
        listener.listen(16)
    listener.setblocking(False)
    return listener


def own_address():
    """An address of this host other than loopback, or an empty text where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; asks for the route
            return probe.getsockname()[0]
        except OSError:
            return ""


def sweep():
    """Removes what canaries left behind whose process was killed before it could."""
    for folder in pathlib.Path(tempfile.gettempdir()).glob(f"{FOLDER}-*"):
        if not _is_orphaned(folder.name):
            continue
        with contextlib.suppress(OSError, ValueError):
            segment = int((folder / "segment").read_text())
            ctypes.CDLL(None).shmctl(segment, IPC_RMID, None)
        shutil.rmtree(folder, ignore_errors=True)
    for folder in FOLDERS:
        for path in pathlib.Path(folder).glob("belljar-canary-*"):
            if _is_orphaned(path.name):
                path.unlink(missing_ok=True)


def _is_orphaned(name):
    match = re.search(r"-(\d+)-\w+$", name)
    return bool(match) and not os.path.exists(f"/proc/{match[1]}")


class Canaries:
    """Use as a context. `words` are what a case's arguments may name as {secret}, {port}, …"""

    def __init__(self):
        self.token = secrets.token_hex(16)  # stands in every secret; no output may hold it
        self.name = f"belljar-canary-{os.getpid()}-{secrets.token_hex(4)}"
        self._undo = []

    def __enter__(self):
        sweep()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{FOLDER}-{os.getpid()}-"))
        self._undo.append(lambda: shutil.rmtree(self.folder))
        self.folder.chmod(0o755)
        self.files = [self._secret(self.folder)]
        self.files += [self._secret(folder) for folder in FOLDERS if os.access(folder, os.W_OK)]

        self.tcp = self._keep(_listener(socket.AF_INET, ("0.0.0.0", 0)))
        port = self.tcp.getsockname()[1]
        self.udp = self._keep(_listener(socket.AF_INET, ("0.0.0.0", 0), socket.SOCK_DGRAM))
        self.tcp6 = self._keep(_listener(socket.AF_INET6, ("::1", 0))) if self._has_ipv6() else None
        self.unix = self._keep(_listener(socket.AF_UNIX, str(self.folder / "socket")))
        (self.folder / "socket").chmod(0o777)
        self.abstract = self._keep(_listener(socket.AF_UNIX, "\0" + self.name))

        # Ends by itself when this process is no more, however it ended.
        self.process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self._undo.append(self._end_process)
        self.segment = self._share_memory()
        self.words = {
            "secret": str(self.files[-1].path if len(self.files) == 1 else self.files[1].path),
            "secrets": ":".join(str(file.path) for file in self.files),
            "folder": str(self.folder),
            "port": str(port),
            "udp_port": str(self.udp.getsockname()[1]),
            "port6": str(self.tcp6.getsockname()[1] if self.tcp6 else 0),
            "host_ip": own_address() or "192.0.2.1",
            "unix": str(self.folder / "socket"),
            "abstract": self.name,
            "pid": str(self.process.pid),
            "shm_key": str(self.shm_key),
        }
        return self

    def __exit__(self, *_):
        while self._undo:
            self._undo.pop()()

    @staticmethod
    def _has_ipv6():
        return pathlib.Path("/proc/net/if_inet6").exists() and bool(
            pathlib.Path("/proc/net/if_inet6").read_text().strip()
        )

    def _secret(self, folder):
        path = pathlib.Path(folder, self.name)
        file = SecretFile(path, f"belljar canary {self.token}\n")
        self._undo.append(lambda: path.unlink(missing_ok=True))
        return file

    def _keep(self, listener):
        self._undo.append(listener.close)
        return listener

    def _end_process(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()

    def _share_memory(self):
        """A segment of the host that everybody may attach to."""
        libc = ctypes.CDLL(None, use_errno=True)
        self.shm_key = secrets.randbelow(1 << 30) + 1
        segment = libc.shmget(self.shm_key, 4096, IPC_CREAT | IPC_EXCL | 0o666)
        if segment < 0:
            raise OSError(ctypes.get_errno(), "shmget")
        self._undo.append(lambda: libc.shmctl(segment, IPC_RMID, None))
        (self.folder / "segment").write_text(str(segment))
        return segment

    def problems(self):
        """What is no longer as it was, one line each."""
        found = [line for file in self.files for line in file.problems()]
        listeners = {"TCP": self.tcp, "UNIX": self.unix, "abstract": self.abstract}
        if self.tcp6:
            listeners["TCP over IPv6"] = self.tcp6
        for name, listener in listeners.items():
            try:
                listener.accept()[0].close()
                found.append(f"canary listener: somebody connected to the {name} socket")
            except BlockingIOError:
                pass
        try:
            self.udp.recv(1)
            found.append("canary listener: somebody sent to the UDP socket")
        except BlockingIOError:
            pass
        if self.process.poll() is not None:
            found.append(f"canary process: ended with {self.process.returncode}")
        elif self._state() not in "SRD":  # D: a page of it is being read
            found.append(f"canary process: state {self._state()}")
        return found

    def _state(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
        return status.rpartition(") ")[2][0]

    def resume(self):
        """Lets a stopped canary process go on, so that one case's damage stays one case's."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
