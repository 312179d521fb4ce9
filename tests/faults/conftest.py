"""What the fault tests share: the binary, a static program that prints its walls, and a clean-up check."""

import json
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BELLJAR = os.environ.get("BELLJAR", str(ROOT / "build/release/belljar"))
# Under a tracer set-user-ID programs give nothing (execve(2)), newuidmap among them: an ordinary user's cell has
# fewer walls then, and what a fault changes is told from those.
AS_TRACED = [] if os.geteuid() == 0 else ["strace", "-f", "-qq", "-o", os.devnull]
FULL = os.environ.get("BELLJAR_TEST_FULL") == "1"

RUNTIME = """
name = "static"
title = "a static program"
extensions = [".static"]
package = "coreutils"
version = ["{tool}", "--version"]
[programs]
tool = ["/bin/true"]
[run]
argv = ["/box/facts.static", "{args}"]
[hello]
file = "hello.static"
source = '''
nothing
'''
"""


def cell_cgroups() -> list[str]:
    """<hierarchy>/belljar/c7 on v1, belljar/c7 below the root or a delegated subtree on v2; a zygote's branch, belljar/z3."""
    return [os.path.join(folder, name) for folder, names, _ in os.walk("/sys/fs/cgroup")
            if os.path.basename(folder) == "belljar" for name in names if re.fullmatch(r"[cz]\d+", name)]


def leftovers() -> list[str]:
    """Cgroups of cells, and processes of cells or wardens, that are there now."""
    found = cell_cgroups()
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if command[:2] == [b"belljar", b"warden"] or command[0] == b"init" and b"static" in (process / "comm").read_bytes():
            found.append(f"process {process.name}: {command}")
    return found


@pytest.fixture(scope="session")
def program(tmp_path_factory) -> list[str]:
    """The command that runs the fact printer in a cell, without its --json or strace before it."""
    folder = tmp_path_factory.mktemp("facts")
    binary = folder / "facts.static"
    subprocess.run(["gcc", "-O1", "-static", "-o", binary, ROOT / "tests/faults/facts.c"], check=True)
    runtimes = folder / "runtimes"
    runtimes.mkdir()
    (runtimes / "static.toml").write_text(RUNTIME)
    command = [BELLJAR, "run", "--json", "--runtimes", str(runtimes), "--limit", "wall=20s", str(binary)]
    subprocess.run(command, check=True, capture_output=True)  # fills the version cache
    done = subprocess.run([*AS_TRACED, *command], check=True, capture_output=True)
    # All that this host can give: a fault must cost none of them.
    walls = json.loads(done.stdout)["stages"][-1]["walls"]
    command[-1:-1] = ["--require", ",".join(walls)]
    return command


@pytest.fixture(scope="session")
def facts(program) -> str:
    """What the program prints in a cell that was made without a fault."""
    done = subprocess.run([*AS_TRACED, *program], check=True, capture_output=True)
    text = json.loads(done.stdout)["stages"][-1]["stdout"]["text"]
    assert text.startswith("started\n") and text.endswith("finished\n")
    return text


def pytest_configure(config):
    config.belljar_faults = {"suite": "faults", "faults_injected": 0}


def pytest_sessionfinish(session):
    results = os.environ.get("BELLJAR_TEST_RESULTS")
    if results:
        pathlib.Path(results, "faults.json").write_text(json.dumps(session.config.belljar_faults))
