"""A whole fleet and a load on it, of runs that no two write the same in: what was accepted is recorded once, with
its own output, whatever fell."""

import contextlib
import http.client
import random
import socket
import threading
import time

from support.client import PATIENCE
from support.command import wait_until
from support.host import LOOPBACK
from support.service import LiveService, out_of
from support.worker import LiveWorker

THREADS = 6
PAUSE = 0.25  # of each thread between two runs, so that the load lasts while parts fall
# A run that its worker took with it is missed after ten seconds, and may meet that more than once.
LONG = 5 * PATIENCE


class Gateway:
    """One service whose address stays, over all the times that it is started."""

    def __init__(self, folder, host, *options):
        self._host = host
        with host.inside():
            self.service = LiveService(folder, *options, listen=f"{host.address}:0")

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
        with self._host.inside():
            wait_until(self._is_port_free, "the port to be free", PATIENCE)
            self.service.start()

    def _is_port_free(self):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(self.service.address)
            return True
        return False


class Fleet:
    """Two gateways and three workers; `place`: on which host each is, by its name."""

    def __init__(self, folder, cluster, url, place=lambda name: LOOPBACK, options=()):
        self.folder = folder
        self.cluster = cluster
        self._place = place
        options = [*options, "--ledger", url, "--fleet", cluster.url, "--fleet-replicas", "3", "--rate", "0",
                   "--queue", "10000", "--queue-per-caller", "10000", "--queue-wait", "30m"]  # fmt: skip
        self.gateways = [Gateway(folder / name, place(name), *options) for name in ("gateway0", "gateway1")]
        self.started = 0
        self.workers = [self.start_worker(which) for which in range(3)]

    def start_worker(self, which):
        self.started += 1
        with self._place(f"worker{which}").inside():
            return LiveWorker(self.folder / f"worker{self.started}", self.cluster.url, "--fleet-replicas", "3")

    def replace_worker(self, which):
        """As one whose machine loses its power, and another one comes."""
        self.workers[which].kill()
        self.workers[which] = self.start_worker(which)

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

    def __init__(self, gateways, runs, host=LOOPBACK):
        self.gateways = gateways
        self.runs = runs
        self._host = host
        self.accepted = {}
        self.wrong = []
        self._left = iter(range(runs))
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._submit, args=(seed,)) for seed in range(THREADS)]
        for each in self._threads:
            each.start()

    def _submit(self, seed):
        with self._host.inside():
            self._submit_there(random.Random(seed))

    def _submit_there(self, chance):
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


def hold(fleet, postgres, load):
    """Each accepted run is there once, is done, and has its own output."""
    (gateway, *_) = fleet.gateways
    database = f"ledger_{postgres.databases}"

    def unfinished():
        return int(postgres.sql("SELECT count(*) FROM belljar.runs WHERE state IN ('queued', 'running')", database))

    wait_until(lambda: unfinished() == 0, "every run to end", LONG)
    assert len(load.accepted) == load.runs
    assert len(set(load.accepted.values())) == load.runs
    assert int(postgres.sql("SELECT count(*) FROM belljar.runs", database)) == load.runs
    wrong = {}
    for number, run in load.accepted.items():
        found = gateway.service.look(run)
        text, status = program(number)[1]
        if found["state"] != "done" or found["status"] != status or out_of(found) != text:
            wrong[number] = {**found, "outcome": str(found.get("outcome"))[:500]}
    assert not wrong, (len(wrong), dict(list(wrong.items())[:5]))
