"""What the service costs: a Python hello over loopback beside the same work as bare processes.

Rounds are interleaved: each does every concurrency both ways, in an order of its own, so that a
slow moment of the machine falls on all alike. The client's threads are part of the load on both
sides. Nothing is kept warm between two runs. Prints a Markdown table.
"""

import os
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests"))

from shared import rounds
from shared.host import print_host
from shared.load import HELLO, Bare, Service
from support.service import LiveService

CONCURRENCIES = (1, 2, 8, 32)


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
    parser = rounds.parser("service", __doc__)
    parser.add_argument("--sync", choices=("full", "normal"), default="full", help="of the ledger")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="belljar-bench-") as folder:
        scratch = pathlib.Path(folder)
        scratch.chmod(0o755)
        (scratch / "hello.py").write_text(HELLO + "\n")
        print_host(os.environ["BELLJAR"], scratch / "hello.py")
        with LiveService(scratch / "service", "--sync", options.sync, "--pool", 0) as live:
            concurrent = live.call("GET", "/v1/system").json["runs"]["concurrent"]
            print(f"service: {concurrent} runs at once, ledger on disk with sync {options.sync}")
            ways = {"bare": Bare(), "belljar": Service(live)}
            rows = rounds.measure(ways, CONCURRENCIES, options)
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
