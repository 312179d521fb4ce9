"""The cgroups of a cell that is gone serve the next one, and no count of the one is in the bill of the other."""

import os
import pathlib

import pytest

from support.service import live_service
from test_channels import run, warm

pytestmark = pytest.mark.flaky(reruns=0)  # about walls: nothing in it has a second try
MEMORY = pathlib.Path("/sys/fs/cgroup/memory")
ROUNDS = 10
HELLO = "print('hello')"

WASTEFUL = {
    "memory": "data = bytearray(96 << 20)",
    "page_cache": "open('/tmp/file', 'wb').write(bytes(48 << 20))",
    "processor": "import time\nwhile time.process_time() < 0.5:\n    pass",
    "processes": "import os\nfor _ in range(8):\n    if os.fork() == 0:\n        os._exit(0)\n"
                 "for _ in range(8):\n    os.wait()",
    "too_many_processes": "import os, time\ntry:\n    for _ in range(100):\n        if os.fork() == 0:\n"
                          "            time.sleep(60)\nexcept BlockingIOError:\n    pass",
    "too_much_memory": "data = bytearray(400 << 20)",
    "throttling": "import os, time\nif os.fork() == 0:\n    pass\nwhile time.process_time() < 0.4:\n    pass",
}  # fmt: skip


@pytest.fixture(scope="module")
def service():
    with live_service("--concurrent", "1", "--pool", "2", "--rate", "0") as made:
        warm(made)
        yield made


def groups(service):
    """The memory groups of the cells that wait, by inode."""
    found = set()
    for warden in (process.pid for process in service.wardens):
        for cell in pathlib.Path(f"/proc/{warden}/task/{warden}/children").read_text().split():
            try:
                lines = pathlib.Path(f"/proc/{cell}/cgroup").read_text().splitlines()
                place = next(line.split(":", 2)[2] for line in lines if "memory" in line.split(":")[1].split(","))
                found.add(os.stat(MEMORY / place.lstrip("/")).st_ino)
            except (OSError, StopIteration):
                continue  # it has just ended
    return found


@pytest.mark.skipif(not (MEMORY / "memory.max_usage_in_bytes").exists(),
                    reason="memory is on cgroup v2, whose peak stays: each cell has groups of its own")
def test_groups_are_used_again(service):
    seen = set()
    for _ in range(ROUNDS):
        seen |= groups(service)
        assert run(service, source=HELLO)["start"] == "interpreter"
    assert 0 < len(seen) < ROUNDS, "each cell had groups of its own: the tests below would show nothing"


@pytest.mark.parametrize("what", WASTEFUL)
def test_the_next_bill_has_nothing_of_the_last(service, what):
    usual = [run(service, source=HELLO) for _ in range(3)]
    run(service, source=WASTEFUL[what])
    for _ in range(6):
        stage = run(service, source=HELLO)
        assert stage["status"] == "ok", stage
        bill, usually = stage["usage"], [each["usage"] for each in usual]
        assert bill["peak_memory_bytes"] < max(each["peak_memory_bytes"] for each in usually) + (4 << 20)
        assert bill["cpu_ms"] < max(each["cpu_ms"] for each in usually) + 200
        assert (bill["peak_processes"], bill["oom_kills"]) == (1, 0)
        assert bill["throttled_ms"] < 100
        assert stage["events"]["process_limit_hits"] == 0


def test_limits_are_those_of_the_class(service):
    """Groups that had other limits are given new ones."""
    source = "try:\n    data = bytearray(40 << 20)\nexcept MemoryError:\n    pass\nprint('lived')"
    for memory in ("24M", "256M", "24M", "256M"):
        stage = [run(service, source="import json\n" + source, limits={"memory": memory}) for _ in range(4)][-1]
        assert stage["status"] == ("memory_limit" if memory == "24M" else "ok"), stage


def test_small_limits_of_one_class_leave_the_other_its_cells(service):
    """Groups with a small limit take a larger one: else the class would be without cells for a while."""
    for _ in range(3):
        for _ in range(3):
            run(service, source=HELLO, limits={"memory": "24M"})
        starts = [run(service, source=HELLO, limits={"memory": "256M"})["start"] for _ in range(4)]
        assert starts == ["interpreter"] * 4
