"""Runs a victim outside any cell, as root in throw-away namespaces: what it would do unhindered.

Only victims that are harmless there are run so: bounded, and with no act on the kernel as a whole.
"""

import os
import pathlib
import shutil
import subprocess

from support.command import HELPERS, VICTIMS, MARK

NAMESPACES = ("mount", "pid", "net", "ipc", "uts", "cgroup", "time")
NOBODY = 65_534
MOST_SECONDS = 30


class Bare:
    """What a bare run printed and how it ended."""

    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout.decode(errors="replace")
        self.err = done.stderr.decode(errors="replace")

    def describe(self):
        return f"bare: exit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def _compile(victim, folder):
    program = folder / "a.out"
    subprocess.run(
        ["gcc", "-std=gnu17", "-O2", "-pthread", f"-I{VICTIMS}", "-o", program, victim, "-lm"],
        check=True,
        capture_output=True,
    )
    return [str(program)]


def _command(victim, folder):
    if victim.suffix == ".c":
        return _compile(victim, folder)
    for name in (victim.name, HELPERS.get(victim.suffix)):
        if name and (VICTIMS / name).exists():
            shutil.copy(VICTIMS / name, folder)
    interpreter = {".py": "/usr/bin/python3", ".sh": "/usr/bin/bash"}[victim.suffix]
    return [interpreter, str(folder / victim.name)]


def _unshare(keep):
    words = ["unshare", "--fork", "--kill-child"]
    for name in NAMESPACES:
        if name not in keep:
            words.append(f"--{name}")
    if "mount" not in keep:
        words += ["--propagation", "private"]
        if "pid" not in keep:
            words.append("--mount-proc")
    return words


def run(victim, folder, *, args=(), stdin=b"", keep=(), user=False, limits=()):
    """`keep`: namespaces of the host to stay in. `user`: without root's rights."""
    folder = pathlib.Path(folder)
    folder.chmod(0o777)
    words = _unshare(keep)
    if user:
        words += ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
    if limits:
        words += ["prlimit", *limits, "--"]
    words += [*_command(VICTIMS / victim, folder), *args]
    done = subprocess.run(
        words,
        input=stdin,
        capture_output=True,
        cwd=folder,
        timeout=MOST_SECONDS,
        check=False,
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8", MARK: str(os.getpid())},
    )
    return Bare(done)
