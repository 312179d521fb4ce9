"""Cells of one zygote meet nowhere: neither at the same time nor one after the other."""

import json

import pytest

from one import HERE

pytestmark = pytest.mark.flaky(reruns=0)  # about walls: nothing in it has a second try
SOURCE = (HERE / "channels.py").read_text()
WARMING = 30  # runs, at most, until a service's cells come with an interpreter


def run(service, *args, source=SOURCE, **fields):
    return service.run(source, args=args, **fields)["outcome"]["stages"][-1]


def warm(service, source=""):
    """Has runs until one began in an interpreter that waited, of programs that begin with modules and of those that do not."""
    for imports in ("import time\n", "import json, time\n"):
        starts = (run(service, source=imports + "time.sleep(0.05)\n" + source)["start"] for _ in range(WARMING))
        assert "interpreter" in starts, f"none of {WARMING} runs began in an interpreter"


class Held:
    """A run that goes on; what it says is read from its events."""

    def __init__(self, service, *args, source=SOURCE, **fields):
        self.service = service
        self.id = service.submit(source, args=args, **fields)

    def __enter__(self):
        said = ""
        with self.service.client() as client:
            for line in client.open("GET", f"/v1/runs/{self.id}/events"):
                said += line.decode()
                if "ready" in said:
                    break
        assert "ready" in said, said
        return self

    def __exit__(self, *_):
        self.service.call("POST", f"/v1/runs/{self.id}/cancel")

    def end(self):
        """Cancels it; answers with its stage."""
        self.service.call("POST", f"/v1/runs/{self.id}/cancel")
        return self.service.look(self.id, wait=True)["outcome"]["stages"][-1]


def same_zygote(service):
    """Two cells whose hash seeds are the same come from one interpreter."""
    seeds = {run(service, source="print(hash('seed'))")["stdout"]["text"] for _ in range(2)}
    return len(seeds) == 1


def test_within_one_cell_every_channel_carries(service):
    stage = run(service, "both")
    lines = stage["stdout"]["text"].splitlines()
    said = json.loads(next(line for line in lines if line.startswith("{")))
    assert {"shm", "msg", "sem", "abstract", "tcp", "port", f"file /tmp/{'belljar-warm-channel'}"} <= set(said["met"])
    assert {"flock /box/main.py", "flock /dev/null", "flock /usr/bin/python3"} <= set(said["met"])
    assert "saw a connection" in lines
    # Where an interpreter waited there is no inotify at all.
    watched = {"saw /box/main.py", "saw /dev/null"}
    assert watched & set(lines) == (set() if stage["start"] == "interpreter" else watched)
    assert said["census"]["processes"] and said["census"]["signalled"] and said["census"]["sockets"]


def test_two_cells_of_one_zygote_do_not_meet(service):
    warm(service)
    assert same_zygote(service)
    with Held(service, "hold", limits={"wall": "60s"}) as held:
        probe = run(service, "probe")
        stage = held.end()
    assert (probe["start"], stage["start"]) == ("interpreter", "interpreter")
    assert probe["status"] == "ok", probe
    found = json.loads(probe["stdout"]["text"])
    assert found["met"] == []
    assert found["census"]["processes"] == [] and found["census"]["signalled"] == []
    assert found["census"]["sockets"] == 0 and found["census"]["tmp"] == []
    assert set(found["census"]["received"].values()) == {0}
    first, *rest = stage["stdout"]["text"].splitlines()
    taken = json.loads(first.removeprefix("ready "))
    assert taken and all(taken.values())  # it did hold them
    assert rest == []  # and saw nobody come


def test_the_next_cell_finds_nothing_of_the_one_before(service):
    warm(service)
    stage = run(service, "both")
    assert stage["start"] == "interpreter"
    # As many as are warm, and a place of the same uid among them at the latest after all are used.
    for _ in range(6):
        after = run(service, "probe")
        assert after["start"] == "interpreter"
        found = json.loads(after["stdout"]["text"])
        assert found["met"] == []
        assert found["census"]["tmp"] == [] and found["census"]["sockets"] == 0
        assert set(found["census"]["received"].values()) == {0}


@pytest.mark.parametrize("expression", [
    "random.random()", "random.SystemRandom().random()", "uuid.uuid4()", "uuid.uuid1()", "secrets.token_hex()",
    "os.urandom(8)", "next(tempfile._get_candidate_names())", "random.Random().random()", "random.getstate()[1][:3]",
    "ssl.RAND_bytes(8)",
])  # fmt: skip
def test_chance_is_not_shared_by_cells_of_one_zygote(service, expression):
    warm(service)
    source = f"import os, random, secrets, ssl, tempfile, uuid\nprint({expression})\n"
    stages = [run(service, source=source) for _ in range(3)]
    assert {stage["start"] for stage in stages} == {"interpreter"}
    assert len({stage["stdout"]["text"] for stage in stages}) == 3
    assert all(stage["stdout"]["text"].strip() for stage in stages)
