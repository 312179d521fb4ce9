"""The fleet as stations: gateways, brokers (NATS nodes), the ledger (PostgreSQL) and workers.

What it takes for granted is in ASSUMPTIONS, which is printed with every answer.
"""

import collections
import dataclasses
import math
import random

from shared.events import Clock, GroupCommit, Station

ASSUMPTIONS = (
    "Runs come at random (Poisson), each independent of the others; the share that is waited for goes by "
    "request and answer, the rest through the work queue.",
    "A processor serves one after the other, nobody is interrupted; a process gets all of its core.",
    "The time of a run varies as a gamma distribution around its mean, with the stated coefficient of variation; "
    "all other times are constants.",
    "A waited-for run asks a random worker and, if that one is full, a second one; then it goes to the front of "
    "the work queue. A worker takes from the queue at once when a slot is free.",
    "A stream has one leader, which handles its messages one at a time; leaders are spread evenly over the nodes. "
    "Streams share the work evenly. What workers ask of a stream that has nothing for them costs nothing.",
    "The broker acknowledges when a majority has the message in its memory or page cache: NATS 2.9 does not wait "
    "for the disk.",
    "A flush of the ledger's log takes along all that came before it began. The ledger is one primary; nothing "
    "is read from it on the way of a run.",
    "Runs that are waited for are written to the ledger once, at their end; the others twice.",
    "No retries, no failures, no compilation, small inputs and outputs, enough memory, a network that is never full.",
)


@dataclasses.dataclass(frozen=True)
class Costs:
    """Milliseconds for each run. All but `run_wait`, `ledger_commit` and `hop` are of one processor."""

    gateway: float  # both ways together
    worker: float  # warden, zygote and the program, while somebody waits for it
    worker_after: float  # the same when nobody does any more: cleaning up, and making the next cell
    run_wait: float  # a run holds its slot for so long without needing a processor
    broker_request: float  # all nodes together: a run that is waited for, there and back
    broker_leader: float  # the leader's, of a run through the queue: work and end, each published, given out, acknowledged
    broker_follower: float  # each other replica's, of the same
    ledger_once: float  # accepted and ended in one transaction
    ledger_accept: float
    ledger_end: float
    ledger_commit: float  # one flush of the log
    hop: float  # one way between two machines
    run_variation: float = 1.0  # coefficient of variation of what a run takes at its worker; 0: constant


@dataclasses.dataclass(frozen=True)
class Layout:
    gateways: int
    workers: int
    slots: int  # of each worker
    brokers: int = 3  # 0: one service with everything in it
    streams: int = 1
    replicas: int = 3
    gateway_cores: int = 4
    worker_cores: int = 4
    broker_cores: int = 4
    ledger_cores: int = 16
    waited_for: float = 1.0  # share of the runs
    shared_cores: int = 0  # all of it is on one host with so many; 0: each on a host of its own

    def demands(self, costs):
        """Milliseconds that one run needs of each kind of station, and how many such servers there are."""
        queued = 1 - self.waited_for
        ledger = self.waited_for * costs.ledger_once + queued * (costs.ledger_accept + costs.ledger_end)
        stations = {
            "gateways": (costs.gateway, self.gateways * self.gateway_cores),
            "workers": (costs.worker + costs.worker_after, self.workers * self.worker_cores),
            "slots": (costs.worker + costs.run_wait, self.workers * self.slots),
            "ledger": (ledger, self.ledger_cores),
        }
        if self.brokers:
            copies = costs.broker_leader + (self.replicas - 1) * costs.broker_follower
            stations["brokers"] = (self.waited_for * costs.broker_request + queued * copies,
                                   self.brokers * self.broker_cores)  # fmt: skip
            stations["streams"] = (queued * costs.broker_leader, self.streams)
        if self.shared_cores:
            work = sum(need for name, (need, _) in stations.items() if name not in ("slots", "streams"))
            stations = {"host": (work, self.shared_cores), "slots": stations["slots"]}
        return stations

    def walls(self, costs):
        """Runs a second at which each kind of station has no time left, the lowest first."""
        limits = {name: 1e3 * servers / need for name, (need, servers) in self.demands(costs).items() if need}
        return dict(sorted(limits.items(), key=lambda item: item[1]))


