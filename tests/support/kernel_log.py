"""What the kernel wrote to its log meanwhile: how much, and whether it complained."""

import os
import re

COMPLAINT = re.compile(
    r"\bOops\b|\bBUG:|\bWARNING:|general protection fault,|Kernel panic|KASAN|UBSAN|soft lockup"
    r"|rcu.*(stall|detected)|hung_task|refcount_t"
)


class KernelLog:
    """From construction on; `available` says whether this process may read the log at all."""

    def __init__(self, path="/dev/kmsg"):
        self._fd = -1
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self._fd, 0, os.SEEK_END)
        except OSError:
            self.close()

    @property
    def available(self):
        return self._fd >= 0

    def close(self):
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def read(self):
        """The records since the last call, as lines."""
        lines = []
        while self.available:
            try:
                lines.append(os.read(self._fd, 8192).decode(errors="replace"))
            except BlockingIOError:
                break
            except BrokenPipeError:
                continue  # records were overwritten before they were read
            except OSError:
                break
        return lines


def complaints(lines):
    return [line.strip() for line in lines if COMPLAINT.search(line)]
