"""The exit code says what happened, and one line on standard error says it to a person."""

import pathlib
import re

import pytest

from shell import belljar

ROOT = pathlib.Path(__file__).resolve().parents[2]

CASES = [
    # (name, source, options, exit code, what standard error says)
    ("zero.py", "", "", 0, b"^$"),
    ("three.py", "import sys; sys.exit(3)", "", 3, b"^$"),
    ("most.py", "import sys; sys.exit(255)", "", 255, b"^$"),
    ("forged.py", "import sys; print('Time limit exceeded'); sys.exit(124)", "", 124, b"^$"),
    ("crash.c", "int main(void) { return *(volatile int *)0; }", "", 139, b"signalled: .*SIGSEGV"),
    ("kills.py", "import os; os.kill(os.getpid(), 9)", "", 137, b"signalled: .*SIGKILL"),
    ("spins.py", "while True: pass", "cpu=200ms", 124, rb"timeout \(cpu\): used \S+ m?s of 200"),
    ("sleeps.py", "import time; time.sleep(60)", "wall=200ms", 124, rb"timeout \(wall\): used"),
    ("eats.py", "x = bytearray(1 << 30); print(len(x))", "memory=64M", 122, b"memory_limit: .*64"),
    ("talks.py", "print('x' * 1000000)", "output=1K", 120, b"output_limit: .*1.0 KiB"),
    ("fills.py", "open('f', 'wb').write(bytes(8 << 20))", "box=1M", 121, b"disk_limit: "),
    ("wrong.c", "not C", "", 123, b"compile_error: exit code 1"),
]  # fmt: skip


@pytest.mark.parametrize("name, source, limits, code, said", CASES, ids=[row[0] for row in CASES])
def test_exit_code(folder, name, source, limits, code, said):
    (folder / name).write_text(source)
    options = ["--limit", limits] if limits else []
    done = belljar("run", *options, name)
    assert done.code == code, done
    assert re.search(said, done.err), done
    quiet = belljar("run", "--quiet", *options, name)
    assert quiet.code == code
    assert b"belljar:" not in quiet.err


def test_refused_over_the_policys_maximum(folder):
    (folder / "x.py").write_text("print('ran')")
    done = belljar("run", "--limit", "memory=1000G", "x.py")
    assert (done.code, done.out) == (126, b"")
    assert b"memory" in done.err and b"16.0 GiB" in done.err


def test_refused_without_a_required_wall(folder):
    (folder / "x.py").write_text("print('ran')")
    (folder / "p.toml").write_text(
        'why = "a test"\n[walls]\nwhy = "a test"\nwithout = ["landlock"]\nrequire = []\n'
    )
    assert belljar("run", "--policy", "p.toml", "--require", "seccomp", "x.py").code == 0
    for walls in ("FULL", "seccomp,landlock"):
        done = belljar("run", "--policy", "p.toml", "--require", walls, "x.py")
        assert (done.code, done.out) == (126, b""), done
        assert b"landlock" in done.err


def test_a_missing_toolchain_is_no_mistake_of_the_caller(folder):
    (folder / "runtimes").mkdir()
    (folder / "runtimes/none.toml").write_text(
        'name = "none"\ntitle = "None"\nextensions = [".none"]\npackage = "that-package"\n'
        'version = ["{tool}"]\n[programs]\ntool = ["/usr/bin/is-not-there"]\n'
        '[run]\nargv = ["{tool}", "{args}"]\n[hello]\nfile = "hello.none"\nsource = "x"\n'
    )
    (folder / "x.none").write_text("")
    done = belljar("run", "--runtimes", "runtimes", "x.none")
    assert done.code == 125, done
    assert b"that-package" in done.err


def test_refused_system_calls_are_named(folder):
    (folder / "x.py").write_text(
        "import ctypes, sys; ctypes.CDLL(None).ptrace(0, 0, 0, 0); sys.exit(1)"
    )
    done = belljar("run", "x.py")
    assert done.code == 1
    assert b"refused system calls: ptrace" in done.err, done


def test_the_document_and_the_help_have_the_same_table(folder):
    help_text = belljar("help", "run").out.decode()
    table = help_text[help_text.index("Exit codes:") :]
    rows = re.findall(r"^  (\S.*?)  +(\S.*(?:\n {30}.*)*)", table, re.MULTILINE)
    assert len(rows) == 12
    document = (ROOT / "docs/cli.md").read_text()
    for code, meaning in rows:
        assert f"| {code} | {' '.join(meaning.split())} |" in document
