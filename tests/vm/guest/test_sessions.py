"""Sessions on pure cgroup v2, where the freezer is that of the cell's own groups."""

import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from support.service import live_service  # noqa: E402 - after the path above


def ask(service, method, path, status, body=None):
    answer = service.call(method, path, body)
    assert answer.status == status, answer
    return answer.json


def execute(service, session, code, **fields):
    return ask(service, "POST", f"/v1/sessions/{session}/executions?wait", 200, {"code": code, **fields})


def value(made):
    assert made["status"] == "ok", made
    return made["results"][-1]["data"]["text/plain"]


def used(service):
    """Processor time of every process in a cell, in ticks of the kernel."""
    cells = [each for warden in service.wardens for init in warden.children() for each in init.children()]
    cells += [child for each in cells for child in each.children()]
    fields = [pathlib.Path(f"/proc/{each.pid}/stat").read_text().rpartition(")")[2].split() for each in cells]
    return [(int(each[11]), int(each[12])) for each in fields]


def test_a_session_keeps_its_state_and_stands_still_between_executions():
    with live_service("--pool", "0", "--session-spares", "0") as service:
        answer = service.call("POST", "/v1/sessions", {"limits": {"cpu": "60s", "wall": "120s"}})
        if answer.status == 503 and os.geteuid() != 0:
            # Who was given no cgroup has nothing to freeze cells in, and is told so.
            assert "cgroup v2" in answer.json["detail"], answer
            return
        assert answer.status == 201, answer
        session = answer.json["id"]
        execute(service, session, "import threading, time\nx = 20\ndef burn():\n    while True: pass\n")
        assert value(execute(service, session, "x + 1")) == "21"
        execute(service, session, "threading.Thread(target=burn, daemon=True).start()")
        before = used(service)
        assert len(before) == 2
        time.sleep(1)
        assert used(service) == before
        made = execute(service, session, "time.sleep(600)", limits={"wall": 3})
        assert (made["status"], made["clock"]) == ("timeout", "wall"), made
        assert value(execute(service, session, "x")) == "20"
        ask(service, "DELETE", f"/v1/sessions/{session}", 200)
        assert used(service) == []


def pages_of_files(service):
    """Bytes of files that are charged to the cells' groups, save for what is in a tmpfs."""
    total = 0
    for warden in service.wardens:
        for init in warden.children():
            place = pathlib.Path(f"/proc/{init.pid}/cgroup").read_text().split("::")[1].strip()
            lines = (pathlib.Path("/sys/fs/cgroup" + place).parent / "memory.stat").read_text().splitlines()
            facts = dict(line.split() for line in lines)
            total += int(facts["file"]) - int(facts["shmem"])
    return total


def test_a_paused_session_gives_back_what_it_has_read():
    """All of it would be too much: the kernel keeps what is mapped and in use as long as it can."""
    with live_service("--pool", "0", "--session-spares", "0") as service:
        session = ask(service, "POST", "/v1/sessions", 201, {"limits": {"cpu": "60s", "wall": "120s"}})["id"]
        read = "import pathlib\nx = 20\ntotal = 0\n" \
               "for path in sorted(pathlib.Path('/usr/lib').rglob('*')):\n" \
               "    if path.is_file() and total < 64 << 20:\n        total += len(path.read_bytes())\ntotal"  # fmt: skip
        assert int(value(execute(service, session, read))) >= 64 << 20
        before = pages_of_files(service)
        deadline = time.monotonic() + 120
        while pages_of_files(service) > before // 2 and time.monotonic() < deadline:
            time.sleep(0.5)
        after = pages_of_files(service)
        assert after <= before // 2, f"{before} bytes of files were charged to it, and {after} are"
        assert before >= 16 << 20, "it read what others had read before it: this shows nothing"
        assert value(execute(service, session, "x + 1")) == "21"
