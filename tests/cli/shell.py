"""Calls `belljar` as a shell would: with pipes, or on a terminal of its own."""

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from support.command import binary, environment

PATIENCE = 60.0  # seconds, for a machine that is busy with something else


class Done:
    """A call that has ended."""

    def __init__(self, code, out, err):
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self):
        assert self.out, f"no JSON; exit code {self.code}, standard error: {self.err!r}"
        return json.loads(self.out)

    def __repr__(self):
        out, err = self.out[:4000], self.err[:4000]
        return f"exit code {self.code}\n--- stdout\n{out!r}\n--- stderr\n{err!r}"


def belljar(*words, stdin=b"", env=None, **options):
    """Words after the program's name; `stdin` is bytes or something that Popen takes."""
    given = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
    done = subprocess.run(
        [binary(), *map(str, words)], capture_output=True, timeout=PATIENCE, check=False,
        env=environment(env), **given, **options,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


def start(*words, **options):
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen([binary(), *map(str, words)], env=environment(), **{**pipes, **options})


class Terminal:
    """A `belljar` that leads a session on a pseudo-terminal, and what it showed there."""

    def __init__(self, *words, columns=80, rows=24, env=None, command=None):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave  # kept, so that its settings can be read after the end
        self.shown = b""
        self.child = subprocess.Popen(
            command or [binary(), *map(str, words)], stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True, env=environment(env),
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        os.close(self.master)
        os.close(self.slave)

    def type(self, data):
        os.write(self.master, data)

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            self.shown += os.read(self.master, 65536)
            return True
        return False

    def expect(self, pattern):
        """Reads until the pattern has been shown; answers with the match."""
        deadline = time.monotonic() + PATIENCE
        while not (match := re.search(pattern, self.shown)):
            left = deadline - time.monotonic()
            assert left > 0, f"waited in vain for {pattern!r}; shown: {self.shown!r}"
            self._read(min(left, 0.5))
        return match

    def interrupt(self):
        self.type(b"\x03")

    def wait(self):
        """Reads until the program has ended and everything it wrote was read."""
        deadline = time.monotonic() + PATIENCE
        while self.child.poll() is None:
            assert time.monotonic() < deadline, f"did not end; shown: {self.shown!r}"
            self._read(0.05)
        while self._read(0):
            pass
        return self.child.returncode

    def settings(self):
        return termios.tcgetattr(self.slave)


def run_on_terminal(*words, **options):
    with Terminal(*words, **options) as terminal:
        code = terminal.wait()
        return code, terminal.shown
