"""The service under load for long: it stays as small as it was, mixes nothing up, loses nothing."""

import os
import signal
import threading
import time

import mixture
import pytest
import soak
from support.client import PATIENCE
from support.service import live_service

FULL = os.environ.get("BELLJAR_TEST_FULL") == "1"
RUNS = 20_000 if FULL else soak.SETTLED + 400
RUNS_WITH_KILLS = 1000 if FULL else 120
KILLS = 4  # more gateways than five in half a minute and the supervisor gives up, rightly
SEED = 20


def show(troubles):
    return f"{len(troubles)} runs went wrong:\n" + "\n".join(troubles[:20])


def assert_works(service):
    (program,) = mixture.programs(1, 0)
    with service.client() as client:
        assert soak.run_and_look(client, program) is None


def test_a_soak_leaves_the_service_as_it_was():
    with live_service(*soak.OPTIONS) as service:
        before, after, troubles, kinds = soak.soak(service, RUNS, SEED)
        assert not troubles, show(troubles)
        assert sum(kinds.values()) == RUNS
        # The mixture was one: honest programs of every kind, and most of the hostile.
        assert set(mixture.HONEST) <= set(kinds)
        assert len(set(kinds) & {*mixture.HOSTILE_PYTHON, *mixture.HOSTILE_C}) >= 12
        assert {name: each.pid for name, each in before.processes.items()} == {
            name: each.pid for name, each in after.processes.items()
        }, "a process was replaced"
        more_cells = max(0, after.cells - before.cells)
        assert after.descriptors["gateway"] == before.descriptors["gateway"]
        assert after.descriptors["warden"] <= before.descriptors["warden"] + soak.MOST_OF_A_CELL * more_cells
        assert after.of_removed_groups == []
        assert after.of_places <= soak.MOST_OF_A_PLACE * (after.cells + soak.MOST_KEPT)
        for name, first in before.resident.items():
            assert after.resident[name] <= soak.GROWTH * first, f"{name}: {first} -> {after.resident[name]}"
        assert_works(service)
        assert service.stop() == 0


def kill_gateway(service):
    service.kill("gateway")


def kill_warden(service):
    for warden in service.wardens:
        warden.kill()


class Killer(threading.Thread):
    """Kills what it is told to whenever so many more runs were accepted."""

    def __init__(self, accepted, kill):
        super().__init__()
        self.accepted = accepted
        self.kill = kill
        self.killed = 0

    def run(self):
        deadline = time.monotonic() + 5 * PATIENCE
        for number in range(1, KILLS + 1):
            while len(self.accepted.runs) < RUNS_WITH_KILLS * number // (KILLS + 1):
                if time.monotonic() > deadline:
                    return
                time.sleep(0.005)
            self.kill(self.accepted.service)
            self.killed += 1


@pytest.mark.parametrize("on_restart", ["rerun", "lost"])
@pytest.mark.parametrize("kill", [kill_gateway, kill_warden])
def test_what_was_accepted_ends_although_a_process_is_killed(kill, on_restart):
    with live_service(*soak.OPTIONS, "--on-restart", on_restart) as service:
        accepted = soak.Accepted(service)
        killer = Killer(accepted, kill)
        killer.start()
        crowd = soak.Crowd(service, mixture.programs(RUNS_WITH_KILLS, SEED), accepted.submit).run()
        killer.join()
        assert not crowd.troubles, show(crowd.troubles)
        assert killer.killed == KILLS
        # Every program has one run: a request that was sent again was not run as another.
        assert len(accepted.runs) == RUNS_WITH_KILLS
        ended = accepted.ends()
        assert ended.keys() == accepted.runs.keys()
        troubles = []
        lost = 0
        for each, run in ended.items():
            if run["state"] == "lost":
                lost += 1
                if not run["reason"]:
                    troubles.append(f"{each} is lost and nobody says why")
                continue
            wrong = mixture.trouble(accepted.runs[each], run)
            if wrong:
                troubles.append(wrong)
        assert not troubles, show(troubles)
        if on_restart == "rerun":
            # Three attempts are the most, and a run that had begun may meet more kills than that.
            assert lost <= RUNS_WITH_KILLS // 10, [run["reason"] for run in ended.values() if run["state"] == "lost"]
        assert_works(service)
        assert service.stop() == 0


def test_what_was_accepted_ends_although_the_whole_service_is_killed():
    with live_service(*soak.OPTIONS) as service:
        accepted = soak.Accepted(service)
        crowd = soak.Crowd(service, mixture.programs(RUNS_WITH_KILLS // 2, SEED), accepted.submit).run()
        assert not crowd.troubles, show(crowd.troubles)
        others = [service.gateway, *service.wardens]
        service.stop(signal.SIGKILL)
        # Nobody is left who could hold the port or run anything.
        deadline = time.monotonic() + PATIENCE
        while any(each.is_there() for each in others):
            assert time.monotonic() < deadline, "the gateway or the warden has outlived its supervisor"
            time.sleep(0.02)
        service.start()
        ended = accepted.ends()
        assert ended.keys() == accepted.runs.keys()
        troubles = [mixture.trouble(accepted.runs[each], run) for each, run in ended.items()]
        assert not any(troubles), show([each for each in troubles if each])
        assert max(run["attempts"] for run in ended.values()) == 2, "nothing ran when it was killed"
        assert_works(service)
