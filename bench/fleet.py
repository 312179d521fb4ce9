"""What a fleet adds: a Python hello over loopback through a gateway, NATS and a worker, beside the service of one
machine and bare processes. Rounds are interleaved. Prints Markdown tables.

Gateway, worker, PostgreSQL and one NATS node are all on this machine: what is told is what they cost, not what a
network between them would take.
"""

import os
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests"))

from shared import rounds
from shared.figures import markdown_table
from shared.host import print_host
from shared.load import HELLO, Bare, Service, tree
from support.client import PATIENCE
from support.command import wait_until
from support.nats import Nats
from support.postgres import Postgres
from support.process import Process
from support.service import LiveService
from support.worker import LiveWorker

CONCURRENCIES = (1, 2, 8)
POOL = 8
REST = 0.5  # seconds, until the pool is full again: making its cells is a part of what runs cost
MOST_ADDED_CPU = 0.5  # milliseconds of a run


class Fleet(Service):
    """Its gateway, and all that its runs cost besides."""

    def __init__(self, live, others):
        super().__init__(live, REST)
        self._others = others  # by name, the process at the top of each

    def spent(self):
        return {**super().spent(), **{name: tree(Process(pid)) for name, pid in self._others.items()}}


def latency(rows):
    for concurrency in CONCURRENCIES:
        bare = rows["bare", concurrency]
        for name in ("one machine", "fleet"):
            row = rows[name, concurrency]
            yield (concurrency, name, f"{row.p50 / bare.p50:.2f}×", f"{row.p99 / bare.p50:.2f}×",
                   f"{row.rate / bare.rate:.2f}×")  # fmt: skip
        alone, fleet = rows["one machine", concurrency], rows["fleet", concurrency]
        yield (concurrency, "added by the fleet", f"{(fleet.p50 - alone.p50) / bare.p50:.2f}×",
               f"{(fleet.p99 - alone.p99) / bare.p50:.2f}×", "")  # fmt: skip


def total(row):
    return sum(row.cost.values())


def added(rows, concurrency):
    return total(rows["fleet", concurrency]) - total(rows["one machine", concurrency])


def parts(rows):
    for concurrency in CONCURRENCIES:
        for name in ("one machine", "fleet"):
            row = rows[name, concurrency]
            shown = ", ".join(f"{part} {spent:.2f}" for part, spent in row.cost.items() if spent >= 0.005)
            yield concurrency, name, shown, f"{total(row):.2f}"
        yield concurrency, "added by the fleet", "", f"{added(rows, concurrency):.2f}"


def main():
    options = rounds.parser("fleet", __doc__).parse_args()
    with tempfile.TemporaryDirectory(prefix="belljar-bench-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        (folder / "hello.py").write_text(HELLO + "\n")
        print_host(os.environ["BELLJAR"], folder / "hello.py")
        rows = measure(folder, options)
    print()
    print(markdown_table(("at once", "way", "p50 to bare", "p99 to bare's p50", "runs/s to bare"), latency(rows)))
    print("\nProcessor time of a run, in milliseconds:\n")
    print(markdown_table(("at once", "way", "of it", "all"), parts(rows)))
    in_all = rows["fleet", 1].p50 / rows["bare", 1].p50
    aims = [
        ("p50 through the fleet, one at a time", "≤ 1 × bare", f"{in_all:.2f}×", in_all <= 1),
        *((f"processor time added to a run, {each} at once", f"≤ {MOST_ADDED_CPU} ms", f"{added(rows, each):.2f} ms",
           added(rows, each) <= MOST_ADDED_CPU) for each in CONCURRENCIES),
    ]
    print()
    print(markdown_table(("aim", "is", "found", "met"), [(*aim, "yes" if met else "**no**") for *aim, met in aims]))
    print(f"\n{options.rounds} rounds of {options.requests} requests, interleaved in shuffled order; medians over rounds.")
    failed = sum(row.failed for row in rows.values())
    if failed:
        print(f"{failed} requests were not answered with Hello")
    return 1 if failed else 0


def measure(folder, options):
    with Postgres(folder / "postgres") as database, Nats(folder / "nats") as nats:
        url = database.url(database.new_database())
        with LiveService(folder / "alone", "--pool", POOL, "--rate", 0, "--headers", "none") as alone:
            with LiveService(folder / "gateway", "--ledger", url, "--fleet", nats.url, "--rate", 0) as gateway:
                worker = LiveWorker(folder / "worker", nats.url, capacity=4, pool=POOL)
                try:
                    wait_until(lambda: gateway.call("GET", "/readyz").status == 200, "the fleet", PATIENCE)
                    others = {"worker": worker.process.pid, "nats": nats.process.pid, "ledger": database.process.pid}
                    ways = {"bare": Bare(), "one machine": Service(alone, REST), "fleet": Fleet(gateway, others)}
                    return rounds.measure(ways, CONCURRENCIES, options)
                finally:
                    worker.stop()


if __name__ == "__main__":
    sys.exit(main())
