"""Runs that somebody types into, at a worker: every byte once and in order, and an honest end where one is missing."""

import hashlib
import json
import os
import threading
import time

import pytest
import test_dispatch
import websocket
from support.client import PATIENCE
from support.command import wait_until
from support.service import out_of

fleet = test_dispatch.fleet
gauge = test_dispatch.gauge

READY = "print('ready', flush=True)\n"
ECHO = "import sys\nfor line in sys.stdin: print('got', line.strip(), flush=True)\nprint('end')"


class Talk:
    """A WebSocket of an interactive run."""

    def __init__(self, gateway):
        host, port = gateway.address
        self.socket = websocket.create_connection(f"ws://{host}:{port}/v1/runs/interactive", timeout=3 * PATIENCE)
        self.shown = ""
        self.errors = []
        self.id = self.run = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.shutdown()

    def send(self, type, **fields):
        self.socket.send(json.dumps({"type": type, **fields}))

    def start(self, source, limits=None, **options):
        run = {"language": "python", "source": source, **({"limits": limits} if limits else {})}
        self.send("start", run=run, **options)

    def receive(self):
        opcode, data = self.socket.recv_data()
        if opcode != websocket.ABNF.OPCODE_TEXT:
            return False
        message = json.loads(data)
        self.id = message.get("id", self.id)
        if message["type"] == "stdout":
            self.shown += message.get("text", "")
        if message["type"] == "error":
            self.errors.append(message["detail"])
        if message["type"] == "outcome":
            self.run = message["run"]
        return True

    def expect(self, text):
        while text not in self.shown:
            assert self.receive(), (self.shown, self.errors, self.run)

    def finish(self):
        while self.receive():
            pass
        return self.run


@pytest.fixture
def gateway(fleet):
    made = fleet.gateway()
    fleet.worker()
    fleet.with_room(made, 1)
    return made


@pytest.fixture
def talk(gateway):
    with Talk(gateway) as made:
        yield made


def test_lines_are_typed_and_answered_until_the_end_of_file(gateway, talk):
    talk.send("start", run={"language": "python", "source": ECHO, "stdin": "first\n"})
    talk.expect("got first")
    for word in ("one", "two", "\u00e9\u20ac"):
        talk.send("stdin", text=word + "\n")
        talk.expect(f"got {word}")
    talk.send("eof")
    run = talk.finish()
    assert (run["status"], run["attempts"], talk.shown.split("\n")[-2]) == ("ok", 1, "end")
    assert gateway.look(talk.id) == run
    # Nothing of how it came is in the request that is kept.
    kept = gateway.call("GET", f"/v1/runs/{talk.id}/request").json
    assert gateway.call("POST", "/v1/runs?wait=1", kept).json["attempts"] == 1


def test_a_terminal_has_its_size_and_its_keys(talk):
    talk.start(
        "import os, signal, time\n"
        "def show(*_):\n"
        "    size = os.get_terminal_size(0)\n"
        "    os.write(1, b'size %d %d\\n' % (size.lines, size.columns))\n"
        "signal.signal(signal.SIGWINCH, show)\n"
        "show()\n"
        "while True: time.sleep(0.01)\n", tty=True, rows=30, columns=100,
    )  # fmt: skip
    talk.expect("size 30 100")
    for rows in range(31, 41):
        talk.send("resize", rows=rows, columns=120)
    talk.expect("size 40 120")
    talk.send("stdin", text="\x03")
    assert talk.finish()["outcome"]["stages"][-1]["signal"] == "SIGINT"


def test_signals_and_cancel_do_not_wait_for_a_program_that_reads_nothing(talk):
    talk.start(
        "import os, signal, time\n"
        "signal.signal(signal.SIGUSR1, lambda *_: os.write(1, b'caught\\n'))\n" + READY + "time.sleep(600)"
    )  # fmt: skip
    talk.expect("ready")
    for _ in range(8):
        talk.send("stdin", text="x" * 60_000)
    talk.send("signal", name="SIGUSR1")
    talk.expect("caught")
    talk.send("cancel")
    assert talk.finish()["state"] == "cancelled"


