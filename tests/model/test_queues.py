"""The stations of the model wait as the theory of queues says."""

import math
import random

import pytest
from shared.events import Clock, GroupCommit, Station

RUNS = 200_000


def mean_wait(servers, rate, service, runs=RUNS, seed=7):
    """Seconds in line before a station, arrivals at random; `service(chance)` is how long one takes."""
    chance, clock, waits = random.Random(seed), Clock(), []
    station = Station(clock, servers)

    def one():
        waits.append((yield station.use(service(chance))))

    def arrivals():
        for _ in range(runs):
            yield clock.wait(chance.expovariate(rate))
            clock.start(one())

    clock.start(arrivals())
    clock.run()
    assert len(waits) == runs
    return sum(waits) / runs, station.worked / servers / clock.now


def erlang_wait(servers, rate, mean):
    """The mean wait of M/M/c."""
    load = rate * mean
    full = load**servers / math.factorial(servers) / (1 - load / servers)
    some = sum(load**number / math.factorial(number) for number in range(servers))
    return full / (some + full) * mean / (servers - load)


@pytest.mark.parametrize("servers, load", [(1, 0.5), (1, 0.8), (4, 0.7), (16, 0.8)])
def test_random_service_waits_as_erlang_says(servers, load):
    waited, busy = mean_wait(servers, load * servers, lambda chance: chance.expovariate(1.0))
    assert waited == pytest.approx(erlang_wait(servers, load * servers, 1.0), rel=0.05)
    assert busy == pytest.approx(load, rel=0.02)


@pytest.mark.parametrize("load", [0.5, 0.8, 0.9])
def test_constant_service_waits_half_as_long(load):
    waited, _ = mean_wait(1, load, lambda _: 1.0)
    assert waited == pytest.approx(load / (2 * (1 - load)), rel=0.05)


def test_a_wrong_theory_is_told_from_the_right_one():
    """The tolerance is not so wide that anything passes."""
    waited, _ = mean_wait(1, 0.8, lambda _: 1.0)
    assert waited != pytest.approx(erlang_wait(1, 0.8, 1.0), rel=0.05)


def test_nobody_waits_where_nobody_else_is():
    waited, _ = mean_wait(1, 1e-9, lambda _: 1.0, runs=100)
    assert waited == 0.0


def test_a_flush_takes_along_all_that_came_before_it():
    clock = Clock()
    log = GroupCommit(clock, 10.0)
    ends = []

    def one(at):
        yield clock.wait(at)
        waited = yield log.commit()
        ends.append((at, waited, clock.now))

    for at in (0.0, 1.0, 9.0, 10.5):
        clock.start(one(at))
    clock.run()
    assert ends == [(0.0, 0.0, 10.0), (1.0, 9.0, 20.0), (9.0, 1.0, 20.0), (10.5, 9.5, 30.0)]


def test_events_of_one_moment_keep_their_order():
    clock, seen = Clock(), []
    for name in "abc":
        clock.after(1.0, seen.append, name)
    clock.run()
    assert seen == list("abc")
