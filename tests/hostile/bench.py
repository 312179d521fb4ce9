"""The bench: canaries, a known-good cell and a census around everything that is run on it."""

import contextlib
import functools
import gzip
import os
import pathlib
import threading

import pytest

from support import census, command
from support.canaries import Canaries
from support.kernel_log import KernelLog, complaints

BENIGN = "benign.py"
ENV_CANARY = "BELLJAR_HOST_SECRET"
FULL = os.environ.get("BELLJAR_TEST_SIZE") == "full"


class Features:
    """What this host and this way of running have. A need that is not met is a loud skip."""

    def __init__(self, missing_walls, log):
        self.missing_walls = set(missing_walls)
        self._has = {
            "root": os.geteuid() == 0 and command.ordinary_user() is None,
            "kernel-log": log.available,
            "ipv6": pathlib.Path("/proc/net/if_inet6").exists(),
            "node": command.has_tool("node"),
            "java": command.has_tool("javac"),
            "perl": command.has_tool("perl"),
            "g++": command.has_tool("g++"),
            "gcc": command.has_tool("gcc"),
            "ia32": _has_ia32(),
        }

    def lacking(self):
        return {name for name, there in self._has.items() if not there} | self.missing_walls

    def require(self, *needs):
        for need in needs:
            if need in self._has:
                if not self._has[need]:
                    pytest.skip(f"this host lacks: {need}")
            elif need in self.missing_walls:
                pytest.skip(f"this host cannot put up the wall: {need}")


def _has_ia32():
    """Whether the kernel runs 32-bit programs; without that there is no foreign ABI to try."""
    try:
        return b"CONFIG_IA32_EMULATION=y" in _kernel_config()
    except OSError:
        return pathlib.Path("/lib/ld-linux.so.2").exists()


def _kernel_config():
    release = os.uname().release
    for path in ("/proc/config.gz", f"/boot/config-{release}"):
        if os.path.exists(path):
            data = pathlib.Path(path).read_bytes()
            return gzip.decompress(data) if path.endswith(".gz") else data
    raise OSError("no kernel configuration here")


class Bench:
    def __init__(self, folder, tally):
        self.folder = folder
        self.tally = tally
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        temporary = self.folder / "tmp"
        temporary.mkdir()
        temporary.chmod(0o1777)
        self._stack.callback(os.environ.pop, "TMPDIR", None)
        os.environ["TMPDIR"] = str(temporary)
        self.canaries = self._stack.enter_context(Canaries())
        self.log = KernelLog()
        self._stack.callback(self.log.close)
        # The first run may make what stays for all: the parent cgroup, the file of the leases.
        first = self._benign()
        if first.outcome is None or first.outcome.get("status") != "ok":
            pytest.fail(f"not even a benign program runs\n{first.describe()}", pytrace=False)
        self.benign_text = first.text()
        second = self._benign()
        self.least_peak = max(first.peak, second.peak)
        self.features = Features(first.stage.get("missing_walls", []), self.log)
        self.log.read()
        return self

    def __exit__(self, *failure):
        self._stack.close()

    def _benign(self):
        with command.scratch_folder("hostile-run-") as place:
            return command.run(command.Wanted(BENIGN), place)

    def environment(self):
        return {ENV_CANARY: self.canaries.token}

    @functools.cached_property
    def spare(self):
        """Canaries that a positive control may catch: nobody asks afterwards how they are."""
        return self._stack.enter_context(Canaries())

    def fill_in(self, text, canaries=None):
        """{secret}, {port}, … in a row become the words of the canaries."""
        for word, value in (canaries or self.canaries).words.items():
            text = text.replace("{" + word + "}", value)
        return text

    @contextlib.contextmanager
    def watched(self, problems, *, beside=False, log_bytes=None):
        """O2, O3, O5 and the kernel log around what is run inside; adds lines to `problems`."""
        keep = {self.canaries.process.pid}
        census.reap_orphans(keep)
        before = census.take()
        self.log.read()
        companion = Companion(self) if beside else None
        if companion:
            companion.start()
        try:
            yield
        finally:
            if companion:
                problems += companion.finish()
            left = census.left_behind(before, keep=keep)
            self.tally.censuses += 1
            self.tally.left += left
            problems += left
            problems += self.canaries.problems()
            self.canaries.resume()
            lines = self.log.read()
            problems += [f"kernel log: {line}" for line in complaints(lines)]
            written = sum(map(len, lines))
            if log_bytes is not None and written > log_bytes:
                problems.append(f"kernel log: {written} bytes were written to it")
            problems += self.check_benign("right after")

    def check_benign(self, when):
        """O5: an innocent program still runs as ever."""
        run = self._benign()
        if run.outcome is None or run.outcome.get("status") != "ok":
            return [f"a benign cell {when} failed: {run.describe()}"]
        if run.text() != self.benign_text:
            return [f"a benign cell {when} differs: {run.text()!r}"]
        return []


class Companion(threading.Thread):
    """Benign cells, one after the other, for as long as something hostile runs beside them."""

    def __init__(self, bench):
        super().__init__(daemon=True)
        self._bench = bench
        self._over = threading.Event()
        self._problems = []

    def run(self):
        while not self._problems:
            self._problems += self._bench.check_benign("beside it")
            if self._over.is_set():
                return

    def finish(self):
        self._over.set()
        self.join()
        return self._problems
