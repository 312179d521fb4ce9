"""A whole fleet under load while its parts fall one after the other: what was accepted is recorded once, with
its own output, whatever fell."""

import http.client
import json
import os
import random
import signal
import subprocess
import threading
import time

import pytest
from support.client import PATIENCE
from support.command import binary, scratch_folder, wait_until
from support.fleet import LONG, Fleet, Load, hold
from support.nats import Cluster
from support.service import out_of

FULL = os.environ.get("BELLJAR_TEST_FULL") == "1"
RUNS = 5000 if FULL else 250
SEED = 7


@pytest.fixture
def fleet(own_postgres):
    url = own_postgres.url(own_postgres.new_database())
    with scratch_folder("belljar-fleet-") as folder, Cluster(folder) as cluster:
        made = Fleet(folder, cluster, url)
        try:
            yield made
            wrong = made.close()
        finally:
            made.kill()
    assert not wrong, wrong


class Chaos:
    """Every second one part of the fleet is killed, or stands still for a while as one that is cut off, and comes
    back. What fell is told."""

    KINDS = ("worker", "gateway", "nats", "worker stands", "nats stands")

    def __init__(self, fleet, seed):
        self.fleet = fleet
        self.chance = random.Random(seed)
        self.told = []

    def strike(self):
        """Each kind once, and then any."""
        missing = [kind for kind in self.KINDS if kind not in self.told]
        kind = self.chance.choice(missing or self.KINDS)
        getattr(self, "_" + kind.replace(" ", "_"))()
        self.told.append(kind)

    def _worker(self):
        self.fleet.replace_worker(self.chance.randrange(len(self.fleet.workers)))

    def _gateway(self):
        gateway = self.chance.choice(self.fleet.gateways)
        gateway.kill()
        gateway.restart()

    def _nats(self):
        server = self.chance.choice(self.fleet.cluster.servers)
        server.stop(signal.SIGKILL)
        time.sleep(0.5)
        server.start()

    def _worker_stands(self):
        self._stand(self.chance.choice(self.fleet.workers).member.pid)

    def _nats_stands(self):
        self._stand(self.chance.choice(self.fleet.cluster.servers).process.pid)

    def _stand(self, pid):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(self.chance.uniform(0.5, 3))
        os.kill(pid, signal.SIGCONT)


def test_no_run_is_lost_or_mixed_up_while_parts_of_the_fleet_fall(fleet, own_postgres):
    load = Load(fleet.gateways, RUNS)
    chaos = Chaos(fleet, SEED)
    while not (load.is_over and set(chaos.told) == set(chaos.KINDS)) and not load.wrong:
        chaos.strike()
        time.sleep(1)
    load.join()
    print(f"{RUNS} runs while these fell: {chaos.told}")
    hold(fleet, own_postgres, load)


def test_every_part_is_restarted_in_turn_without_a_failed_request(fleet, own_postgres):
    """As a new version is rolled out: clients go to a gateway that says that it is ready."""
    failed, done = [], []
    over = threading.Event()
    resting = set()  # gateways that whoever balances the load sends nothing to

    def ask(seed):
        chance = random.Random(seed)
        number = 0
        while not over.is_set():
            number += 1
            service = chance.choice([each for each in fleet.gateways if each not in resting]).service
            text = f"{seed}-{number}"
            try:
                run = service.run(f"print('{text}')")
                (done if out_of(run) == f"{text}\n" else failed).append(text)
            except (OSError, AssertionError, http.client.HTTPException) as error:
                failed.append(repr(error))

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for each in threads:
        each.start()
    try:
        for which, worker in enumerate(list(fleet.workers)):
            fleet.workers[which] = fleet.start_worker(which)
            assert worker.stop() == 0
        for gateway in fleet.gateways:
            resting.add(gateway)
            time.sleep(0.5)
            assert gateway.service.stop() == 0
            gateway.restart()
            resting.clear()
        for server in fleet.cluster.servers:
            server.stop()
            server.start()
            wait_until(lambda: all(each.service.call("GET", "/readyz").status == 200 for each in fleet.gateways),
                       "the gateways to be ready", PATIENCE)  # fmt: skip
    finally:
        over.set()
        for each in threads:
            each.join(LONG)
    assert not failed, (len(failed), failed[:5])
    assert len(done) > 20


def test_the_command_shows_who_is_left_where_nats_has_no_majority(fleet):
    def seen():
        done = subprocess.run([binary(), "fleet", "--fleet", fleet.cluster.url, "--json"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE, check=True)  # fmt: skip
        return json.loads(done.stdout)

    whole = seen()
    assert (whole["queues"], whole["unrecorded_ends"]) == ([], 0)
    fallen = fleet.cluster.servers[:2]
    for server in fallen:
        server.stop(signal.SIGKILL)
    workers = [each["id"] for each in whole["workers"]]
    wait_until(lambda: [each["id"] for each in seen()["workers"]] == workers, "them to be at the node that is left", PATIENCE)
    left = seen()
    assert left["queues_unknown"].startswith(("NATS: ", "JetStream: ")) and "queues" not in left
    assert len(left["gateways"]) == 2
    for server in fallen:
        server.start()
    wait_until(lambda: "queues" in seen(), "JetStream", PATIENCE)
