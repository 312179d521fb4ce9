"""The census notices a planted leak of each kind, and nothing where nothing is."""

import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile

import pytest

from support import census, kernel_log
from support.canaries import Canaries, SecretFile
from support.command import wait_until

SHORT = 0.3  # seconds of patience; enough for what does not go away


@pytest.fixture(autouse=True)
def subreaper():
    census.adopt_orphans()
    census.reap_orphans()


def leaks(before, roots=None):
    return census.left_behind(before, roots, patience=SHORT)


def kinds(lines):
    return {line.split()[0] for line in lines}


def start(*command, **options):
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)


def unshared(*words):
    """A process in namespaces of its own that has made whatever `words` made there."""
    child = subprocess.Popen(
        [
            "unshare",
            "--mount",
            "--net",
            "--ipc",
            "--fork",
            "--kill-child",
            "sh",
            "-c",
            f"{' '.join(words)}; echo ready; read line",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "ready\n"
    (inner,) = census.descendants(census.processes(census.Roots()), child.pid)
    return child, inner


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can plant this")


def test_nothing_is_left_where_nothing_was_planted():
    before = census.take()
    subprocess.run(["true"], check=True)
    assert leaks(before) == []


def test_a_process_that_lives_on():
    before = census.take()
    child = start("sleep", "100")
    try:
        assert "process" in kinds(leaks(before))
    finally:
        child.kill()
        child.wait()
    assert "process" not in kinds(leaks(before))


def test_a_daemon_that_left_its_parent_and_session():
    before = census.take()
    script = (
        "import os; os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0);"
        " os.execlp('sleep', 'sleep', '100')"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    found = wait_until(lambda: [line for line in leaks(before) if "'sleep'" in line], "the daemon")
    pid = int(found[0].split()[2])
    os.kill(pid, signal.SIGKILL)
    assert "process" not in kinds(leaks(before))


def test_a_zombie_of_its_own_is_seen_and_an_adopted_one_is_reaped():
    before = census.take()
    child = start("true")
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert "process" in kinds(census.difference(before, census.take()))
    assert not [line for line in leaks(before) if f" {child.pid} " in line]  # reaps it
    child.wait()


def test_a_namespace_that_somebody_holds():
    before = census.take()
    child = start("unshare", "--user", "--net", "--ipc", "sleep", "100")
    try:
        wait_until(
            lambda: "namespace" in kinds(census.difference(before, census.take())), "unshare"
        )
        found = [line for line in leaks(before) if line.startswith("namespace")]
        assert {line.split()[2].partition(":")[0] for line in found} == {"user", "net", "ipc"}
    finally:
        child.kill()
        child.wait()


@needs_root
def test_a_mount():
    with tempfile.TemporaryDirectory() as place:
        before = census.take()
        child, inner = unshared(f"mount -t tmpfs none {place}")
        try:
            assert f"mount left: {place} from / of tmpfs none" in census.difference(
                before, census.take(census.Roots(viewer=inner))
            )
        finally:
            child.communicate("\n")


@needs_root
def test_a_mount_that_is_gone():
    child, inner = unshared(
        "umount -l /proc/sys/fs/binfmt_misc /dev/shm 2>/dev/null; mount -t tmpfs x /mnt; true"
    )
    try:
        with_mount = census.take(census.Roots(viewer=inner))
        without = dict(with_mount, mount=frozenset(list(with_mount["mount"])[1:]))
        assert "mount" in kinds(census.difference(with_mount, without))
    finally:
        child.communicate("\n")


@needs_root
@pytest.mark.parametrize("populated", [False, True])
def test_a_cgroup(populated):
    tops = [line.split()[4] for line in open("/proc/self/mountinfo") if " - cgroup" in line]
    assert tops
    for top in tops:
        folder = pathlib.Path(top, f"belljar-census-{os.getpid()}")
        before = census.take()
        folder.mkdir()
        child = start("sleep", "100")
        try:
            if populated and not (folder / "cpuset.cpus").exists():
                (folder / "cgroup.procs").write_text(str(child.pid))
            assert f"cgroup left: {folder}" in leaks(before)
        finally:
            child.kill()
            child.wait()
            wait_until(lambda: remove(folder), "an empty cgroup")
        assert leaks(before) == []


def remove(folder):
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


def test_a_living_cell_of_somebody_else_is_not_ours(monkeypatch):
    roots = census.Roots()
    monkeypatch.setattr(census, "_cgroup_folders", lambda _: [pathlib.Path("/proc")])
    monkeypatch.setattr(pathlib.Path, "read_text", lambda *_, **__: "1\n")
    assert list(census._cgroups(roots, below=set())) == []
    assert list(census._cgroups(roots, below={1})) == ["/proc"]


@pytest.mark.parametrize("kind", ["shm", "sem", "msg"])
def test_a_system_v_object(kind):
    libc = ctypes.CDLL(None, use_errno=True)
    before = census.take()
    arguments = {"shm": (0, 4096, 0o1600), "sem": (0, 1, 0o1600), "msg": (0, 0o1600)}[kind]
    made = getattr(libc, f"{kind}get")(*arguments)
    assert made >= 0
    try:
        assert any(line.startswith(f"sysvipc left: {kind} ") for line in leaks(before))
    finally:
        getattr(libc, f"{kind}ctl")(made, *((0, 0) if kind == "sem" else (0, None)))
    assert "sysvipc" not in kinds(leaks(before))


@pytest.mark.parametrize("place", ["/tmp", "/dev/shm", "/run", "/var/tmp"])
def test_a_file(place):
    if not os.access(place, os.W_OK):
        pytest.skip("only root can plant this")
    before = census.take()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="belljar-", dir=place))
    try:
        assert f"file left: {folder}" in leaks(before)
        middle = census.take()
        (folder / "lease").touch()
        assert f"file left: {folder}/lease" in leaks(middle)
    finally:
        (folder / "lease").unlink(missing_ok=True)
        folder.rmdir()
    assert "file" not in kinds(leaks(before))


def test_a_core_file(tmp_path):
    roots = census.Roots(core_folders=[str(tmp_path)])
    before = census.take(roots)
    (tmp_path / "core").write_bytes(b"\x7fELF")
    assert "core" in kinds(leaks(before, roots))
    middle = census.take(roots)
    (tmp_path / "core.123").write_bytes(b"\x7fELF")
    assert "core" in kinds(leaks(middle, roots))


def test_a_socket_of_each_sort():
    before = census.take()
    with socket.socket(socket.AF_UNIX) as abstract, socket.create_server(("127.0.0.1", 0)) as tcp:
        abstract.bind("\0belljar-census")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", 0))
            found = [line for line in leaks(before) if line.startswith("socket")]
            assert {line.split()[2] for line in found} == {"unix", "tcp", "udp"}
        assert tcp.fileno() >= 0
    assert "socket" not in kinds(leaks(before))


@needs_root
def test_an_interface():
    before = census.take()
    child, inner = unshared(
        "ip link add leaked type dummy || ip link add leaked type veth peer name other"
    )
    try:
        after = census.take(census.Roots(viewer=inner))
        if "leaked" not in after["interface"]:
            pytest.skip("this kernel makes no virtual interface")
        assert "interface left: leaked" in census.difference(before, after)
    finally:
        child.communicate("\n")


def test_a_key(tmp_path):
    uid = census.FIRST_LEASED_UID + 7
    (tmp_path / "keys").write_text(
        "12ab I--Q---   1 perm 1f3f0000     0 65534 keyring   _uid.0: empty\n"
        f"34cd I--Q---   2 perm 3f010000 {uid} {uid} user      secret: 6\n"
    )
    (tmp_path / "key-users").write_text(
        f"    0:   3 2/2 1/1000000 9/25000000\n{uid}:     1 1/1 1/200 9/20000\n"
    )
    assert list(census._keys(census.Roots(proc=tmp_path))) == [
        f"key 34cd of uid {uid}",
        f"keys of uid {uid}",
    ]


def test_a_descriptor():
    before = census.take()
    leaked = os.open("/dev/null", os.O_RDONLY)
    try:
        assert f"descriptor left: {leaked} -> /dev/null" in leaks(before)
    finally:
        os.close(leaked)
    assert "descriptor" not in kinds(leaks(before))


def test_a_setting(tmp_path):
    def roots(pattern):
        (tmp_path / "sys" / "kernel").mkdir(parents=True, exist_ok=True)
        (tmp_path / "sys" / "kernel" / "core_pattern").write_text(pattern)
        return census.Roots(proc=tmp_path)

    before = census.take(roots("core\n"))
    after = census.take(roots("|/tmp/evil\n"))
    assert census.difference(before, after) == [
        "sysctl left: kernel/core_pattern = |/tmp/evil",
        "sysctl gone: kernel/core_pattern = core",
    ]


def test_what_goes_away_by_itself_is_no_leak():
    before = census.take()
    child = start("sleep", "0.3")
    assert "process" in kinds(census.difference(before, census.take()))
    assert census.left_behind(before, patience=20) == []
    child.wait()


def test_what_is_ignored_by_name(monkeypatch):
    monkeypatch.setattr(census, "IGNORED", ("belljar-ignored-*",))
    before = census.take()
    with tempfile.TemporaryDirectory(prefix="belljar-ignored-"):
        assert leaks(before) == []


def test_a_kernel_that_complains_is_heard():
    lines = [
        "4,1,1,-;usb 1-1: new device\n",
        "4,2,2,-;BUG: unable to handle page fault\n",
        "4,3,3,-;WARNING: CPU: 1 PID: 7 at fs/x.c\n",
        "4,4,4,-;a.out[7]: segfault at 10\n",
    ]
    assert len(kernel_log.complaints(lines)) == 2


def test_canaries_sing_when_touched():
    with Canaries() as canaries:
        assert canaries.problems() == []
        with socket.create_connection(("127.0.0.1", int(canaries.words["port"]))):
            assert any("TCP socket" in line for line in canaries.problems())
        with socket.socket(socket.AF_UNIX) as link:
            link.connect("\0" + canaries.words["abstract"])
            assert any("abstract" in line for line in canaries.problems())
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(canaries.words["unix"])
            assert any("UNIX" in line for line in canaries.problems())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            link.sendto(b"x", ("127.0.0.1", int(canaries.words["udp_port"])))
            assert any("UDP" in line for line in canaries.problems())
        assert canaries.problems() == []
        os.kill(canaries.process.pid, signal.SIGSTOP)
        assert wait_until(canaries.problems, "a stopped process") == ["canary process: state T"]
        canaries.resume()
        os.kill(canaries.process.pid, signal.SIGKILL)
        wait_until(lambda: "ended" in "".join(canaries.problems()), "a dead process")


def test_canaries_of_a_killed_run_are_swept(tmp_path):
    script = (
        "import os, sys; from support.canaries import Canaries; made = Canaries().__enter__();"
        "print(made.folder, made.files[-1].path, made.process.pid, made.segment, flush=True);"
        "os.kill(os.getpid(), 9)"
    )
    # Both must look in one folder, and this process's tempfile remembers its first answer.
    temporary = {"TMPDIR": tempfile.gettempdir()}
    environment = {**os.environ, **temporary, "PYTHONPATH": str(pathlib.Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        timeout=20,
    )
    folder, file, pid, segment = done.stdout.split()
    assert pathlib.Path(file).exists()
    wait_until(lambda: not os.path.exists(f"/proc/{pid}") or census.reap_orphans(), "its process")
    with Canaries():
        assert not pathlib.Path(file).exists()
        assert not pathlib.Path(folder).exists()
    assert f" {segment} " not in census.Roots().read("sysvipc", "shm")


@pytest.mark.parametrize("harm", ["read", "write", "chmod", "link", "unlink", "replace"])
def test_a_secret_file_tells_what_was_done_to_it(tmp_path, harm):
    path = tmp_path / "secret"
    secret = SecretFile(path, "canary\n")
    assert secret.problems() == []
    if harm == "read":
        path.read_text()
        if secret.facts["read"] == path.stat().st_atime_ns:
            pytest.skip("this file system keeps no access times")
    elif harm == "write":
        path.write_text("canarx\n")
        os.utime(path, ns=(secret.facts["read"], secret.facts["changed"]))
    elif harm == "chmod":
        path.chmod(0o600)
    elif harm == "link":
        os.link(path, tmp_path / "other")
    elif harm == "unlink":
        path.unlink()
    else:
        content = path.read_text()
        path.unlink()
        path.write_text(content)
    assert secret.problems()