def test_a_flood_comes_whole_and_one_that_nobody_reads_is_held_up(gateway, fleet):
    data = os.urandom(300_000).hex()
    with Talk(gateway) as talk:
        talk.start(
            "import hashlib, sys, time\n" + READY + "time.sleep(.5)\n"
            "print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())"
        )  # fmt: skip
        talk.expect("ready")
        for at in range(0, len(data), 50_000):
            talk.send("stdin", text=data[at : at + 50_000])
        talk.send("eof")
        assert talk.finish()["status"] == "ok", talk.errors
        assert hashlib.sha256(data.encode()).hexdigest() in talk.shown
    with Talk(gateway) as talk:
        talk.start(READY + "import time; time.sleep(600)")
        talk.expect("ready")
        for _ in range(60):
            talk.send("stdin", text="x" * 100_000)
        while not talk.errors:
            assert talk.receive()
        assert "wait unread" in talk.errors[0]


def test_the_run_ends_with_the_connection(gateway):
    with Talk(gateway) as talk:
        talk.start(READY + "import time; time.sleep(600)")
        talk.expect("ready")
    wait_until(lambda: gateway.look(talk.id)["state"] == "cancelled", "it to be cancelled", PATIENCE)
    wait_until(lambda: gauge(gateway, "belljar_fleet_running") == 0, "its worker to have ended it", PATIENCE)


def test_one_whose_worker_dies_ends_as_lost_and_is_not_begun_again(gateway, fleet, talk):
    talk.start("import sys\n" + READY + "for line in sys.stdin: print(line, flush=True)")
    talk.expect("ready")
    fleet.workers[0].kill()
    second = fleet.worker()
    run = talk.finish()
    assert (run["state"], run["attempts"]) == ("lost", 1), run
    assert "worker that ran it is gone" in run["reason"]
    assert out_of(gateway.run("print(1)")) == "1\n"
    # Its work would be delivered again about now; nobody begins it.
    time.sleep(11)
    assert gateway.look(talk.id)["attempts"] == 1 and talk.shown.count("ready") == 1
    assert gauge(gateway, "belljar_fleet_running") == 0
    assert not second.has_ended


def test_one_whose_gateway_dies_ends_as_lost(gateway, fleet):
    with Talk(gateway) as talk:
        talk.start("import sys\n" + READY + "sys.stdin.read()", limits={"wall": "30s"})
        talk.expect("ready")
        gateway.kill("gateway")
        wait_until(lambda: len(gateway.logged("ready")) == 2, "another gateway", PATIENCE)
        run = gateway.look(talk.id)
        assert (run["state"], run["attempts"]) == ("lost", 1), run
        wait_until(lambda: gauge(gateway, "belljar_fleet_running") == 0, "its worker to have ended it", PATIENCE)


def test_many_at_once_each_get_their_own(gateway, fleet):
    fleet.worker(capacity=4)
    fleet.with_room(gateway, 2)
    wrong = []

    def converse(name):
        try:
            with Talk(gateway) as talk:
                talk.start(ECHO)
                for i in range(20):
                    talk.send("stdin", text=f"{name} {i}\n")
                    talk.expect(f"got {name} {i}\n")
                talk.send("eof")
                run = talk.finish()
                lines = [line for line in talk.shown.splitlines() if line.startswith("got")]
                assert run["status"] == "ok" and lines == [f"got {name} {i}" for i in range(20)], (run, talk.shown)
        except Exception as error:  # noqa: BLE001 - told by the test
            wrong.append((name, repr(error)))

    threads = [threading.Thread(target=converse, args=(f"talk{i}",)) for i in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(4 * PATIENCE)
    assert not wrong and not any(each.is_alive() for each in threads), wrong
