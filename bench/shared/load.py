"""Load on bare processes and on the service: so many at once, how long each takes and what it costs."""

import contextlib
import json
import os
import socket
import statistics
import threading
import time

from shared.figures import percentile

PYTHON = "/usr/bin/python3"
HELLO = 'print("Hello")'
MS = 1e3
PATIENCE = 60.0  # seconds


def request_of(body):
    """The bytes of one request; made once, so that the client's part is small."""
    content = json.dumps(body).encode()
    head = (
        "POST /v1/runs?wait=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


class Connection:
    """One that is kept, with as little of a client around it as Python can have."""

    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, request):
        """Seconds from the first byte out to the last one in, and the answer's body."""
        start = time.perf_counter()
        self._socket.sendall(request)
        answer = self._socket.recv(1 << 16)
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += self._more()
        lines = answer[:end].lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        while len(answer) < end + 4 + length:
            answer += self._more()
        return time.perf_counter() - start, answer[end + 4 :]

    def _more(self):
        part = self._socket.recv(1 << 16)
        if not part:
            raise ConnectionError("the service closed the connection")
        return part

    def close(self):
        self._socket.close()


REQUEST = request_of({"language": "python", "source": HELLO})
SAID = b'"text":"Hello\\n"'


class Bare:
    """The work without any wall: start the interpreter, read what it prints, wait for it."""

    def __init__(self):
        self._lock = threading.Lock()
        self._spent = 0.0

    def worker(self):
        return self._one

    def _one(self):
        # Spawned as cheaply as Python can: this side shall not pay for the client.
        said, into = os.pipe()
        files = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, into, 1)]
        child = os.posix_spawn(PYTHON, [PYTHON, "-c", HELLO], os.environ, file_actions=files)
        os.close(into)
        with os.fdopen(said, "rb") as pipe:
            text = pipe.read()
        _, status, usage = os.wait4(child, 0)
        with self._lock:
            self._spent += usage.ru_utime + usage.ru_stime
        return status == 0 and text == b"Hello\n"

    def spent(self):
        """Seconds of processor time: of our own, and of the programs."""
        return {"programs": self._spent}


class Service:
    def __init__(self, live, rest=0.0):
        self._live = live
        self._rest = rest  # seconds in which the pool fills up again, for what was taken from it

    def worker(self):
        connection = Connection(self._live.port)

        def one():
            _, answer = connection.call(REQUEST)
            return SAID in answer

        return one

    def spent(self):
        time.sleep(self._rest)
        return cost_of(self._live)


def cost_of(live):
    """Seconds of processor time of each part of a service, what has ended and what still waits."""
    # Every process of a cell is the warden's descendant, and is waited for when it has ended.
    parts = {"gateway": tree(live.gateway), "warden": 0.0, "supervisor": live.supervisor.cpu()[0]}
    parts.update(zygote=0.0, programs=0.0)
    for warden in live.wardens:
        own, waited = warden.cpu()
        parts["warden"] += own
        parts["programs"] += waited
        for child in warden.children():
            with contextlib.suppress(OSError, IndexError):
                parts["zygote" if is_zygote(child) else "programs"] += tree(child)
    return parts


def tree(process):
    total = sum(process.cpu())
    for child in process.children():
        with contextlib.suppress(OSError, IndexError):
            total += tree(child)
    return total


def is_init(process):
    return process.words()[0] == b"init"


def is_zygote(process):
    """An interpreter that is a child of the warden itself: those in cells are children of an init."""
    return b"python" in process.words()[0]


class Block:
    """Requests at one concurrency in one round: how long, each and all, and what it cost."""

    def __init__(self, way, concurrency, count):
        self.times = []
        self.failed = 0
        before = way.spent()
        left = iter(range(count))
        lock = threading.Lock()
        start = threading.Barrier(concurrency + 1)

        def work():
            one = way.worker()
            start.wait()
            while True:
                with lock:
                    if next(left, None) is None:
                        return
                began = time.perf_counter()
                good = one()
                took = time.perf_counter() - began
                with lock:
                    self.times.append(took)
                    self.failed += not good

        threads = [threading.Thread(target=work) for _ in range(concurrency)]
        for each in threads:
            each.start()
        start.wait()
        began = time.perf_counter()
        for each in threads:
            each.join()
        self.rate = len(self.times) / (time.perf_counter() - began)
        after = way.spent()
        self.cost = {name: (after[name] - before[name]) / count for name in after}


class Row:
    """All blocks of one way at one concurrency."""

    def __init__(self, blocks):
        times = [took for block in blocks for took in block.times]
        rates = sorted(block.rate for block in blocks)
        self.rate, self.slowest, self.fastest = statistics.median(rates), rates[0], rates[-1]
        self.p50, self.p99 = percentile(times, 0.5) * MS, percentile(times, 0.99) * MS
        self.failed = sum(block.failed for block in blocks)
        self.cost = {
            name: statistics.median(block.cost[name] for block in blocks) * MS for name in blocks[0].cost
        }
        self.own = statistics.median(
            sum(cost for name, cost in block.cost.items() if name != "programs") for block in blocks
        ) * MS  # fmt: skip

    def cells(self):
        total = self.own + self.cost["programs"]
        return (
            f"{self.rate:.1f} | {self.slowest:.1f}–{self.fastest:.1f} | {self.p50:.1f} | {self.p99:.1f} "
            f"| {self.own:.2f} | {self.cost['programs']:.2f} | {total:.2f}"
        )
