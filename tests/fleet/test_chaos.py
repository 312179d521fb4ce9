"""A whole fleet under load while its parts fall one after the other: what was accepted is recorded once, with
its own output, whatever fell."""

import contextlib
import http.client
import os
import random
import signal
import socket
import threading
import time

import pytest
from support.client import PATIENCE
from support.command import scratch_folder, wait_until
from support.nats import Cluster
from support.service import LiveService, out_of
from support.worker import LiveWorker

FULL = os.environ.get("BELLJAR_TEST_FULL") == "1"
RUNS = 5000 if FULL else 400
THREADS = 6
PAUSE = 0.25  # of each thread between two runs, so that the load lasts while parts fall
SEED = 7
# A run that its worker took with it is missed after ten seconds, and may meet that more than once.
LONG = 5 * PATIENCE


class Gateway:
    """One service whose address stays, over all the times that it is started."""

    def __init__(self, folder, *options):
        self.service = LiveService(folder, *options)

    def kill(self):
        """As a machine that loses its power."""
        gateways = self.service.children("gateway")
        self.service.process.kill()
        self.service.process.wait(PATIENCE)
        for each in gateways:
            with contextlib.suppress(OSError):
                each.kill()

    def restart(self):
        """Where it was: not before the one before has let go of its port."""
        wait_until(self._is_port_free, "the port to be free", PATIENCE)
        self.service.start()

    def _is_port_free(self):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(self.service.address)
            return True
        return False


class Fleet:
    def __init__(self, folder, cluster, url):
        self.folder = folder
        self.cluster = cluster
        options = ["--ledger", url, "--fleet", cluster.url, "--fleet-replicas", "3", "--rate", "0",
                   "--queue", "10000", "--queue-per-caller", "10000"]  # fmt: skip
        self.gateways = [Gateway(folder / f"gateway{i}", *options) for i in range(2)]
        self.started = 0
        self.workers = [self.start_worker() for _ in range(3)]

    def start_worker(self):
        self.started += 1
        return LiveWorker(self.folder / f"worker{self.started}", self.cluster.url, "--fleet-replicas", "3")

    def close(self):
        codes = {f"gateway{i}": each.service.stop() for i, each in enumerate(self.gateways)}
        codes |= {each.folder.name: each.stop() for each in self.workers}
        return {name: code for name, code in codes.items() if code != 0}

    def kill(self):
        for each in self.gateways:
            if each.service.process.poll() is None:
                each.kill()
        for each in self.workers:
            if not each.has_ended:
                each.kill()


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


def program(number):
    """(what is asked for, what it has to come to): no two write the same."""
    text = f"run {number}"
    match number % 10:
        case 0:
            return {"language": "bash", "source": f"read line; echo \"{text} $line\"", "stdin": "in\n"}, (f"{text} in\n", "ok")
        case 1:
            return {"language": "python", "source": f"print('{text}'); raise SystemExit(3)"}, (f"{text}\n", "runtime_error")
        case 2:
            return {"language": "python", "source": f"print('{text}'); print('x' * 5000)"}, (f"{text}\n{'x' * 5000}\n", "ok")
        case 3:
            return {"language": "python", "source": f"import time; time.sleep(.5); print('{text}')"}, (f"{text}\n", "ok")
        case 4:
            return {"language": "perl", "source": f"print \"{text}\\n\";"}, (f"{text}\n", "ok")
    return {"language": "python", "source": f"print('{text}')"}, (f"{text}\n", "ok")


class Load:
    """Submits every program once, at any gateway, and again with the same key where it got no answer."""

    def __init__(self, gateways, runs):
        self.gateways = gateways
        self.accepted = {}
        self.wrong = []
        self._left = iter(range(runs))
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._submit, args=(seed,)) for seed in range(THREADS)]
        for each in self._threads:
            each.start()

    def _submit(self, seed):
        chance = random.Random(seed)
        while True:
            with self._lock:
                number = next(self._left, None)
            if number is None:
                return
            deadline = time.monotonic() + LONG
            while not self._ask(chance.choice(self.gateways), number) and not self.wrong:
                if time.monotonic() > deadline:
                    self.wrong.append(f"{number} was never accepted")
                time.sleep(0.1)
            if self.wrong:
                return
            time.sleep(PAUSE)

    def _ask(self, gateway, number):
        body, _ = program(number)
        target = "/v1/runs?wait" if number % 4 == 0 else "/v1/runs"
        try:
            answer = gateway.service.call("POST", target, body, {"Idempotency-Key": f"chaos {number}"})
        except (OSError, http.client.HTTPException):
            return False  # the gateway fell; whether it has accepted is not known
        if answer.status in (200, 202):
            self.accepted[number] = answer.json["id"]
            return True
        if answer.status not in (429, 503):
            self.wrong.append(f"{number}: {answer}")
        return False

    @property
    def is_over(self):
        return not any(each.is_alive() for each in self._threads)

    def join(self):
        for each in self._threads:
            each.join(LONG)
        assert not self.wrong, self.wrong


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
        which = self.chance.randrange(len(self.fleet.workers))
        self.fleet.workers[which].kill()
        self.fleet.workers[which] = self.fleet.start_worker()

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


def hold(fleet, own_postgres, load, runs):
    """Each accepted run is there once, is done, and has its own output."""
    (gateway, *_) = fleet.gateways
    database = f"ledger_{own_postgres.databases}"

    def unfinished():
        return int(own_postgres.sql("SELECT count(*) FROM belljar.runs WHERE state IN ('queued', 'running')", database))

    wait_until(lambda: unfinished() == 0, "every run to end", LONG)
    assert len(load.accepted) == runs
    assert len(set(load.accepted.values())) == runs
    assert int(own_postgres.sql("SELECT count(*) FROM belljar.runs", database)) == runs
    wrong = {}
    for number, run in load.accepted.items():
        found = gateway.service.look(run)
        text, status = program(number)[1]
        if found["state"] != "done" or found["status"] != status or out_of(found) != text:
            wrong[number] = {**found, "outcome": str(found.get("outcome"))[:500]}
    assert not wrong, (len(wrong), dict(list(wrong.items())[:5]))


def test_no_run_is_lost_or_mixed_up_while_parts_of_the_fleet_fall(fleet, own_postgres):
    load = Load(fleet.gateways, RUNS)
    chaos = Chaos(fleet, SEED)
    while not (load.is_over and set(chaos.told) == set(chaos.KINDS)) and not load.wrong:
        chaos.strike()
        time.sleep(1)
    load.join()
    print(f"{RUNS} runs while these fell: {chaos.told}")
    hold(fleet, own_postgres, load, RUNS)


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
            fleet.workers[which] = fleet.start_worker()
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
