"""The leak census: what stands on this host that a cell could have left behind.

take() looks at the host once and answers with a dict from a kind of thing to the things of that
kind; left_behind() looks again and again until nothing is there that was not there before, or until
its patience ends. The census is a subreaper's: adopt_orphans() makes every process that lost its
parent a child of this one, so that "ours" is a fact of the process tree and not a guess, and other
people's cells on the same host are left out.
"""

import ctypes
import fnmatch
import os
import pathlib
import re
import time

KINDS = (
    "process",
    "namespace",
    "mount",
    "cgroup",
    "sysvipc",
    "file",
    "core",
    "socket",
    "interface",
    "key",
    "descriptor",
    "loop",
    "sysctl",
)

# Uids that cells get: src/cell/lease.h. A cell has a few of them, so the range is generous.
FIRST_LEASED_UID = 0x42000000
LEASED_UIDS = 0x10000

NAMESPACES = ("mnt", "net", "pid", "ipc", "uts", "user", "cgroup", "time")
PLACES = ("/tmp", "/var/tmp", "/run", "/dev/shm", "/dev/mqueue")
SYSCTLS = (
    "kernel/core_pattern",
    "kernel/hostname",
    "kernel/domainname",
    "kernel/randomize_va_space",
    "kernel/sysrq",
    "fs/suid_dumpable",
    "fs/protected_hardlinks",
    "fs/protected_symlinks",
    "net/ipv4/ip_forward",
    "user/max_user_namespaces",
    "vm/overcommit_memory",
)
# Names that another program on a shared host may make at any moment, separated by commas.
IGNORED = tuple(filter(None, os.environ.get("BELLJAR_CENSUS_IGNORE", "").split(",")))

