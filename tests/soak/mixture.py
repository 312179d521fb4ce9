"""What a soak runs: honest programs and hostile ones, each with a nonce of its own to print first."""

import json
import pathlib
import random
import re
import secrets
from typing import NamedTuple

VICTIMS = pathlib.Path(__file__).resolve().parents[1] / "victims"
NONCE = re.compile(r"nonce-[0-9a-f]{32}")
# An end that the program has earned. "setup_error" and "rejected" would be Belljar's own.
ENDS = frozenset(
    "ok runtime_error signalled timeout memory_limit output_limit disk_limit".split()
)
# Small, so that one hostile program costs about as much as a few honest ones.
HOSTILE_LIMITS = {"wall": "1s", "cpu": "500ms", "memory": "48M", "processes": 16, "box": "4M", "tmp": "4M",
                  "output": "64K"}  # fmt: skip
HOSTILE_SHARE = 0.15
# Files of tests/victims; those in C are compiled in a cell of their own first, so they are few.
HOSTILE_PYTHON = (
    "memory_string.py", "endless_loop.py", "fork_for_ever.py", "recursion.py", "big_number.py", "fill_disk.py",
    "inode_flood.py", "look_at_proc.py", "regex_backtracking.py", "write_everywhere.py", "leave_ipc.py",
    "strange_bytes",
)  # fmt: skip
HOSTILE_C = ("fork_bomb.c", "flood.c", "pause_for_ever.c", "zombies.c", "thread_bomb.c", "daemon.c", "fd_flood.c")
HOSTILE_C_SHARE = 0.1  # of the hostile ones

PYTHON_FIRST = """import os, runpy, sys
os.write(1, b"{nonce}\\n")
runpy.run_path("/box/victim.py", run_name="__main__")
"""
# Linked to the victim, and called before its main.
C_FIRST = """#include <unistd.h>
__attribute__((constructor)) static void say_nonce(void) {{
  if (write(1, "{nonce}\\n", {size}) != {size}) _exit(99);
}}
"""
STRANGE_BYTES = 'import os\nos.write(1, bytes(range(256)) * 16 + b"\\x1b[2J" + "é".encode()[:1])\nos._exit(7)\n'

HONEST = {
    "hello": ("print({nonce!r})", lambda nonce: nonce + "\n"),
    "echo": ("import sys; print(sys.stdin.read())", lambda nonce: nonce + "\n"),
    "files": (
        "open('a', 'w').write({nonce!r}); open('/tmp/b', 'w').write(open('a').read()); print(open('/tmp/b').read())",
        lambda nonce: nonce + "\n",
    ),
    "long": ("print(({nonce!r} + '\\n') * 500, end='')", lambda nonce: (nonce + "\n") * 500),
    "children": (
        "import subprocess; print(subprocess.check_output(['echo', {nonce!r}], text=True), end='')",
        lambda nonce: nonce + "\n",
    ),
}


class Program(NamedTuple):
    """A submission and what must come of it."""

    nonce: str
    kind: str
    request: dict
    expected: str | None  # standard output as a whole; None: only that the nonce begins it


def hostile(shuffle, nonce):
    if shuffle.random() < HOSTILE_C_SHARE:
        name = shuffle.choice(HOSTILE_C)
        files = {
            "nonce.c": C_FIRST.format(nonce=nonce, size=len(nonce) + 1),
            "victim.c": (VICTIMS / name).read_text(),
            "attempt.h": (VICTIMS / "attempt.h").read_text(),
        }
        request = {"language": "c", "entry": "victim.c"}
    else:
        name = shuffle.choice(HOSTILE_PYTHON)
        victim = STRANGE_BYTES if name == "strange_bytes" else (VICTIMS / name).read_text()
        files = {
            "main.py": PYTHON_FIRST.format(nonce=nonce),
            "victim.py": victim,
            "attempt.py": (VICTIMS / "attempt.py").read_text(),
        }
        request = {"language": "python", "entry": "main.py"}
    request["files"] = [{"path": path, "content": content} for path, content in files.items()]
    request["limits"] = HOSTILE_LIMITS
    return Program(nonce, name, request, None)


def honest(shuffle, nonce):
    kind = shuffle.choice(sorted(HONEST))
    source, expected = HONEST[kind]
    request = {"language": "python", "source": source.format(nonce=nonce), "stdin": nonce}
    return Program(nonce, kind, request, expected(nonce))


def programs(count, seed):
    """The mixture; the same for the same seed but for the nonces, which nobody can know."""
    shuffle = random.Random(seed)
    for _ in range(count):
        nonce = "nonce-" + secrets.token_hex(16)
        yield (hostile if shuffle.random() < HOSTILE_SHARE else honest)(shuffle, nonce)


def trouble(program, run):
    """Why this run (as GET /v1/runs/{id} tells it) is not what it must be; None where it is."""
    told = json.dumps(run)
    others = set(NONCE.findall(told)) - {program.nonce}
    if others:
        return f"{program.kind}: holds the output of another run: {others}"
    if run["state"] != "done":
        return f"{program.kind}: ended as {run['state']}: {run['reason']}"
    outcome = run["outcome"]
    if outcome["status"] not in ENDS:
        return f"{program.kind}: {outcome['status']}: {outcome['reason']}"
    text = outcome["stages"][-1]["stdout"]["text"]
    if program.expected is None:
        return None if text.startswith(program.nonce) else f"{program.kind}: its nonce is lost: {told[:2000]}"
    if text != program.expected or outcome["status"] != "ok":
        return f"{program.kind}: {told[:2000]}"
    return None
