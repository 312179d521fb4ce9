"""The pool gives runs the same answers, survives the death of its parts, and leaves nothing behind."""

import contextlib
import os
import pty
import subprocess
import time

import pytest

from one import outcome_of
from support.command import binary, environment, wait_until
from support.client import PATIENCE
from support.service import live_service
from test_channels import Held, run, warm

HELLO = "print('hello')\n"


def stage_of(program, way):
    return outcome_of(program, way)["stages"][-1]


def processes_of(service):
    """The children of the wardens, by what they are."""
    found = {"zygote": [], "cell": []}
    for warden in service.wardens:
        for child in warden.children():
            with contextlib.suppress(OSError):
                words = child.words()
                kind = {b"init": "cell", b"/usr/bin/python3": "zygote"}.get(words[0])
                if kind:
                    found[kind].append(child)
    return found


def test_a_service_that_has_stopped_leaves_nothing(leaves_nothing):
    with live_service("--concurrent", "2", "--pool", "8") as service:
        warm(service)
        assert processes_of(service)["zygote"]
        for memory in ("64M", "65M", "66M", "67M", "68M", "69M"):
            assert run(service, source=HELLO, limits={"memory": memory})["status"] == "ok"


def test_the_first_run_finds_the_interpreter_up(leaves_nothing):
    with live_service("--concurrent", "2", "--pool", "2") as service:
        wait_until(lambda: len(processes_of(service)["cell"]) == 2, "the pool to be full")
        assert run(service, source=HELLO)["start"] == "interpreter"


def test_nothing_waits_for_a_language_that_is_not_named(leaves_nothing):
    with live_service("--concurrent", "2", "--pool", "2", "--prewarm", "") as service:
        # What comes once is not waited for, what comes twice is.
        assert run(service, source=HELLO)["start"] == "cold"
        wait_until(lambda: processes_of(service)["cell"] == [], "the cell to be gone")
        warm(service)


def test_an_unknown_language_to_prewarm_is_refused():
    words = [binary(), "serve", "--listen", "127.0.0.1:0", "--prewarm", "python,cobol"]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("belljar: prewarm: no language is called 'cobol'; there are "), done


@pytest.mark.parametrize("way", ["cell", "interpreter"])
def test_a_run_that_has_ended_leaves_nothing(leaves_nothing, way):
    assert stage_of({"source": HELLO}, way)["start"] == way


def test_a_killed_warden_leaves_nothing_and_its_successor_is_warm_again(leaves_nothing):
    with live_service("--concurrent", "2", "--pool", "4") as service:
        warm(service)
        for warden in service.wardens:
            warden.kill()
        warm(service)


def test_a_warden_that_is_killed_while_a_zygote_begins_leaves_nothing(leaves_nothing):
    with live_service("--concurrent", "2", "--pool", "4") as service:
        # Each successor is killed a little later in the making of its first zygote.
        for pause in (0, 0.002, 0.005, 0.01, 0.02, 0.05):
            assert run(service, source=HELLO)["stdout"]["text"] == "hello\n"
            time.sleep(pause)
            for warden in service.wardens:
                warden.kill()
                wait_until(lambda each=warden: not each.folder.exists(), "the warden to be gone")
        assert run(service, source=HELLO)["stdout"]["text"] == "hello\n"


def test_runs_go_on_without_the_zygote(leaves_nothing):
    with live_service("--concurrent", "2", "--pool", "4") as service:
        warm(service)
        zygotes = processes_of(service)["zygote"]
        assert zygotes
        for zygote in zygotes:
            zygote.kill()
        for _ in range(8):
            assert run(service, source=HELLO)["stdout"]["text"] == "hello\n"


def test_a_parked_cell_that_is_killed_is_replaced(leaves_nothing):
    with live_service("--concurrent", "2", "--pool", "4") as service:
        warm(service)
        for _ in range(3):
            cells = processes_of(service)["cell"]
            for cell in cells:
                with contextlib.suppress(ProcessLookupError):
                    cell.kill()
            # Until the warden knows.
            wait_until(lambda: not any(cell.folder.exists() for cell in cells), "the cells to be gone")
            assert run(service, source=HELLO)["stdout"]["text"] == "hello\n"
        warm(service)


def test_a_run_whose_parked_cell_dies_before_taking_it_has_another(leaves_nothing):
    with live_service("--concurrent", "2", "--pool", "4") as service:
        warm(service)
        for _ in range(20):
            # The warden may or may not know of their ends when it gives them the run.
            cells = processes_of(service)["cell"]
            for cell in cells:
                with contextlib.suppress(ProcessLookupError):
                    cell.kill()
            while any(cell.is_there() for cell in cells):
                pass
            stage = run(service, source=HELLO)
            assert (stage["status"], stage["stdout"]["text"]) == ("ok", "hello\n"), stage


def test_without_a_pool_every_run_is_cold(leaves_nothing):
    with live_service("--concurrent", "2", "--pool", "0") as service:
        stages = [run(service, source=HELLO) for _ in range(4)]
        assert {stage["start"] for stage in stages} == {"cold"}
        assert processes_of(service) == {"zygote": [], "cell": []}


def test_classes_in_turn(service):
    for number in range(20):
        limits = {"memory": f"{64 + number}M", "processes": 16 + number}
        stage = run(service, source="import resource\nprint('x')\n", limits=limits)
        assert stage["status"] == "ok", stage
        assert stage["limits"]["memory_bytes"] == (64 + number) << 20
        assert stage["limits"]["processes"] == 16 + number