class Workers:
    """Slots of many workers, a queue with a front for those that are waited for."""

    def __init__(self, clock, layout, chance):
        self._clock = clock
        self._chance = chance
        self._free = [layout.slots] * layout.workers
        self._line = collections.deque(), collections.deque()

    def ask(self):
        """A worker that was asked at random and has a slot, which is then taken; None where it is full."""
        number = self._chance.randrange(len(self._free))
        if not self._free[number]:
            return None
        self._free[number] -= 1
        return number

    def queue(self, run, first):
        """To yield: `run.worker` is the one that took it."""

        def ask(resume):
            # Any of those that are free is as likely to fetch it: start looking at a random one.
            begin = self._chance.randrange(len(self._free))
            for number in range(begin, begin + len(self._free)):
                number %= len(self._free)
                if self._free[number]:
                    self._free[number] -= 1
                    run.worker = number
                    resume(0.0)
                    return
            self._line[0 if first else 1].append((run, resume, self._clock.now))

        return ask

    def give_back(self, number):
        for line in self._line:
            if line:
                run, resume, since = line.popleft()
                run.worker = number
                resume(self._clock.now - since)
                return
        self._free[number] += 1


class Run:
    def __init__(self):
        self.worker = None
        self.waited = 0.0  # seconds in line, anywhere


