"""A Docker daemon of the tests' own, and a small image that has Python and Belljar in it."""

import contextlib
import ctypes
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sysconfig
import tarfile
import tempfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PROGRAMS = ("dash", "cat", "head", "tail", "sleep", "newuidmap", "newgidmap")
LEFT_OUT = re.compile(r"/(__pycache__|test|idlelib|tkinter|lib2to3|ensurepip|dist-packages|config-3[^/]*)$")
# What setcap(8) would write, in place of the set-user-id bit: capabilities(7), struct vfs_cap_data.
FILE_CAPABILITIES = {
    name: struct.pack("<5I", 0x02000001, 1 << bit, 0, 0, 0).decode(errors="surrogateescape")
    for name, bit in {"newuidmap": 7, "newgidmap": 6}.items()
}
PATIENCE = 30
PR_SET_PDEATHSIG = 1


class Unavailable(Exception):
    """Why no container can be had here."""


class Docker:
    """A daemon that answers; `own` where the tests started it."""

    def __init__(self, address=None, own=False):
        self.own = own
        self._client = [shutil.which("docker", path=SEARCH)]
        if address:
            self._client += ["--host", address]
        self.image = f"belljar-test:{os.getpid()}"

    def command(self, *words):
        return [*self._client, *words]

    def call(self, *words, timeout=60):
        return subprocess.run(
            self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
        )

    def answers(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.call("info", timeout=10).returncode == 0
        return False

    def run(self, flags, *command):
        return self.call("run", "--rm", "--network", "none", *flags, self.image, *command)

    @contextlib.contextmanager
    def with_image(self, files):
        with tempfile.TemporaryDirectory(prefix="belljar-image-") as folder:
            archive = os.path.join(folder, "root.tar")
            write_root(archive, files)
            done = self.call("import", archive, self.image)
        if done.returncode != 0:
            raise RuntimeError(f"docker import: {done.stderr}")
        try:
            # What even the plainest container cannot do here, no flag of ours will mend.
            plain = self.run([], "cat", "/etc/passwd")
            if plain.returncode != 0:
                raise Unavailable(f"no container runs here: {last_line(plain.stderr)}")
            yield self
        finally:
            self.call("rmi", "--force", self.image)


@contextlib.contextmanager
def docker():
    """The daemon that is there, or one that goes away again."""
    if shutil.which("docker", path=SEARCH) is None:
        raise Unavailable("no docker command")
    there = Docker()
    if there.answers():
        yield there
        return
    if os.geteuid() != 0:
        raise Unavailable("no Docker daemon answers, and one can be started by root only")
    if shutil.which("dockerd", path=SEARCH) is None:
        raise Unavailable("no Docker daemon answers, and no dockerd is installed")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="belljar-docker-"))
    group = f"belljar-test-docker-{os.getpid()}"
    try:
        with own_daemon(folder, group) as address:
            yield Docker(address, own=True)
    finally:
        unmount_below(folder)
        shutil.rmtree(folder)
        remove_groups(group)


@contextlib.contextmanager
def own_daemon(folder, group):
    address = f"unix://{folder}/socket"
    words = [shutil.which("dockerd", path=SEARCH), "--host", address]
    words += [f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"]
    # Nothing of the host's network is touched: the containers here have none.
    words += ["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--bridge=none"]
    words += [f"--cgroup-parent=/{group}", "--shutdown-timeout=2"]
    with open(folder / "log", "wb") as log:
        child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={"PATH": SEARCH, "HOME": str(folder)},
            preexec_fn=die_with_parent,
        )
    try:
        wait_for(Docker(address), child, folder / "log")
        yield address
    finally:
        child.terminate()
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def wait_for(daemon, child, log):
    deadline = time.monotonic() + PATIENCE
    while not daemon.answers():
        if child.poll() is not None or time.monotonic() > deadline:
            raise Unavailable(f"dockerd does not start here: {last_line(log.read_text(errors='replace'))}")
        time.sleep(0.1)


def last_line(text):
    return (text.strip().splitlines() or ["it said nothing"])[-1]


def unmount_below(folder):
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4] for line in lines]
    for point in sorted((p for p in points if p.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "--lazy", point], check=False)


def remove_groups(name):
    """Empty by now, and by this name nobody's but ours."""
    for top in pathlib.Path("/sys/fs/cgroup").glob(f"**/{name}"):
        for place, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(place)


def write_root(archive, files):
    """The least that runs Python and Belljar: programs, what they link to, the standard library."""
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("usr", "usr/bin", "usr/lib", "usr/lib64", "usr/sbin", "etc", "dev", "proc", "sys", "run"):
            add_directory(tar, name, 0o755)
        add_directory(tar, "tmp", 0o1777)
        for name in ("bin", "lib", "lib64", "sbin"):
            add_link(tar, name, f"usr/{name}")
        add_link(tar, "usr/bin/sh", "dash")
        libraries = set()
        for name in (*PROGRAMS, "python3"):
            program = shutil.which(name, path=SEARCH)
            if program is None:
                raise RuntimeError(f"the image needs {name}")
            info = tar.gettarinfo(os.path.realpath(program), f"usr/bin/{name}")
            if name in FILE_CAPABILITIES:
                info.mode &= 0o777
                info.pax_headers["SCHILY.xattr.security.capability"] = FILE_CAPABILITIES[name]
            with open(program, "rb") as content:
                tar.addfile(info, content)
            libraries |= libraries_of(program)
        for library in libraries:
            tar.add(os.path.realpath(library), "usr/" + library.removeprefix("/usr/").lstrip("/"))
        library = sysconfig.get_path("stdlib")
        tar.add(library, library.lstrip("/"), filter=lambda info: None if LEFT_OUT.search(info.name) else info)
        tar.add(os.environ.get("BELLJAR") or ROOT / "build/release/belljar", "usr/bin/belljar")
        for name, file in files.items():
            tar.add(file, name.lstrip("/"))


def add_directory(tar, name, mode):
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, mode
    tar.addfile(info)


def add_link(tar, name, target):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    tar.addfile(info)


def libraries_of(program):
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    return set(re.findall(r"(/\S+) \(0x", listed.stdout))


@contextlib.contextmanager
def docker_with(files, folder):
    """A daemon with the image, and these files in it: text by path, made in `folder` first. Skips
    the test where no container can be had."""
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    try:
        with docker() as engine, engine.with_image({name: folder / name for name in files}):
            yield engine
    except Unavailable as why:
        pytest.skip(str(why))