PATIENCE = 5.0  # seconds; the kernel takes namespaces down in the background
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """From now on a descendant that loses its parent becomes a child of this process."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


class Roots:
    """Where the census looks. The unit tests point single fields at what they planted."""

    def __init__(self, viewer="self", places=PLACES, core_folders=(), proc="/proc"):
        self.proc = pathlib.Path(proc)
        self.viewer = viewer  # the process whose mounts, network and cgroups are looked at
        self.places = tuple(places)
        temporary = os.environ.get("TMPDIR")
        if temporary and temporary not in self.places:
            self.places += (temporary,)
        self.core_folders = tuple(core_folders) or (os.getcwd(), "/", os.path.expanduser("~"))

    def read(self, *parts):
        try:
            return self.proc.joinpath(*map(str, parts)).read_text(errors="replace")
        except OSError:
            return ""


class Process:
    def __init__(self, pid, name, state, parent, started):
        self.pid, self.name, self.state = pid, name, state
        self.parent, self.started = parent, started

    def __str__(self):
        # Whether it runs or sleeps changes from look to look, and what stays is what is the same in all of them.
        return f"{self.pid} {self.name!r} started {self.started}{' dead' if self.state == 'Z' else ''}"


def processes(roots):
    """Every process by its pid. The name may hold anything, a ')' too: the last one ends it."""
    found = {}
    for entry in os.listdir(roots.proc):
        if not entry.isdigit():
            continue
        name, found_end, rest = roots.read(entry, "stat").rpartition(")")
        if not found_end:
            continue
        fields = rest.split()
        found[int(entry)] = Process(
            int(entry), name.partition("(")[2], fields[0], int(fields[1]), int(fields[19])
        )
    return found


def descendants(tree, of):
    """The pids that `of` stands above, at any distance."""
    children = {}
    for process in tree.values():
        children.setdefault(process.parent, []).append(process.pid)
    below, waiting = set(), list(children.get(of, ()))
    while waiting:
        pid = waiting.pop()
        if pid not in below:
            below.add(pid)
            waiting += children.get(pid, ())
    return below


def reap_orphans(keep=()):
    """Collects adopted children that have ended, but those of `keep`, which have an owner."""
    tree = processes(Roots())
    for process in tree.values():
        if process.parent == os.getpid() and process.state == "Z" and process.pid not in keep:
            try:
                os.waitpid(process.pid, os.WNOHANG)
            except ChildProcessError:
                pass


def _is_leased(uid):
    return FIRST_LEASED_UID <= uid < FIRST_LEASED_UID + LEASED_UIDS


def _uid_of(roots, pid):
    match = re.search(r"^Uid:\s+(\d+)", roots.read(pid, "status"), re.MULTILINE)
    return int(match[1]) if match else -1


def _stray(roots, tree, below):
    """Processes that look like a cell's and are nobody's: leased uid or cgroup, parent is pid 1."""
    for process in tree.values():
        # A dead one there waits for pid 1 alone; ours would have become children of this process.
        if process.pid in below or process.parent != 1 or process.state == "Z":
            continue
        in_cell = re.search(r"/belljar(/|$)", roots.read(process.pid, "cgroup"), re.MULTILINE)
        if in_cell or _is_leased(_uid_of(roots, process.pid)):
            yield process


def _namespaces(roots, pids):
    for pid in pids:
        for kind in NAMESPACES:
            try:
                yield os.readlink(roots.proc / str(pid) / "ns" / kind)
            except OSError:
                continue


def _mounts(roots):
    for line in roots.read(roots.viewer, "mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        fields, tail = before.split(), after.split()
        yield f"{fields[4]} from {fields[3]} of {tail[0]} {tail[1]}"


def _cgroup_folders(roots):
    for line in roots.read(roots.viewer, "mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        if after.split(" ", 1)[0] not in ("cgroup", "cgroup2"):
            continue
        top = before.split()[4]
        for folder, names, _ in os.walk(top):
            if re.search(r"/belljar[^/]*(/|$)", folder[len(top) :]):
                yield pathlib.Path(folder)
            names.sort()


def _cgroups(roots, below):
    for folder in _cgroup_folders(roots):
        try:
            members = {int(pid) for pid in (folder / "cgroup.procs").read_text().split()}
        except OSError:
            members = set()
        if members and not members & (below | {os.getpid()}):
            continue  # somebody else's living cell
        yield str(folder)


def _sysvipc(roots):
    for kind in ("shm", "sem", "msg"):
        for line in roots.read("sysvipc", kind).splitlines()[1:]:
            fields = line.split()
            yield f"{kind} key {fields[0]} id {fields[1]}"


def _ignored(name):
    return any(fnmatch.fnmatch(name, pattern) for pattern in IGNORED)


def _files(roots):
    for place in roots.places:
        try:
            names = os.listdir(place)
        except OSError:
            continue
        for name in names:
            if _ignored(name):
                continue
            path = f"{place}/{name}"
            yield path
            if name.startswith("belljar") and os.path.isdir(path):
                yield from (f"{path}/{below}" for below in os.listdir(path))


def _cores(roots):
    for folder in roots.core_folders:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            path = pathlib.Path(folder, name)
            if re.fullmatch(r"core(\.\d+)?", name) and path.is_file():
                yield f"{path} of {path.stat().st_mtime_ns}"


def _sockets(roots):
    for line in roots.read(roots.viewer, "net", "unix").splitlines()[1:]:
        fields = line.split(None, 7)
        if len(fields) == 8 and fields[7].startswith("@"):
            yield f"unix {fields[7]}"
    for protocol in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
        for line in roots.read(roots.viewer, "net", protocol).splitlines()[1:]:
            fields = line.split()
            if not protocol.startswith("tcp") or fields[3] == "0A":
                yield f"{protocol} {fields[1]}"


def _interfaces(roots):
    for line in roots.read(roots.viewer, "net", "dev").splitlines()[2:]:
        yield line.partition(":")[0].strip()


def _keys(roots):
    for line in roots.read("keys").splitlines():
        fields = line.split(None, 6)
        if len(fields) > 5 and _is_leased(int(fields[5])):
            yield f"key {fields[0]} of uid {fields[5]}"
    for line in roots.read("key-users").splitlines():
        uid = line.partition(":")[0].strip()
        if uid.isdigit() and _is_leased(int(uid)):
            yield f"keys of uid {uid}"


def _descriptors():
    folder = os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in os.listdir(folder):
            if int(name) == folder:
                continue
            try:
                yield f"{name} -> {os.readlink(name, dir_fd=folder)}"
            except OSError:
                continue
    finally:
        os.close(folder)


def _loops():
    for path in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            yield f"{path.parts[3]} of {path.read_text().strip()}"
        except OSError:
            continue


def _sysctls(roots):
    for name in SYSCTLS:
        yield f"{name} = {roots.read('sys', name).strip()}"


def take(roots=None):
    """Every thing that stands now, as a dict from kind to a frozenset of lines."""
    roots = roots or Roots()
    tree = processes(roots)
    below = descendants(tree, os.getpid())
    ours = [tree[pid] for pid in below] + list(_stray(roots, tree, below))
    things = {
        "process": (str(process) for process in ours),
        "namespace": _namespaces(roots, [os.getpid(), *(process.pid for process in ours)]),
        "mount": _mounts(roots),
        "cgroup": _cgroups(roots, below),
        "sysvipc": _sysvipc(roots),
        "file": _files(roots),
        "core": _cores(roots),
        "socket": _sockets(roots),
        "interface": _interfaces(roots),
        "key": _keys(roots),
        "descriptor": _descriptors(),
        "loop": _loops(),
        "sysctl": _sysctls(roots),
    }
    return {kind: frozenset(things[kind]) for kind in KINDS}


def difference(before, after):
    """What is new, and what of the host is gone: a mount or a setting may not vanish either."""
    lines = []
    for kind in KINDS:
        lines += [f"{kind} left: {thing}" for thing in sorted(after[kind] - before[kind])]
        if kind in ("mount", "sysctl", "interface"):
            lines += [f"{kind} gone: {thing}" for thing in sorted(before[kind] - after[kind])]
    return lines


def left_behind(before, roots=None, keep=(), patience=PATIENCE):
    """The difference that stays for as long as `patience`, as lines; none is the good answer."""
    deadline = time.monotonic() + patience
    stays = None
    while True:
        reap_orphans(keep)
        now = difference(before, take(roots))
        stays = now if stays is None else [line for line in stays if line in now]
        if not now:
            return []
        if time.monotonic() >= deadline:
            return stays
        time.sleep(0.02)
