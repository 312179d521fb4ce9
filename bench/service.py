"""What the service costs: a Python hello over loopback beside the same work as bare processes.

Rounds are interleaved: each does every concurrency both ways, in an order of its own, so that a
slow moment of the machine falls on all alike. The client's threads are part of the load on both
sides. Nothing is kept warm between two runs. Prints a Markdown table.
"""

import argparse
import json
import os
import pathlib
import random
import statistics
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests"))

from shared.host import print_host
from support.live_service import LiveService

PYTHON = "/usr/bin/python3"
HELLO = 'print("Hello")'
CONCURRENCIES = (1, 2, 8, 32)
WARM_UP = 1  # rounds that fill caches and are not counted
BODY = json.dumps({"language": "python", "source": HELLO})
MS = 1e3


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
    def __init__(self, live):
        self._live = live

    def worker(self):
        client = self._live.client()

        def one():
            answer = client.call("POST", "/v1/runs?wait=1", BODY)
            return answer.status == 200 and b'"text":"Hello\\n"' in answer.body

        return one

    def spent(self):
        warden, warden_children = 0.0, 0.0
        for each in self._live.wardens:
            own, children = each.cpu()
            warden, warden_children = warden + own, warden_children + children
        gateway, gateway_children = self._live.gateway.cpu()
        return {
            "gateway": gateway + gateway_children,
            "warden": warden,
            "supervisor": self._live.supervisor.cpu()[0],
            # Every process of a cell is the warden's descendant, and is waited for before the
            # answer goes out.
            "programs": warden_children,
        }


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


def percentile(times, share):
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


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


def table(rows):
    print("\n| at once | way | requests/s | min–max | p50 ms | p99 ms | own CPU ms | programs' CPU ms | CPU ms |")
    print("|---:|---|---:|---:|---:|---:|---:|---:|---:|")
    for concurrency in CONCURRENCIES:
        for name in ("bare", "belljar"):
            print(f"| {concurrency} | {name} | {rows[name, concurrency].cells()} |")
    print("\n| at once | requests/s, to bare | p50, to bare | p99, to bare | CPU, to bare |")
    print("|---:|---:|---:|---:|---:|")
    for concurrency in CONCURRENCIES:
        bare, ours = rows["bare", concurrency], rows["belljar", concurrency]
        cpu = (ours.own + ours.cost["programs"]) / (bare.own + bare.cost["programs"])
        print(
            f"| {concurrency} | {ours.rate / bare.rate:.2f}× | {ours.p50 / bare.p50:.2f}× "
            f"| {ours.p99 / bare.p99:.2f}× | {cpu:.2f}× |"
        )
    print("\n| at once | gateway ms | warden ms | supervisor ms |")
    print("|---:|---:|---:|---:|")
    for concurrency in CONCURRENCIES:
        cost = rows["belljar", concurrency].cost
        print(f"| {concurrency} | {cost['gateway']:.2f} | {cost['warden']:.2f} | {cost['supervisor']:.2f} |")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench service", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=64, help="in each round, of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sync", choices=("full", "normal"), default="full", help="of the ledger")
    options = parser.parse_args()
    shuffle = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="belljar-bench-") as folder:
        scratch = pathlib.Path(folder)
        scratch.chmod(0o755)
        (scratch / "hello.py").write_text(HELLO + "\n")
        print_host(os.environ["BELLJAR"], scratch / "hello.py")
        with LiveService(scratch / "state", "--sync", options.sync) as live:
            concurrent = live.call("GET", "/v1/system").json["runs"]["concurrent"]
            print(f"service: {concurrent} runs at once, ledger on disk with sync {options.sync}")
            ways = {"bare": Bare(), "belljar": Service(live)}
            blocks = {(name, c): [] for name in ways for c in CONCURRENCIES}
            for _ in range(options.rounds + WARM_UP):
                for name, concurrency in shuffle.sample(sorted(blocks), len(blocks)):
                    blocks[name, concurrency].append(Block(ways[name], concurrency, options.requests))
    rows = {key: Row(each[WARM_UP:]) for key, each in blocks.items()}
    table(rows)
    print(
        f"\n{options.rounds} rounds of {options.requests} requests, interleaved in shuffled order; medians over "
        "rounds, percentiles over all requests.\nOwn CPU: gateway, warden and supervisor; programs' CPU: everything "
        "that ran in cells, setting them up included. Bare processes have only the latter."
    )
    failed = sum(row.failed for row in rows.values())
    if failed:
        print(f"{failed} requests were not answered with Hello")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