def test_the_bill_is_of_the_run_alone(service):
    warm(service)
    stages = [run(service, source="pass\n") for _ in range(6)]
    for stage in stages:
        numbers = [*stage["phases"].values(), *(stage["usage"][name] for name in ("wall_ms", "cpu_ms", "user_ms", "system_ms"))]
        assert min(numbers) >= 0
    warm_ones = [stage["usage"]["cpu_ms"] for stage in stages if stage["start"] == "interpreter"]
    assert warm_ones
    busy = run(service, source="import time\nwhile time.process_time() < 0.3: pass\n")
    assert busy["start"] == "interpreter"
    assert busy["usage"]["cpu_ms"] >= 250
    # What was imported ahead took far longer than a program that does nothing.
    imports = outcome_of({"source": "import json, random, statistics, typing, uuid, tempfile, decimal, csv, pathlib\n"}, "cold")
    assert min(warm_ones) < imports["stages"][-1]["usage"]["cpu_ms"]


@pytest.mark.parametrize("way", ["cold", "interpreter"])
@pytest.mark.parametrize("policy", ["strict", "safe-code-executor"])
def test_a_read_only_box_is_read_only(policy, way):
    program = {
        "source": "import helper\nprint(open('/box/data.txt').read())\ntry:\n    open('/box/x', 'w')\nexcept OSError as error:\n    print(error)\n",
        "files": {"helper.py": "", "data.txt": "data"},
    }
    outcome = outcome_of(program, way, "--policy", policy)
    stage = outcome["stages"][-1]
    assert stage["start"] == way
    assert stage["stdout"]["text"] == "data\n[Errno 30] Read-only file system: '/box/x'\n", stage


@pytest.mark.parametrize("limit, way", [("open_files=16", "cold"), ("open_files=64", "interpreter")])
def test_a_limit_that_the_hand_over_would_pass_starts_cold(limit, way):
    program = {"source": HELLO, "limits": limit}
    stage = outcome_of(program, "interpreter")["stages"][-1]
    assert (stage["start"], stage["stdout"]["text"]) == (way, "hello\n")


def test_a_file_that_is_larger_than_may_be_written_starts_cold():
    program = {
        "source": "import os\nprint(os.path.getsize('/box/large'))\n", "files": {"large": "x" * (2 << 20)},
        "limits": "file_size=1M",
    }  # fmt: skip
    cold, asked = (stage_of(program, "cold"), outcome_of(program, "interpreter")["stages"][-1])
    assert (asked["start"], asked["stdout"]["text"]) == ("cold", cold["stdout"]["text"])


def test_many_and_large_files_arrive():
    files = {f"folder{n % 7}/file{n}": str(n) * 1000 for n in range(300)}
    program = {
        "files": {**files, "large": "y" * (20 << 20)},
        "source": "import hashlib, os\nh = hashlib.sha256()\nfor top, dirs, names in os.walk('/box'):\n    dirs.sort()\n"
        "    for name in sorted(names):\n        h.update(name.encode() + open(os.path.join(top, name), 'rb').read())\nprint(h.hexdigest())\n",
    }  # fmt: skip
    stages = [stage_of(program, way) for way in ("cold", "cell", "interpreter")]
    assert [stage["start"] for stage in stages] == ["cold", "cell", "interpreter"]
    assert len({stage["stdout"]["text"] for stage in stages}) == 1
    assert len(stages[0]["stdout"]["text"]) == 65


# What the zygote's own filter denies does not come as far as the cell's, which counts.
UNCOUNTED = {"cell": set(), "interpreter": {"ptrace", "bpf"}}


@pytest.mark.parametrize("way", ["cell", "interpreter"])
def test_denied_calls_are_counted(way):
    program = {"source": "import ctypes\nlibc = ctypes.CDLL(None)\nfor n in (101, 165, 272, 321):\n    libc.syscall(n, 0, 0, 0, 0)\n"}
    cold, other = stage_of(program, "cold"), stage_of(program, way)
    assert other["start"] == way
    assert {call["name"] for call in cold["denied_syscalls"]} == {"ptrace", "mount", "unshare", "bpf"}
    expected = [call for call in cold["denied_syscalls"] if call["name"] not in UNCOUNTED[way]]
    assert other["denied_syscalls"] == expected


def test_a_terminal_starts_cold(tmp_path):
    program = tmp_path / "main.py"
    program.write_text("import sys\nprint('terminal', sys.stdout.isatty())\n")
    ours, theirs = pty.openpty()
    child = subprocess.Popen([binary(), "run", "--warm", "--tty", "--stats", str(program)], stdin=theirs, stdout=theirs,
                             stderr=theirs, env=environment())  # fmt: skip
    os.close(theirs)
    said = b""
    with contextlib.suppress(OSError):
        while part := os.read(ours, 4096):
            said += part
    os.close(ours)
    assert child.wait(60) == 0
    assert b"terminal True" in said


def test_a_run_is_cancelled_beside_another(service):
    with Held(service, source="import time\nprint('ready', flush=True)\ntime.sleep(60)\n", limits={"wall": "60s"}) as held:
        assert run(service, source=HELLO)["status"] == "ok"
        assert held.end()["status"] == "cancelled"
