"""Who Belljar is run as: root that lacks something, and somebody for whom no warden can begin."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from shell import belljar
from support.command import binary, environment


def run(before, program, *words, env=None):
    return subprocess.run(
        [*before, program, "run", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL,
        env=environment(env), timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def hello(folder):
    (folder / "hello.py").write_text("print('the program ran')\n")
    return "hello.py"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to lose")
@pytest.mark.parametrize("lost", ["sys_admin", "net_admin", "sys_time", "mknod"])
def test_root_without_a_capability_uses_a_user_namespace(hello, lost):
    whole = belljar("run", "--json", hello).json
    done = run(["setpriv", f"--bounding-set=-{lost}", f"--inh-caps=-{lost}", "--"], binary(), "--json", hello)
    assert done.returncode == 0, done.stdout + done.stderr
    part = json.loads(done.stdout)
    assert [whole["host"]["rootless"], part["host"]["rootless"]] == [False, True]
    # Its cells have uids of their own all the same: root may map a range without newuidmap.
    lost_walls = set(whole["stages"][-1]["walls"]) - set(part["stages"][-1]["walls"])
    assert lost_walls == {"private-devices"}


def test_why_a_warden_cannot_begin_is_told_every_time():
    """The request is under way when the warden gives up; its reason must not be lost to that."""
    with tempfile.TemporaryDirectory(prefix="belljar-cli-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        program = shutil.copy(binary(), folder / "belljar")
        (folder / "hello.py").write_text("print('the program ran')\n")
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"] if os.geteuid() == 0 else []
        for _ in range(20):
            done = run(user, program, folder / "hello.py", env={"XDG_RUNTIME_DIR": "/nonexistent"})
            assert done.returncode == 125, done.stderr
            assert "/nonexistent/belljar" in done.stderr
            assert done.stdout == ""
        allowed = folder / "runtime"
        allowed.mkdir()
        if user:
            os.chown(allowed, 65534, 65534)
        done = run(user, program, folder / "hello.py", env={"XDG_RUNTIME_DIR": str(allowed)})
        assert (done.returncode, done.stdout) == (0, "the program ran\n"), done.stderr
