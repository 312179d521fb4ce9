"""Keeps a live service busy for long and looks whether it stays what it was.

As a program: `BELLJAR=build/release/belljar python3 tests/soak/soak.py --runs 20000` prints how the
processes grow.
"""

import argparse
import collections
import http.client
import pathlib
import re
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import mixture  # noqa: E402
from support.client import PATIENCE  # noqa: E402
from support.service import live_service  # noqa: E402

CONCURRENCY = 32
GROWTH = 1.1
MOST_OF_A_CELL = 20  # descriptors that its warden has for one cell that waits, at most, besides:
# A cell's cgroups, with their lease, and network namespace, which may be kept for another cell when it is gone, so many of each.
PLACES = re.compile(r"/sys/fs/cgroup/|/proc/.*/net/|net:\[|anon_inode:\[eventfd\]|.*/leases$")
MOST_OF_A_PLACE = 40
MOST_KEPT = 64  # of two zygotes
# The gateway keeps the last 500 runs that have ended, for clients that come late, and its heap has
# found its size some time after that: until then it grows, rightly.
SETTLED = 1500
# The default would let 256 MiB each for half the memory run at once; every machine takes this.
# The compile cache is full, and gives way, before the first sizes are taken.
OPTIONS = ("--queue", 10000, "--queue-per-caller", 10000, "--queue-wait", "600s", "--compile-cache", "128K")


class Crowd:
    """Threads that take programs from one list, each with a connection of its own."""

    def __init__(self, service, programs, one):
        self.troubles = []
        self.kinds = collections.Counter()
        self._service = service
        self._programs = iter(programs)
        self._one = one
        self._lock = threading.Lock()

    def run(self):
        threads = [threading.Thread(target=self._work) for _ in range(CONCURRENCY)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        return self

    def _work(self):
        try:
            # All of them wait for the same few cells.
            with self._service.client(patience=2 * PATIENCE) as client:
                while True:
                    with self._lock:
                        program = next(self._programs, None)
                    if program is None:
                        return
                    wrong = self._one(client, program)
                    with self._lock:
                        self.kinds[program.kind] += 1
                        if wrong:
                            self.troubles.append(wrong)
        except Exception as error:  # noqa: BLE001: told, so that the thread does not vanish silently
            with self._lock:
                self.troubles.append(f"{type(error).__name__}: {error}")


def run_and_look(client, program):
    answer = client.call("POST", "/v1/runs?wait=1", program.request)
    if answer.status != 200:
        return f"{program.kind}: {answer}"
    return mixture.trouble(program, answer.json)


class Sizes:
    """Resident bytes and descriptors of gateway and warden, once they have nothing to do."""

    def __init__(self, service):
        (warden,) = service.wardens
        self.processes = {"gateway": service.gateway, "warden": warden}
        self.descriptors = self._settled(lambda each: each.descriptors())
        targets = warden.descriptor_targets()
        self.of_places = sum(PLACES.match(each) is not None for each in targets)
        self.of_removed_groups = [each for each in targets if each.startswith("/sys/fs/cgroup") and each.endswith("(deleted)")]
        self.descriptors["warden"] -= self.of_places
        # How many wait depends on how many kinds of runs came lately: the pool is shared out.
        self.cells = len(warden.children())
        self.resident = {name: each.resident() for name, each in self.processes.items()}

    def _settled(self, read):
        """Connections that were closed are forgotten by the other side a moment later."""
        deadline = time.monotonic() + PATIENCE
        last, same = None, 0
        while same < 40 and time.monotonic() < deadline:
            now = {name: read(each) for name, each in self.processes.items()}
            same = same + 1 if now == last else 0
            last = now
            time.sleep(0.05)
        return last


def soak(service, runs, seed):
    """(sizes after the first tenth, sizes after all, troubles, how often each kind ran)."""
    troubles, kinds = [], collections.Counter()
    sizes = []
    first = max(runs // 10, SETTLED)
    for part, count in enumerate((first, runs - first)):
        crowd = Crowd(service, mixture.programs(count, seed + part), run_and_look).run()
        troubles += crowd.troubles
        kinds += crowd.kinds
        sizes.append(Sizes(service))
    return *sizes, troubles, kinds


# ---- Runs that are accepted now and looked at later -------------------------------------------


class Accepted:
    """Submits without waiting, while something is killed; knows what was accepted."""

    def __init__(self, service):
        self.service = service
        self.runs = {}  # id -> program
        self.again = 0  # requests that got no answer and were sent once more
        self._lock = threading.Lock()

    def submit(self, client, program):
        """Sent again with the same key until it is answered: then it must be the same run."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                answer = client.call("POST", "/v1/runs", program.request, {"Idempotency-Key": program.nonce})
            except (OSError, http.client.HTTPException):
                answer = None
            if answer is not None and answer.status == 202:
                with self._lock:
                    self.runs[answer.json["id"]] = program
                return None
            if answer is not None and answer.status not in (429, 503):
                return f"{program.kind}: {answer}"
            if time.monotonic() > deadline:
                return f"{program.kind}: was never accepted, the last answer was {answer}"
            with self._lock:
                self.again += 1
            time.sleep(0.05)

    def ends(self):
        """Run by id, once each has ended."""
        ended = {}
        deadline = time.monotonic() + PATIENCE * 5
        with self.service.client() as client:
            while len(ended) < len(self.runs) and time.monotonic() < deadline:
                for each in self.runs.keys() - ended.keys():
                    answer = client.call("GET", f"/v1/runs/{each}")
                    if answer.status != 200:
                        raise AssertionError(f"{each} was accepted and is gone: {answer}")
                    if answer.json["state"] in ("done", "lost", "cancelled"):
                        ended[each] = answer.json
                time.sleep(0.1)
        return ended


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=2 * SETTLED)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with live_service(*OPTIONS) as service:
        started = time.monotonic()
        before, after, troubles, kinds = soak(service, options.runs, options.seed)
        print(f"{options.runs} runs in {time.monotonic() - started:.0f} s: {dict(kinds)}")
        for name in before.resident:
            first, last = before.resident[name], after.resident[name]
            print(
                f"{name}: resident {first >> 10} KiB at first, {last >> 10} KiB after all "
                f"({last / first:.3f}×); descriptors {before.descriptors[name]}, {after.descriptors[name]}"
            )
        for each in troubles:
            print(each)
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
