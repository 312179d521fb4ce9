"""No process is moved into a cgroup on the way of a run: each is born there. After a quiet moment a move waits for
every processor to come by (cgroup_attach_lock(), kernel/cgroup/cgroup.c), five milliseconds and more."""

import contextlib
import os
import pathlib
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from support.command import wait_until  # noqa: E402 - after the path above
from support.service import live_service  # noqa: E402

BELLJAR = os.environ["BELLJAR"]
TRACING = pathlib.Path("/sys/kernel/tracing")
GROUP = pathlib.Path("/sys/fs/cgroup/attach-test")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root sees the kernel's own calls")


def add(line):
    # Neither cut nor sought in: what is there stays.
    file = os.open(TRACING / "kprobe_events", os.O_WRONLY | os.O_APPEND)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


@pytest.fixture
def waits():
    """A function that answers how often the lock was waited for while another one ran."""
    if not (TRACING / "kprobe_events").exists():
        subprocess.run(["mount", "-t", "tracefs", "tracefs", TRACING], check=True)
    enable = TRACING / "events/kprobes/attach/enable"
    add("p:attach percpu_down_write")

    def count(action):
        (TRACING / "trace").write_text("")
        enable.write_text("1")
        try:
            action()
        finally:
            enable.write_text("0")
        lines = (TRACING / "trace").read_text().splitlines()
        return sum("attach:" in line for line in lines if not line.startswith("#"))

    yield count
    add("-:attach")


def move_a_process():
    with subprocess.Popen(["sleep", "60"]) as child, contextlib.ExitStack() as stack:
        GROUP.mkdir()
        stack.callback(GROUP.rmdir)
        stack.callback(child.wait)
        stack.callback(child.kill)
        (GROUP / "cgroup.procs").write_text(str(child.pid))


def test_the_probe_sees_a_process_that_is_moved(waits):
    assert waits(move_a_process) >= 1


def test_no_run_waits_for_it(waits, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import subprocess\nprint(subprocess.run(['/bin/echo', 'ran']).returncode)\n")

    def runs():
        for _ in range(3):
            time.sleep(0.5)  # a quiet moment
            done = subprocess.run([BELLJAR, "run", program], capture_output=True, stdin=subprocess.DEVNULL, check=True)
            assert done.stdout == b"ran\n0\n"

    assert waits(runs) == 0


def test_no_run_of_a_dry_pool_waits_for_it(waits):
    """Its cells are a zygote's, made while the run waits for one."""
    with live_service("--pool", "1") as service:

        def start_of_run():
            answer = service.call("POST", "/v1/runs?wait=1", {"language": "python", "source": "print(1)"})
            return answer.json["outcome"]["stages"][-1]["start"]

        wait_until(lambda: start_of_run() == "interpreter", "the zygote to be up")

        def runs():
            time.sleep(2)  # a quiet moment
            assert [start_of_run() for _ in range(4)] == ["interpreter"] * 4

        assert waits(runs) == 0
