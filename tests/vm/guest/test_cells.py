"""Runs inside the guest: cells on pure cgroup v2, as whoever runs this, on a kernel without Landlock's scopes."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

BELLJAR = os.environ["BELLJAR"]
ROOT = os.geteuid() == 0
# What this 6.1 kernel, and an ordinary user besides, cannot have.
MISSING = {"landlock-scope"} | (set() if ROOT else {"private-devices"})

LOOP = "while True: pass\n"
MEMORY = 'x = "a" * 1000000000\n'
FORKS = "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass\n"
HIDDEN_CHILD = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if os.fork() == 0:
    end = time.process_time() + 0.5
    while time.process_time() < end: pass
    os._exit(0)
time.sleep(3)
"""
CAUGHT_OOM = """
import os, sys
if os.fork() == 0:
    b = []
    while True: b.append(bytearray(1 << 20))
os.wait()
sys.exit(0)
"""
DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: time.sleep(100)
    os._exit(0)
time.sleep(0.3)
"""


def run(source, tmp_path, *options):
    program = tmp_path / "program.py"
    program.write_text(source)
    done = subprocess.run([BELLJAR, "run", "--json", *options, program], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return json.loads(done.stdout)


def slots():
    return list(pathlib.Path("/sys/fs/cgroup").glob("**/belljar/c[0-9]*"))


def inside(parent):
    """Uids (real, effective, saved) by pid in the cell, of the processes of cells that `parent` runs."""
    uids = {}
    for status in pathlib.Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        except OSError:
            continue
        numbers = fields["NSpid"].split()
        if len(numbers) > 1 and parent in ancestors(status.parent.name):
            uids[int(numbers[-1])] = fields["Uid"].split()[:3]
    return uids


def ancestors(pid):
    while pid != "0":
        yield int(pid)
        try:
            pid = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            return


@pytest.fixture(autouse=True)
def nothing_is_left():
    yield
    assert slots() == []


def test_the_host_is_pure_v2_and_says_so(tmp_path):
    answer = run("print('hello')\n", tmp_path)
    assert answer["status"] == "ok"
    assert answer["host"]["cgroup_mode"] == "v2"
    assert answer["host"]["rootless"] is not ROOT


def test_what_is_missing_is_named_and_the_rest_stands(tmp_path):
    stage = run("pass\n", tmp_path)["stages"][0]
    assert set(stage["missing_walls"]) == MISSING
    assert {"memory-limit", "process-limit", "cpu-limit", "cpu-bill", "own-uid", "landlock"} <= set(stage["walls"])


def test_full_is_refused(tmp_path):
    answer = run("print('started')\n", tmp_path, "--require", "FULL")
    assert "stages" not in answer or not answer["stages"]
    assert "landlock-scope" in json.dumps(answer)


def test_processor_clock(tmp_path):
    answer = run(LOOP, tmp_path, "--limit", "cpu=1s,wall=60s")
    assert (answer["status"], answer["stages"][0]["clock"]) == ("timeout", "cpu")


def test_wall_clock(tmp_path):
    answer = run("import time\ntime.sleep(60)\n", tmp_path, "--limit", "wall=2s")
    assert (answer["status"], answer["stages"][0]["clock"]) == ("timeout", "wall")


def test_memory_limit_takes_the_whole_cell(tmp_path):
    answer = run(MEMORY, tmp_path, "--limit", "memory=128M,wall=60s,cpu=60s")
    assert answer["status"] == "memory_limit"
    assert answer["stages"][0]["usage"]["peak_memory_bytes"] <= 140 << 20
    assert run(CAUGHT_OOM, tmp_path, "--limit", "memory=64M,wall=60s,cpu=60s")["status"] == "memory_limit"


def test_fork_bomb(tmp_path):
    stage = run(FORKS, tmp_path, "--limit", "wall=4s,cpu=60s")["stages"][0]
    assert stage["status"] == "timeout"
    assert stage["events"]["process_limit_hits"] > 0
    # pids.peak came with a later kernel; where it is not known it is 0, never more than the limit.
    assert stage["usage"]["peak_processes"] <= 64


def test_a_hidden_child_is_billed(tmp_path):
    assert run(HIDDEN_CHILD, tmp_path, "--limit", "wall=60s")["stages"][0]["usage"]["cpu_ms"] >= 450


def test_a_daemon_dies_with_the_cell(tmp_path):
    answer = run(DAEMON, tmp_path, "--limit", "wall=60s")
    assert answer["status"] == "ok"
    assert answer["stages"][0]["events"]["leftover_processes"] == 1


def test_the_program_sees_no_host(tmp_path):
    text = run("import os\nprint(os.getuid() != 0, os.listdir('/home'), 'tester' in open('/etc/passwd').read())\n",
               tmp_path)["stages"][0]["stdout"]["text"]
    assert text == "True [] False\n"


def test_init_has_a_uid_of_its_own(tmp_path):
    """An execution under no_new_privs takes it away here, where a newer kernel leaves it."""
    program = tmp_path / "program.py"
    program.write_text("print('up', flush=True)\nimport time\ntime.sleep(60)\n")
    with subprocess.Popen([BELLJAR, "run", program], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as child:
        assert child.stdout.readline() == b"up\n"
        uids = inside(child.pid)
        child.terminate()
    (theirs,) = set(uids[2])
    real, effective, saved = uids[1]
    assert real == effective != theirs
    assert saved == theirs


def test_a_compiled_language(tmp_path):
    source = tmp_path / "hello.c"
    source.write_text('#include <stdio.h>\nint main(void) { puts("compiled"); return 0; }\n')
    done = subprocess.run([BELLJAR, "run", "--limit", "wall=60s", source], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.stdout == "compiled\n", done.stderr


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
