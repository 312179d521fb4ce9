"""The runner itself: a Belljar that lies, leaks or fails is caught by each oracle on its own."""

import copy
import json
import os
import pathlib
import signal
import stat
import textwrap
import tomllib

import pytest

from hostile import bench as bench_module
from hostile import oracle, scenarios
from hostile.rows import control_policy, with_compile_limits
from support import census, command
from support.command import Run, Wanted

GOOD = {
    "status": "ok",
    "reason": "exit code 0",
    "artifacts": [{"path": "a.txt", "bytes": 1, "executable": False}],
    "stages": [
        {
            "stage": "run",
            "status": "ok",
            "reason": "exit code 0",
            "exit_code": 0,
            "stdout": {
                "text": "attempt x: EPERM\nburnt y: 300\n",
                "total_bytes": 29,
                "truncated": False,
            },
            "stderr": {"text": "", "total_bytes": 0, "truncated": False},
            "usage": {"cpu_ms": 310.0},
            "limits": {"cpu_ms": 500},
            "walls": ["seccomp"],
            "denied_syscalls": [{"name": "mount", "count": 2}],
        }
    ],
}
EXPECT = {
    "status": "ok",
    "exit_code": 0,
    "attempts": {"x": "EPERM|EACCES"},
    "denied": ["mount"],
    "facts": [
        "usage.cpu_ms >= 300",
        'walls has "seccomp"',
        'outcome.status == "ok"',
        "usage.cpu_ms <= $limits.cpu_ms",
    ],
    "artifacts": ["a.txt"],
    "bill_covers": "y",
    "code": 0,
    "stdout_match": "^burnt",
    "stdout_lacks": ["secret"],
}


def run_of(outcome, code=0, err=b"", peak=0, timed_out=False):
    return Run(["belljar"], code, json.dumps(outcome).encode() + b"\n", err, peak, timed_out)


def changed(path, value):
    outcome = copy.deepcopy(GOOD)
    *folders, last = path.split(".")
    place = outcome
    for part in folders:
        place = place[int(part) if part.isdigit() else part]
    place[last] = value
    return outcome


def test_a_good_run_has_no_problem():
    run = run_of(GOOD)
    assert oracle.check_expect(run, EXPECT) == []
    assert oracle.check_always(run, "token", 0) == []


@pytest.mark.parametrize(
    "path, value, word",
    [
        ("status", "timeout", "status"),
        ("stages.0.exit_code", 1, "exit_code"),
        ("stages.0.stdout", {"text": "attempt x: ok\nburnt y: 300\n"}, "expected EPERM"),
        ("stages.0.stdout", {"text": "burnt y: 300\n"}, "not made"),
        (
            "stages.0.stdout",
            {"text": "attempt x: EPERM\nattempt z: ok\nburnt y: 300\n"},
            "no row expects",
        ),
        ("stages.0.stdout", {"text": "attempt x: EPERM\nburnt y: 900\n"}, "bill"),
        ("stages.0.stdout", {"text": "attempt x: EPERM\n"}, "did not say"),
        ("stages.0.stdout", {"text": "attempt x: EPERM\nburnt y: 300\nsecret"}, "'secret'"),
        ("stages.0.usage", {"cpu_ms": 100}, "fact"),
        ("stages.0.usage", {}, "does not say"),
        ("stages.0.walls", [], "fact"),
        ("stages.0.denied_syscalls", [], "denied"),
        ("stages.0.denied_syscalls", [{"name": "mount"}, {"name": "bpf"}], "denied"),
        ("artifacts", [], "artifacts"),
    ],
)
def test_a_wrong_outcome_is_noticed(path, value, word):
    problems = oracle.check_expect(run_of(changed(path, value)), EXPECT)
    assert any(word in problem for problem in problems), problems


def test_a_wrong_exit_code_of_belljar_is_noticed():
    assert oracle.check_expect(run_of(GOOD, code=3), EXPECT)


def test_a_belljar_that_hangs_or_prints_no_outcome_is_noticed():
    assert oracle.check_expect(run_of(GOOD, timed_out=True), EXPECT)
    assert oracle.check_expect(Run(["belljar"], 0, b"{", b"", 0, False), EXPECT)
    assert oracle.check_expect(Run(["belljar"], 0, b"[]\n", b"", 0, False), EXPECT)


@pytest.mark.parametrize("billed, kept", [(300, False), (490, True), (505, True), (700, False)])
def test_a_limit_that_is_not_kept_is_noticed(billed, kept):
    stage = {"usage": {"cpu_ms": billed}, "limits": {"cpu_ms": 500}}
    assert (oracle.check_cpu_limit(stage) == []) == kept


@pytest.mark.parametrize(
    "status, reason, good",
    [
        ("timeout", "used 1 s of 1 s wall time", True),
        ("timeout", "killed", False),
        ("memory_limit", "over 64 MiB of memory", True),
        ("memory_limit", "over 64 MiB", False),
        ("disk_limit", "no room left in /box, /tmp or /dev/shm; exit code 1", True),
        ("setup_error", "mount the root: /var/lib/cells/7 is gone", False),
        ("setup_error", "cannot open /tmp/belljar-1/x", True),
        ("setup_error", "join cgroup: /sys/fs/cgroup/belljar", False),
        ("ok", "exit code 0\nand more", False),
        ("ok", "", False),
    ],
)
def test_a_reason_that_says_too_little_or_too_much_is_noticed(status, reason, good):
    problems = oracle.check_reason({"status": status, "reason": reason, "stages": []})
    assert (problems == []) == good, problems


