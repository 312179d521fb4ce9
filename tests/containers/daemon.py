"""A Docker daemon of the tests' own, or the one that is there, and an image of Belljar's in it."""

import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import pytest
from containers.images import SEARCH, add_belljar, root_in
from support.host import LOOPBACK

PATIENCE = 30
PR_SET_PDEATHSIG = 1


class Unavailable(Exception):
    """Why no container can be had here."""


class Docker:
    """A daemon that answers; `own` where the tests started it."""

    def __init__(self, address=None, own=False):
        self.own = own
        self.address = address
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

    def make_image(self, name, write, changes=()):
        """`write` is called with the image's root; changes are lines of a Dockerfile."""
        with tempfile.TemporaryDirectory(prefix="belljar-image-") as folder:
            archive = os.path.join(folder, "root.tar")
            with root_in(archive) as root:
                write(root)
            options = [word for change in changes for word in ("--change", change)]
            done = self.call("import", *options, archive, name)
        if done.returncode != 0:
            raise RuntimeError(f"docker import: {done.stderr}")

    @contextlib.contextmanager
    def with_image(self, files):
        self.make_image(self.image, lambda root: add_belljar(root, files))
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
    with own_docker() as started:
        yield started


@contextlib.contextmanager
def own_docker(host=LOOPBACK):
    """One that goes away again. On a host of a test's own its containers can have networks."""
    if os.geteuid() != 0:
        raise Unavailable("no Docker daemon answers, and one can be started by root only")
    if shutil.which("dockerd", path=SEARCH) is None:
        raise Unavailable("no Docker daemon answers, and no dockerd is installed")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="belljar-docker-"))
    group = f"belljar-test-docker-{os.getpid()}"
    try:
        with own_daemon(folder, group, host) as address:
            yield Docker(address, own=True)
    finally:
        unmount_below(folder)
        shutil.rmtree(folder)
        remove_groups(group)


@contextlib.contextmanager
def own_daemon(folder, group, host):
    address = f"unix://{folder}/socket"
    words = [shutil.which("dockerd", path=SEARCH), "--host", address]
    words += [f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"]
    words += ["--bridge=none", "--ip6tables=false"]
    if host is LOOPBACK:
        # Nothing of this machine's network is touched: the containers have none.
        words += ["--iptables=false", "--ip-forward=false"]
    words += [f"--cgroup-parent=/{group}", "--shutdown-timeout=2"]
    with open(folder / "log", "wb") as log, host.inside():
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


def flags_of(service, folder):
    """What a service of a compose file in `folder` is given, as words of `docker run`."""
    flags = []
    for option in service["security_opt"]:
        name, _, value = option.partition("=")
        if name == "apparmor" and not os.path.exists("/sys/kernel/security/apparmor/profiles"):
            continue
        flags += ["--security-opt", f"{name}={folder / value if name == 'seccomp' else value}"]
    for flag, name in {"--cap-drop": "cap_drop", "--cap-add": "cap_add"}.items():
        flags += [word for each in service[name] for word in (flag, each)]
    for flag, name in {"--memory": "mem_limit", "--memory-swap": "memswap_limit", "--pids-limit": "pids_limit",
                       "--cpus": "cpus"}.items():  # fmt: skip
        flags += [flag, str(service[name])]
    for name, value in service["environment"].items():
        flags += ["--env", f"{name}={value}"]
    return flags


@contextlib.contextmanager
def docker_with(files):
    """A daemon with the image, and these files in it: text by path. Skips the test where no container
    can be had."""
    try:
        with docker() as engine, engine.with_image(files):
            yield engine
    except Unavailable as why:
        pytest.skip(str(why))
