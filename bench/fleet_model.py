"""How many gateways, brokers and workers a rate of runs needs, by a model of queues; and how far the model is off.

Costs are those of a file that `./dev bench fleet_costs` wrote. With --check the model is instead held
against the fleets that a file tells of, each with its layout, rate and what was measured:
  {"costs_ms": {…}, "fleets": [{"workers": 3, "slots": 4, "offered_rate": 90, "measured_p50_ms": 14.2,
    "measured_p99_ms": 31.0, …}]}
where a fleet may also have every other number of a layout, `runs`, and under `costs` what was measured of it alone.
"""

import argparse
import dataclasses
import json
import pathlib
import sys

from shared.figures import markdown_table, percentile
from shared.fleet import ASSUMPTIONS, Costs, Fleet, Layout, enough

MS = 1e3
LOADS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
LAYOUT = {each.name for each in dataclasses.fields(Layout)}


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def program_costs(costs, milliseconds):
    """The same with programs that use a processor for so much longer than `print("Hello")` does."""
    return dataclasses.replace(costs, worker=costs.worker + milliseconds)


def layout_of(fleet):
    return Layout(**{name: value for name, value in fleet.items() if name in LAYOUT})


# ---- What a rate needs -------------------------------------------------------------------------


def needs(costs, start, rate, share, runs, seed):
    """For programs of several lengths, and for all runs waited for, and for none."""
    rows = []
    for program in (0, 10, 100):
        for waited_for in (1.0, 0.0):
            longer = program_costs(costs, program)
            layout = enough(dataclasses.replace(start, waited_for=waited_for), longer, rate, share)
            walls = layout.walls(longer)
            if rate >= min(walls.values()):
                delays = ["–", "–"]  # the line before the ledger only grows
            else:
                fleet = Fleet(layout, longer, rate, runs, seed)
                delays = [number(percentile(fleet.delays, each) * MS) for each in (0.5, 0.99)]
            rows.append([f"{program} ms, {'waited for' if waited_for else 'queued'}", layout.gateways, layout.brokers,
                         layout.streams if not waited_for else "–", layout.workers,
                         number(100 * rate / walls["ledger"]) + " %", *delays])  # fmt: skip
    head = ["program beyond a hello", "gateways", "brokers", "streams", "workers", "ledger busy", "in line p50 ms", "p99 ms"]
    return markdown_table(head, rows)


def first_walls(costs, start, rate, share):
    """What cannot be had twice, and at which rate it ends."""
    rows = []
    for waited_for in (1.0, 0.0):
        layout = enough(dataclasses.replace(start, waited_for=waited_for), costs, rate, share)
        one = dataclasses.replace(layout, streams=1).walls(costs)
        for name in ("streams", "ledger"):
            if name in one:
                rows.append(["waited for" if waited_for else "queued",
                             "one stream's leader" if name == "streams" else f"PostgreSQL, {layout.ledger_cores} processors",
                             number(one[name]), number(one[name] * 60)])  # fmt: skip
    rows.sort(key=lambda row: float(row[2].replace(",", "")))
    return markdown_table(["runs that are", "wall", "runs/s", "runs/min"], rows)


def delays_by_load(costs, start, rate, share, runs, seed):
    """Waiting in line as the busiest part has less and less time left."""
    rows = []
    for waited_for in (1.0, 0.0):
        layout = enough(dataclasses.replace(start, waited_for=waited_for), costs, rate, share)
        wall, limit = next(iter(layout.walls(costs).items()))
        for load in LOADS:
            fleet = Fleet(layout, costs, load * limit, runs, seed)
            waits = [number(percentile(fleet.delays, each) * MS) for each in (0.5, 0.99)]
            took = [number(percentile(fleet.latencies, each) * MS) for each in (0.5, 0.99)]
            rows.append(["waited for" if waited_for else "queued", wall, f"{load:.0%}", number(load * limit), *waits, *took])
    return markdown_table(
        ["runs that are", "busiest", "busy", "runs/s", "in line p50 ms", "p99 ms", "in all p50 ms", "p99 ms"], rows
    )


# ---- How far it is off -------------------------------------------------------------------------


def check(told, seed):
    """The table, and the largest of the errors of the medians as a share."""
    rows, worst = [], 0.0
    for fleet in told["fleets"]:
        costs = Costs(**(told["costs_ms"] | fleet.get("costs", {})))
        layout = layout_of(fleet)
        wall, limit = next(iter(layout.walls(costs).items()))
        row = [f"{layout.gateways} + {layout.workers} × {layout.slots}", number(fleet["offered_rate"]), wall,
               f"{fleet['offered_rate'] / limit:.0%}"]  # fmt: skip
        if fleet["offered_rate"] >= limit:
            rows.append([*row, "more than the model can do", "", ""])
            worst = max(worst, 1.0)
            continue
        model = Fleet(layout, costs, fleet["offered_rate"], max(20_000, fleet.get("runs", 0)), seed)
        for share, name in ((0.5, "measured_p50_ms"), (0.99, "measured_p99_ms")):
            said = percentile(model.latencies, share) * MS
            error = said / fleet[name] - 1
            row += [f"{said:.2f} / {fleet[name]:.2f} ({round(error, 2) + 0.0:+.0%})"]
            if share == 0.5:
                worst = max(worst, abs(error))
        rows.append(row)
    return markdown_table(
        ["gateways + workers × slots", "runs/s", "busiest", "busy", "p50 ms, model / measured", "p99 ms"], rows
    ), worst


def main():
    parser = argparse.ArgumentParser(prog="./dev bench fleet_model", description=__doc__.split("\n")[0])
    parser.add_argument("costs", type=pathlib.Path, help="file that ./dev bench fleet_costs wrote")
    parser.add_argument("--check", action="store_true", help="compare with the fleets of that file")
    parser.add_argument("--rate", type=float, default=1e6, help="runs a minute")
    parser.add_argument("--share", type=float, default=0.7, help="of its time that each part may be busy")
    parser.add_argument("--runs", type=int, default=100_000, help="runs of each simulation")
    parser.add_argument("--ledger-cores", type=int, default=16)
    parser.add_argument("--cores", type=int, default=4, help="processors of each other machine")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    told = json.loads(options.costs.read_text())
    if options.check:
        table, worst = check(told, options.seed)
        print(table)
        print(f"\nThe medians of the model are at most {worst:.0%} off.")
        return
    costs = Costs(**told["costs_ms"])
    # Twice as many slots as processors, as a service of one machine has.
    start = Layout(1, 1, 2 * options.cores, gateway_cores=options.cores, broker_cores=options.cores,
                   worker_cores=options.cores, ledger_cores=options.ledger_cores)  # fmt: skip
    rate = options.rate / 60
    print(f"{options.rate:,.0f} runs a minute = {rate:,.0f} a second; each part busy for {options.share:.0%} of its time; "
          f"machines of {options.cores} processors, the ledger's of {options.ledger_cores}\n")  # fmt: skip
    print("What it needs\n\n" + needs(costs, start, rate, options.share, options.runs, options.seed))
    print("\nWhat cannot be multiplied\n\n" + first_walls(costs, start, rate, options.share))
    print("\nWaiting as the load grows, hello\n\n"
          + delays_by_load(costs, start, rate, options.share, options.runs, options.seed))  # fmt: skip
    print("\nTaken for granted\n\n" + "\n".join(f"- {each}" for each in ASSUMPTIONS))
    print("- Costs, ms: " + ", ".join(f"{name} {value:.3f}" for name, value in dataclasses.asdict(costs).items()))


if __name__ == "__main__":
    sys.exit(main())
