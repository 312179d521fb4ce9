"""The model of a fleet is the sum of its parts, finds the walls that were put there, and owns up to its error."""

import dataclasses
import json
import pathlib
import subprocess

import pytest
from shared.fleet import Costs, Fleet, Layout, enough
from test_queues import erlang_wait

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNS = 60_000
NOTHING = Costs(**dict.fromkeys((each.name for each in dataclasses.fields(Costs)), 0.0))
SOME = Costs(gateway=0.4, worker=4.0, worker_after=2.0, run_wait=1.0, broker_request=0.03, broker_leader=0.14,
             broker_follower=0.08, ledger_once=0.3, ledger_accept=0.2, ledger_end=0.2, ledger_commit=1.0, hop=0.1,
             run_variation=0.0)  # fmt: skip
ALONE = Layout(gateways=1, workers=1, slots=4, brokers=0)


def mean(values):
    return sum(values) / len(values)


def test_one_worker_is_a_station_of_its_slots():
    costs = dataclasses.replace(NOTHING, run_wait=1000.0, run_variation=1.0)
    fleet = Fleet(ALONE, costs, 3.2, RUNS)
    assert mean(fleet.delays) == pytest.approx(erlang_wait(4, 3.2, 1.0), rel=0.08)


def test_many_workers_with_one_queue_are_one_station():
    layout = Layout(gateways=2, workers=4, slots=2, brokers=3, waited_for=0.0)
    costs = dataclasses.replace(NOTHING, run_wait=1000.0, run_variation=1.0)
    fleet = Fleet(layout, costs, 6.4, RUNS)
    assert mean(fleet.delays) == pytest.approx(erlang_wait(8, 6.4, 1.0), rel=0.08)


@pytest.mark.parametrize("waited_for", [1.0, 0.0])
def test_an_empty_fleet_takes_the_sum_of_its_parts(waited_for):
    layout = Layout(gateways=2, workers=3, slots=4, waited_for=waited_for)
    fleet = Fleet(layout, SOME, 0.01, 200)
    assert max(fleet.delays) == 0.0
    ledger = 0.3 + 1.0 if waited_for else 2 * (0.2 + 1.0)
    through = 0.03 if waited_for else 0.14
    hops = 2 * 2 + 2 if waited_for else 2 * (1 + 3) + 2 * 2
    expected = 0.4 + 4.0 + 1.0 + through + ledger + hops * 0.1
    assert fleet.latencies == pytest.approx([expected / 1e3] * len(fleet.latencies))


def test_every_run_ends_and_the_same_seed_tells_the_same():
    layout = Layout(gateways=2, workers=3, slots=4, streams=2, waited_for=0.5)
    rate = 0.9 * min(layout.walls(SOME).values())
    fleets = [Fleet(layout, SOME, rate, 5_000, seed) for seed in (3, 3, 4)]
    assert [each.runs for each in fleets] == [5_000] * 3
    assert fleets[0].latencies == fleets[1].latencies != fleets[2].latencies


@pytest.mark.parametrize("waited_for", [1.0, 0.0])
def test_each_part_is_as_busy_as_its_demand_says(waited_for):
    layout = enough(Layout(1, 1, 8, waited_for=waited_for), SOME, 3000, 0.7)
    fleet = Fleet(layout, SOME, 3000, RUNS)
    for name, (need, servers) in layout.demands(SOME).items():
        if need and name in fleet.busy:
            assert fleet.busy[name] == pytest.approx(3000 * need / 1e3 / servers, rel=0.03), name


def test_enough_is_enough_and_not_one_more_worker():
    layout = enough(Layout(1, 1, 8, waited_for=0.0), SOME, 3000, 0.7)
    for name, (need, servers) in layout.demands(SOME).items():
        assert 3000 * need / 1e3 / servers <= 0.7 + 1e-9, name
    fewer = dataclasses.replace(layout, workers=layout.workers - 1)
    need, servers = fewer.demands(SOME)["workers"]
    assert 3000 * need / 1e3 / servers > 0.7


def test_beyond_a_wall_the_line_only_grows():
    layout = Layout(gateways=2, workers=3, slots=4)
    wall, limit = next(iter(layout.walls(SOME).items()))
    assert wall == "workers"
    below, above = (Fleet(layout, SOME, share * limit, 20_000) for share in (0.8, 1.3))
    assert above.latencies[-1] > 10 * below.latencies[-1]


def test_all_on_one_host_is_slower_than_each_on_its_own():
    layout = Layout(gateways=1, workers=1, slots=4, brokers=3, gateway_cores=2, worker_cores=2)
    shared = dataclasses.replace(layout, shared_cores=2)
    costs = dataclasses.replace(SOME, hop=0.0)
    assert mean(Fleet(shared, costs, 200, RUNS).delays) > 1.2 * mean(Fleet(layout, costs, 200, RUNS).delays)


# ---- The command ------------------------------------------------------------------------------


def call(file, *options):
    return subprocess.run(
        ["/usr/bin/python3", "-B", ROOT / "bench/fleet_model.py", file, *options],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip


@pytest.fixture
def told(tmp_path):
    """A file as it is measured, of a small fleet that behaves as theory has it: M/D/1 with 10 ms, 30 % busy."""
    file = tmp_path / "costs.json"

    def write(**changed):
        fleet = {"gateways": 1, "workers": 1, "slots": 1, "brokers": 0, "worker_cores": 1, "offered_rate": 30,
                 "costs": dataclasses.asdict(dataclasses.replace(NOTHING, worker=10.0)),
                 "measured_p50_ms": 10.0, "measured_p99_ms": 30.0} | changed  # fmt: skip
        file.write_text(json.dumps({"costs_ms": dataclasses.asdict(SOME), "fleets": [fleet]}))
        return file

    return write


def test_the_check_says_how_far_it_is_off(told):
    done = call(told(), "--check")
    assert done.returncode == 0, done.stderr
    assert "| 10.00 / 10.00 (+0%) |" in done.stdout
    assert "at most 0% off" in done.stdout
    wrong = call(told(measured_p50_ms=20.0), "--check").stdout
    assert "(-50%)" in wrong and "at most 50% off" in wrong


def test_the_check_owns_up_to_a_rate_that_it_holds_impossible(told):
    assert "more than the model can do" in call(told(offered_rate=150), "--check").stdout


def test_the_answer_has_its_assumptions(told):
    done = call(told(), "--runs", "2000", "--rate", "60000")
    assert done.returncode == 0, done.stderr
    for part in ("What it needs", "What cannot be multiplied", "Waiting as the load grows", "Taken for granted", "Poisson"):
        assert part in done.stdout