@pytest.mark.parametrize(
    "out, err, word",
    [
        (b'{"a": "token"}\n', b"", "secret"),
        (b"{}\n", b"token", "secret"),
        (b"{}\n", b"\x1b[31m", "control characters"),
        (b'{"reason": "\xc2\x9b"}\n', b"", "control characters"),
        (b"{}\n\n", b"", "one line"),
        (b"{}", b"", "one line"),
    ],
)
def test_bytes_that_should_not_be_there_are_noticed(out, err, word):
    problems = oracle.check_always(Run(["belljar"], 0, out, err, 0, False), "token", 0)
    assert any(word in problem for problem in problems), problems


def test_a_supervisor_that_grows_is_noticed():
    assert oracle.check_always(run_of(GOOD, peak=100 << 20), "token", 20 << 20)
    assert not oracle.check_always(run_of(GOOD, peak=24 << 20), "token", 20 << 20)


def test_artifacts_that_are_no_plain_files_are_noticed(tmp_path):
    (tmp_path / "plain").touch()
    (tmp_path / "plain").chmod(0o644)
    assert scenarios.check_artifacts(tmp_path) == []
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "set-uid").touch()
    (tmp_path / "set-uid").chmod(0o4755)
    (tmp_path / "a\nb").touch()
    found = "\n".join(scenarios.check_artifacts(tmp_path))
    assert "'link'" in found and "'set-uid'" in found and "control characters" in found


FAKE = """\
    #!/usr/bin/python3
    import json, os, subprocess, sys
    mode = os.environ.get("TMPDIR") and open(os.environ["TMPDIR"] + "/../mode").read()
    benign = sys.argv[-1].endswith("benign.py")
    if mode == "hang":
        os.read(0, 1)
    if not benign:
        secret = open(os.environ["TMPDIR"] + "/../secret").read()
        if mode == "process":
            null = subprocess.DEVNULL
            subprocess.Popen(["sleep", "100"], stdin=null, stdout=null, stderr=null)
        if mode == "file":
            open("/dev/shm/belljar-fake", "w").close()
        if mode == "read":
            open(secret).read()
    text = "other" if benign and mode == "differ" else "same"
    good = {"status": "ok", "reason": "exit code 0"}
    stage = good | {"stage": "run", "stdout": {"text": text}, "missing_walls": []}
    print(json.dumps(good | {"stages": [stage]}))
"""


class Tally:
    censuses = 0

    def __init__(self):
        self.left = []


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A bench on which a fake Belljar runs; `set` tells it how to misbehave from now on."""
    program = tmp_path / "belljar"
    program.write_text(textwrap.dedent(FAKE))
    program.chmod(program.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    monkeypatch.setenv("BELLJAR", str(program))
    monkeypatch.setattr(census, "PATIENCE", 0.3)
    monkeypatch.setattr(census.left_behind, "__defaults__", (None, (), 0.3))
    census.adopt_orphans()
    folder = tmp_path / "bench"
    folder.mkdir()
    (folder / "mode").write_text("good")
    with bench_module.Bench(folder, Tally()) as made:
        (folder / "secret").write_text(str(made.canaries.files[0].path))
        made.set = (folder / "mode").write_text
        yield made
        made.set("good")


def around(bench, tmp_path):
    problems = []
    with bench.watched(problems):
        command.run(Wanted("burn.c"), tmp_path)
    return problems


def test_nothing_is_said_of_a_fake_that_behaves(fake, tmp_path):
    assert around(fake, tmp_path) == []
    assert fake.tally.censuses == 1


def test_a_fake_that_leaves_a_process_is_caught(fake, tmp_path):
    fake.set("process")
    problems = around(fake, tmp_path)
    (pid,) = {int(line.split()[2]) for line in problems if line.startswith("process left")}
    os.kill(pid, signal.SIGKILL)
    census.reap_orphans({fake.canaries.process.pid})


def test_a_fake_that_leaves_a_file_is_caught(fake, tmp_path):
    fake.set("file")
    problems = around(fake, tmp_path)
    pathlib.Path("/dev/shm/belljar-fake").unlink()
    assert "file left: /dev/shm/belljar-fake" in problems


def test_a_fake_that_reads_a_canary_is_caught(fake, tmp_path):
    path = fake.canaries.files[0].path
    fake.set("read")
    problems = around(fake, tmp_path)
    if path.stat().st_atime_ns == fake.canaries.files[0].facts["read"]:
        pytest.skip("this file system keeps no access times")
    assert any(str(path) in line for line in problems), problems


def test_a_fake_whose_next_cell_differs_is_caught(fake, tmp_path):
    fake.set("differ")
    assert any("benign" in line for line in around(fake, tmp_path))


def test_a_fake_that_hangs_is_ended(fake, tmp_path):
    fake.set("hang")
    run = command.run(Wanted("burn.c"), tmp_path, stdin=None, timeout=0.5)
    assert run.timed_out


def test_a_named_control_policy_leaves_out_the_walls(tmp_path):
    policy = tomllib.loads(control_policy(["seccomp", "proc"], None))
    assert policy["walls"]["without"] == ["seccomp", "proc"]
    policy = tomllib.loads(control_policy(["seccomp"], "strict"))
    assert policy["filesystem"]["writable_box"] is False
    manifest = tomllib.loads(with_compile_limits("c", 'cpu = "1s"'))
    assert manifest["compile"]["limits"] == {"cpu": "1s"}
    assert manifest["run"]["argv"][-1] == "{args}"
