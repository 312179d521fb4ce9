"""What /proc says of one process."""

import contextlib
import os
import pathlib
import re
import signal
import time

TICK = os.sysconf("SC_CLK_TCK")
CPUCLOCK_SCHED = 2  # include/linux/posix-timers.h


class Process:
    def __init__(self, pid):
        self.pid = pid
        self.folder = pathlib.Path(f"/proc/{pid}")

    def _stat(self):
        return (self.folder / "stat").read_text().rpartition(")")[2].split()

    def cpu(self):
        """Seconds of its own, and of its children that were waited for (with all of theirs)."""
        # What clock_getcpuclockid(3) answers: to the nanosecond, where stat counts in hundredths of a second.
        own = time.clock_gettime((~self.pid << 3) | CPUCLOCK_SCHED)
        fields = self._stat()
        child_user, child_system = (int(fields[i]) / TICK for i in (13, 14))
        return own, child_user + child_system

    def resident(self):
        """Bytes that are in memory for this process."""
        status = (self.folder / "status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024

    def descriptors(self):
        return len(os.listdir(self.folder / "fd"))

    def descriptor_targets(self):
        targets = []
        for each in os.listdir(self.folder / "fd"):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                targets.append(os.readlink(self.folder / "fd" / each))
        return targets

    def children(self):
        text = (self.folder / f"task/{self.pid}/children").read_text()
        return [Process(int(pid)) for pid in text.split()]

    def words(self):
        return (self.folder / "cmdline").read_bytes().split(b"\0")

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)

    def is_there(self):
        """Whether it has not ended; one that has and is not yet waited for is no longer there."""
        try:
            return self._stat()[0] != "Z"
        except OSError:
            return False