class Fleet:
    """One simulation of so many runs at a rate; `latencies` and `delays` (in line) in seconds when it is done."""

    def __init__(self, layout, costs, rate, runs, seed=1):
        self._layout, self._costs = layout, costs
        self._chance = random.Random(seed)
        self._clock = clock = Clock()
        host = Station(clock, layout.shared_cores) if layout.shared_cores else None
        self._gateways = [host or Station(clock, layout.gateway_cores) for _ in range(layout.gateways)]
        self._brokers = [host or Station(clock, layout.broker_cores) for _ in range(layout.brokers)]
        self._streams = [Station(clock, 1) for _ in range(layout.streams)]
        self._cores = [host or Station(clock, layout.worker_cores) for _ in range(layout.workers)]
        self._ledger = host or Station(clock, layout.ledger_cores)
        self._log = GroupCommit(clock, costs.ledger_commit / 1e3)
        self._workers = Workers(clock, layout, self._chance)
        self._done = []
        clock.start(self._arrivals(rate, runs))
        clock.run()
        # The first tenth finds a fleet that is emptier than it will be.
        counted = sorted(self._done)[runs // 10 :]
        self.latencies = [latency for _, latency, _ in counted]
        self.delays = [waited for _, _, waited in counted]
        self.seconds = clock.now
        self.runs = len(self._done)
        kinds = {"gateways": self._gateways, "brokers": self._brokers, "streams": self._streams,
                 "workers": self._cores, "ledger": [self._ledger]}  # fmt: skip
        kinds = {"host": [host]} if host else kinds
        # Of each kind, the share of its time that it worked.
        self.busy = {
            name: sum(each.worked for each in stations) / sum(each.servers for each in stations) / clock.now
            for name, stations in kinds.items() if stations
        }  # fmt: skip

    def _arrivals(self, rate, runs):
        for _ in range(runs):
            yield self._clock.wait(self._chance.expovariate(rate))
            self._clock.start(self._one())

    def _one(self):
        began = self._clock.now
        run = Run()
        gateway = self._chance.choice(self._gateways)
        waited_for = self._chance.random() < self._layout.waited_for
        run.waited += yield gateway.use(self._costs.gateway / 2e3)
        if not waited_for:
            run.waited += yield from self._record(self._costs.ledger_accept)
        if not self._layout.brokers:
            run.waited += yield self._workers.queue(run, waited_for)
        elif waited_for:
            run.waited += yield from self._request(run)
        else:
            run.waited += yield from self._through_queue(run, first=False)
        run.waited += yield from self._execute(run)
        if self._layout.brokers:
            run.waited += yield from (self._answer() if waited_for else self._published())
        run.waited += yield gateway.use(self._costs.gateway / 2e3)
        run.waited += yield from self._record(self._costs.ledger_once if waited_for else self._costs.ledger_end)
        self._done.append((began, self._clock.now - began, run.waited))

    def _record(self, cost):
        if not cost and not self._costs.ledger_commit:
            return 0.0
        yield self._clock.wait(self._hops(1))
        waited = yield self._ledger.use(cost / 1e3)
        waited += yield self._log.commit()
        yield self._clock.wait(self._hops(1))
        return waited

    def _request(self, run):
        """Two workers are asked; then it is the queue's."""
        waited = 0.0
        for _ in range(2):
            waited += yield from self._answer()
            run.worker = self._workers.ask()
            if run.worker is not None:
                return waited
        return waited + (yield from self._through_queue(run, first=True))

    def _answer(self):
        """One message through a broker: half of a request and its answer."""
        yield self._clock.wait(self._hops(2))
        return (yield self._chance.choice(self._brokers).use(self._costs.broker_request / 2e3))

    def _through_queue(self, run, first):
        waited = yield from self._published()
        return waited + (yield self._workers.queue(run, first))

    def _published(self):
        """One message into a stream and out of it: half of what a run costs there."""
        number = self._chance.randrange(len(self._streams))
        yield self._clock.wait(self._hops(1))
        if self._layout.shared_cores:
            copies = self._costs.broker_leader + (self._layout.replicas - 1) * self._costs.broker_follower
            waited = yield self._brokers[0].use(copies / 2e3)
        else:
            waited = yield self._streams[number].use(self._costs.broker_leader / 2e3)
            # Nobody waits for these, but they take processors from who does.
            self._clock.start(self._load(number, self._costs.broker_leader))
            for follower in range(1, self._layout.replicas):
                self._clock.start(self._load(number + follower, self._costs.broker_follower))
        # To a majority and back, where there is one; then to who asked for it.
        yield self._clock.wait(self._hops(3 if self._layout.replicas > 1 else 1))
        return waited

    def _load(self, number, cost):
        yield self._brokers[number % len(self._brokers)].use(cost / 2e3)

    def _execute(self, run):
        factor = self._varied()
        core = self._cores[run.worker]
        waited = yield core.use(self._costs.worker * factor / 1e3)
        if self._costs.run_wait:
            yield self._clock.wait(self._costs.run_wait * factor / 1e3)
        self._workers.give_back(run.worker)
        if self._costs.worker_after:
            self._clock.start(self._clean(core))
        return waited

    def _clean(self, core):
        yield core.use(self._costs.worker_after / 1e3)

    def _varied(self):
        """Mean 1, with the coefficient of variation that is wanted."""
        if not self._costs.run_variation:
            return 1.0
        shape = 1 / self._costs.run_variation**2
        return self._chance.gammavariate(shape, 1 / shape)

    def _hops(self, count):
        return 0.0 if self._layout.shared_cores else count * self._costs.hop / 1e3


def enough(layout, costs, rate, share):
    """The layout with as many gateways, brokers and workers as leave each busy for that share of its time.

    Brokers are an odd number, three at least. The ledger stays as it is: it cannot be multiplied. Streams
    are as many as keep each leader below that share.
    """
    need = {name: rate * each / 1e3 / share for name, (each, _) in layout.demands(costs).items()}
    brokers = max(3, math.ceil(need["brokers"] / layout.broker_cores))
    return dataclasses.replace(
        layout,
        gateways=max(2, math.ceil(need["gateways"] / layout.gateway_cores)),
        workers=max(1, math.ceil(max(need["workers"] / layout.worker_cores, need["slots"] / layout.slots))),
        brokers=brokers + (brokers + 1) % 2,
        streams=max(1, math.ceil(need["streams"])),
    )
