"""What cells that wait hold in memory."""

import contextlib
import pathlib
import re
import statistics
import time

from shared.load import is_init

# What a page or a kernel object is counted under when nobody could give it back: no file cache.
HELD = ("AnonPages", "Shmem", "SUnreclaim", "PageTables", "KernelStack", "Percpu")
MIB = float(1 << 20)


def parked_interpreters(live):
    """(init, program) of each cell that waits with Python in it."""
    found = []
    for warden in live.wardens:
        for child in warden.children():
            with contextlib.suppress(OSError, IndexError, ValueError):
                (program,) = child.children()
                if is_init(child) and b"python" in program.words()[0]:
                    found.append((child, program))
    return found


def proportional(process):
    """PSS and what is its alone, in bytes."""
    text = (process.folder / "smaps_rollup").read_text()
    sizes = {name: int(kib) * 1024 for name, kib in re.findall(r"^(\w+): +(\d+) kB", text, re.MULTILINE)}
    return sizes["Pss"], sizes["Private_Clean"] + sizes["Private_Dirty"]


def charged(process):
    """Bytes that the memory controller counts for the process's group; None where it has no group of its own."""
    groups = {}
    for line in (process.folder / "cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        groups.update({name: path for name in controllers.split(",")})
    for top, name, file in (
        ("/sys/fs/cgroup/memory", "memory", "memory.usage_in_bytes"),
        ("/sys/fs/cgroup", "", "memory.current"),
    ):
        path = pathlib.Path(top + groups.get(name, "/")) / file
        if groups.get(name, "/") != "/" and path.exists():
            return int(path.read_text())
    return None


def per_cell(live):
    """Medians over the cells that wait, MiB; what could not be read is left out."""
    seen = {"charged to its cgroup": [], "PSS of its processes": [], "private to its processes": []}
    for init, program in parked_interpreters(live):
        with contextlib.suppress(OSError, KeyError):
            shares = [proportional(each) for each in (init, program)]
            seen["PSS of its processes"].append(sum(pss for pss, _ in shares))
            seen["private to its processes"].append(sum(own for _, own in shares))
            if (size := charged(program)) is not None:
                seen["charged to its cgroup"].append(size)
    return {name: [size / MIB for size in sizes] for name, sizes in seen.items() if sizes}


def held_by_host():
    """MiB, the median of some readings."""
    readings = []
    for _ in range(5):
        text = pathlib.Path("/proc/meminfo").read_text()
        sizes = {name: int(kib) for name, kib in re.findall(r"^(\w+): +(\d+) kB", text, re.MULTILINE)}
        readings.append(sum(sizes.get(name, 0) for name in HELD) / 1024)
        time.sleep(0.05)
    return statistics.median(readings)
