"""Hosts on a network of a test's own: network namespaces around a bridge, whose links can be cut and mended.

Nothing of it has a name outside: namespaces are held by descriptors and go with them and with what runs in them,
and the links go with the namespaces. The namespace of who tests is not touched.
"""

import contextlib
import ctypes
import os
import subprocess
import threading

from support.client import PATIENCE
from support.host import Host

CLONE_NEWNET = 0x40000000
OWN = "/proc/thread-self/ns/net"
BRIDGE = "hub"

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name, *arguments):
    if getattr(_libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def reason_against():
    """Why there can be no such network here; empty: there can."""
    if os.geteuid() != 0:
        return "only root makes network namespaces for others' processes"
    try:
        Network(["a"]).close()
    except (OSError, AssertionError) as error:
        return f"this host makes no bridge of network namespaces: {error}"
    return ""


def _new_namespace():
    """Its descriptor: made by a thread that ends with nothing else."""
    made = []

    def make():
        with contextlib.suppress(OSError):
            _call("unshare", CLONE_NEWNET)
            made.append(os.open(OWN, os.O_RDONLY | os.O_CLOEXEC))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if not made:
        raise OSError("unshare: no network namespace")
    return made[0]


@contextlib.contextmanager
def _inside(namespace):
    own = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("setns", namespace, CLONE_NEWNET)
        yield
    finally:
        _call("setns", own, CLONE_NEWNET)
        os.close(own)


class Network:
    """Each host has an address in 10.77.0.0/24; all reach one another until a link is cut."""

    def __init__(self, hosts):
        self._addresses = {name: f"10.77.0.{number}" for number, name in enumerate(hosts, 1)}
        self._namespaces = {}
        try:
            self._hub = self._add("")
            with _inside(self._hub):
                self._ip("link", "add", "name", BRIDGE, "type", "bridge")
                self._ip("link", "set", "dev", BRIDGE, "up")
            for name in hosts:
                self._connect(name)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        while self._namespaces:
            os.close(self._namespaces.popitem()[1])

    def _add(self, name):
        self._namespaces[name] = _new_namespace()
        return self._namespaces[name]

    def _ip(self, *words):
        done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0, (words, done.stderr)

    def _connect(self, name):
        namespace = self._add(name)
        there = f"/proc/{os.getpid()}/fd/{namespace}"
        with _inside(self._hub):
            self._ip("link", "add", "name", name, "type", "veth", "peer", "name", "eth0", "netns", there)
            self._ip("link", "set", "dev", name, "master", BRIDGE, "up")
        with _inside(namespace):
            self._ip("address", "add", f"{self._addresses[name]}/24", "dev", "eth0")
            for each in ("lo", "eth0"):
                self._ip("link", "set", "dev", each, "up")

    def host(self, name):
        return Host(self._addresses[name], lambda: _inside(self._namespaces[name]))

    def cut(self, name):
        """Nothing comes to that host and nothing leaves it; what runs there is told nothing."""
        with _inside(self._hub):
            self._ip("link", "set", "dev", name, "down")

    def mend(self, name):
        with _inside(self._hub):
            self._ip("link", "set", "dev", name, "up")

    def is_alone(self):
        """Whether nobody else holds any of it: no process is left on one of its hosts."""
        inodes = {os.stat(fd).st_ino for fd in self._namespaces.values()}
        found = set()
        for each in os.listdir("/proc"):
            if each.isdigit():
                with contextlib.suppress(OSError):
                    if os.stat(f"/proc/{each}/ns/net").st_ino in inodes:
                        found.add(each)
        return not found
