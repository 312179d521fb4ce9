"""Measures what a run costs at each part of a fleet; prints it as the JSON that `bench fleet_model` reads.

Processor time is what the kernel says of each process, so that a busy machine changes it little. The
service is one that has its ledger in PostgreSQL; the brokers are one NATS node, and then three.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import random
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests"))

from shared.figures import percentile
from shared.load import MS, REQUEST, SAID, Block, Connection, Service, tree
from support.client import PATIENCE
from support.command import wait_until
from support.nats import Cluster
from support.nats_wire import Refused, Wire, nats_server
from support.postgres import Postgres
from support.process import Process
from support.service import LiveService, free_port
from support.worker import LiveWorker

MESSAGE = b"x" * 1024  # a small submission, or its outcome
RATES = (20, 60, 100)  # runs a second that the model is held against
WINDOW = 64  # published and not yet acknowledged


# ---- The service, and its ledger --------------------------------------------------------------


class Several(Service):
    """The service, and processes besides that its runs use: by a name, the first of each."""

    def __init__(self, live, **others):
        super().__init__(live, rest=0.5)
        self._others = others

    def spent(self):
        others = {name: sum(tree(Process(pid)) for pid in pids) for name, pids in self._others.items()}
        return {**super().spent(), **others}


def spaced(live, count):
    """Milliseconds of runs one by one, with time between them for what is done after each: the median."""
    connection = Connection(live.port)
    times = []
    for _ in range(count):
        took, answer = connection.call(REQUEST)
        assert SAID in answer, answer
        times.append(took * MS)
        time.sleep(0.03)
    connection.close()
    return percentile(times, 0.5)


def parts(live, way, requests):
    """The costs of gateway and worker: how long a run takes alone tells what of them is on its way."""
    before = way.spent()
    path = spaced(live, requests)
    after = way.spent()
    cost = {name: (after[name] - before[name]) / requests * MS for name in after}
    ledger = cost.pop("ledger", 0.0)
    brokers = cost.pop("brokers", 0.0)
    gateway = cost.pop("gateway")
    worker = sum(cost.values())
    path = max(0.0, path - gateway - ledger - brokers)
    return {
        "gateway": gateway,
        "worker": min(worker, path),
        "worker_after": max(0.0, worker - path),
        "run_wait": max(0.0, path - worker),
    }, ledger, brokers


def one_service(folder, requests):
    with Postgres(folder / "postgres") as server:
        url = server.url(server.new_database())
        with LiveService(folder / "service", "--ledger", url, "--pool", 8, "--rate", 0) as live:
            way = Several(live, ledger=[server.process.pid])
            Block(way, 2, 100)  # fills pools and caches
            costs, ledger, _ = parts(live, way, requests)
            # As if each write cost the half of both: the accepting one is not made alone here.
            return costs | {"ledger_once": ledger, "ledger_accept": ledger / 2, "ledger_end": ledger / 2}


def at_rate(live, rate, runs, shuffle):
    """Seconds from when each run was due, whether or not a connection was free for it."""
    due, moment = [], 0.0
    for _ in range(runs):
        moment += shuffle.expovariate(rate)
        due.append(moment)
    times, left, lock = [], iter(due), threading.Lock()
    began = time.perf_counter() + 0.2

    def work():
        connection = Connection(live.port)
        while True:
            with lock:
                moment = next(left, None)
            if moment is None:
                return connection.close()
            time.sleep(max(0.0, began + moment - time.perf_counter()))
            _, answer = connection.call(REQUEST)
            took = time.perf_counter() - began - moment
            assert SAID in answer, answer
            with lock:
                times.append(took)

    threads = [threading.Thread(target=work) for _ in range(24)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return times


def at_rates(live, way, layout, runs, seed):
    """What the model is held against: this layout's costs, and what its runs took at several rates."""
    Block(way, 2, 100)
    costs, ledger, brokers = parts(live, way, runs)
    costs |= {"ledger_once": ledger, "ledger_commit": 0.0, "broker_request": brokers, "run_variation": 0.0}
    for rate in RATES:
        times = at_rate(live, rate, runs, random.Random(seed))
        yield layout | {
            "shared_cores": os.cpu_count(), "offered_rate": rate, "runs": runs, "costs": costs,
            "measured_p50_ms": percentile(times, 0.5) * MS, "measured_p99_ms": percentile(times, 0.99) * MS,
        }  # fmt: skip


def small_service(folder, runs, seed):
    """One service with everything in it."""
    with LiveService(folder / "alone", "--pool", 8, "--rate", 0, "--sync", "normal") as live:
        slots = live.call("GET", "/v1/system").json["runs"]["concurrent"]
        layout = {"gateways": 1, "workers": 1, "slots": slots, "brokers": 0}
        return list(at_rates(live, Service(live, rest=0.5), layout, runs, seed))


def small_fleet(folder, runs, seed):
    """A gateway, two workers, three nodes and the ledger, all on this machine."""
    slots = 2
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(Postgres(folder / "ledger"))
        nodes = stack.enter_context(Cluster(folder))
        url = database.url(database.new_database())
        options = ["--ledger", url, "--fleet", nodes.url, "--fleet-replicas", 3, "--rate", 0]
        live = stack.enter_context(LiveService(folder / "gateway", *options))
        workers = []
        for name in ("worker1", "worker2"):
            worker = LiveWorker(folder / name, nodes.url, "--fleet-replicas", 3, capacity=slots, pool=4)
            stack.callback(worker.stop)
            workers.append(worker)

        def there():
            return live.call("GET", "/v1/system").json["runs"]["concurrent"] == slots * len(workers)

        wait_until(there, "the workers", PATIENCE)
        way = Several(live, ledger=[database.process.pid], brokers=[each.process.pid for each in nodes.servers],
                      workers=[each.process.pid for each in workers])  # fmt: skip
        layout = {"gateways": 1, "workers": len(workers), "slots": slots, "brokers": 3}
        return list(at_rates(live, way, layout, runs, seed))


# ---- The brokers ------------------------------------------------------------------------------


def configuration(folder, number, ports, routes):
    text = f'listen: 127.0.0.1:{ports[number]}\nserver_name: n{number}\njetstream {{ store_dir: "{folder}/n{number}" }}\n'
    if len(ports) > 1:
        others = ", ".join(f'"nats://127.0.0.1:{each}"' for each in routes)
        text += f"cluster {{ name: bench, listen: 127.0.0.1:{routes[number]}, routes: [{others}] }}\n"
    return text


@contextlib.contextmanager
def brokers(folder, count):
    """Nodes and their ports."""
    folder.mkdir()
    ports, routes = ([free_port() for _ in range(count)] for _ in range(2))
    with contextlib.ExitStack() as stack:
        processes = []
        for number, port in enumerate(ports):
            text = configuration(folder, number, ports, routes)
            processes.append(stack.enter_context(nats_server(folder, text, port, f"n{number}.log")))
        yield [Process(each.pid) for each in processes], ports


def patiently(action, seconds=30):
    """Until a cluster has chosen who leads."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return action()
        except (Refused, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def through_stream(ports, processes, messages):
    """Milliseconds for each message that goes in and out: of the leader, of each follower; and of an acknowledgement."""
    with Wire(ports[0]) as wire:
        stream = {"name": "WORK", "subjects": ["work.>"], "retention": "workqueue", "storage": "file",
                  "num_replicas": len(ports)}  # fmt: skip
        made = patiently(lambda: wire.ask("$JS.API.STREAM.CREATE.WORK", stream))
        leader = made.get("cluster", {}).get("leader", "n0")
        consumer = {"stream_name": "WORK",
                    "config": {"durable_name": "all", "ack_policy": "explicit", "max_ack_pending": 10_000}}  # fmt: skip
        patiently(lambda: wire.ask("$JS.API.CONSUMER.DURABLE.CREATE.WORK.all", consumer))
        # To the leader itself, so that what a node does for routing is not counted twice.
        with Wire(ports[int(leader[1:])]) as near:
            alone = []
            for _ in range(200):
                began = time.perf_counter()
                patiently(lambda: near.request("work.a", MESSAGE))
                alone.append((time.perf_counter() - began) * MS)
            take(near, 200)
            before = [each.cpu()[0] for each in processes]
            began = time.perf_counter()
            answer = "_INBOX.bench"
            near.subscribe(answer)
            one = near.message("work.a", MESSAGE, answer)
            for first in range(0, messages, WINDOW):
                near.send(one * min(WINDOW, messages - first))
                for _ in range(min(WINDOW, messages - first)):
                    near.next()
            published = time.perf_counter() - began
            take(near, messages)
            spent = [(each.cpu()[0] - start) / messages * MS for each, start in zip(processes, before)]
    own = spent.pop(int(leader[1:]))
    return own, sum(spent) / len(spent) if spent else 0.0, percentile(alone, 0.5), messages / published


def take(wire, count):
    """Pulls and acknowledges so many."""
    inbox = "_INBOX.take"
    number = wire.subscribe(inbox)
    while count:
        batch = min(count, WINDOW)
        wire.publish("$JS.API.CONSUMER.MSG.NEXT.WORK.all", json.dumps({"batch": batch, "expires": 5 * 10**9}).encode(),
                     inbox)  # fmt: skip
        got = [wire.next() for _ in range(batch)]
        wire.send(b"".join(wire.message(reply, b"+ACK") for _, reply, _ in got))
        count -= batch
    wire.send(f"UNSUB {number}\r\n".encode())
    wire.settle()


def requests_cost(ports, processes, messages):
    """Milliseconds of all nodes for one request and its answer, those who talk being at different nodes."""
    with Wire(ports[0]) as asks, Wire(ports[-1]) as answers:
        answers.subscribe("now", "workers")
        answers.settle()
        time.sleep(0.5)  # until the other node knows
        asks.subscribe("reply")
        before = sum(each.cpu()[0] for each in processes)
        one = asks.message("now", MESSAGE, "reply")
        for first in range(0, messages, WINDOW):
            count = min(WINDOW, messages - first)
            asks.send(one * count)
            got = [answers.next() for _ in range(count)]
            answers.send(b"".join(answers.message(reply, MESSAGE) for _, reply, _ in got))
            for _ in range(count):
                asks.next()
        return (sum(each.cpu()[0] for each in processes) - before) / messages * MS


def flush_time(folder):
    """Milliseconds of writing eight kilobytes to the disk, the median."""
    times = []
    with open(folder / "flushed", "wb") as file:
        for _ in range(200):
            file.write(b"x" * 8192)
            began = time.perf_counter()
            file.flush()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * MS)
    return percentile(times, 0.5)


def broker_costs(folder, messages):
    with brokers(folder / "one", 1) as (processes, ports):
        single, _, ack_single, rate_single = through_stream(ports, processes, messages)
    with brokers(folder / "three", 3) as (processes, ports):
        leader, follower, ack, rate = through_stream(ports, processes, messages)
        request = requests_cost(ports, processes, messages)
    notes = {"ack_p50_ms_one_node": ack_single, "ack_p50_ms_three_nodes": ack,
             "published_per_second_one_node": rate_single, "published_per_second_three_nodes": rate,
             "leader_ms_one_node": single}  # fmt: skip
    # A run is two messages: the work, and how it ended.
    return {"broker_leader": 2 * leader, "broker_follower": 2 * follower, "broker_request": request}, notes


def main():
    parser = argparse.ArgumentParser(prog="./dev bench fleet_costs", description=__doc__.split("\n")[0])
    parser.add_argument("--requests", type=int, default=1000, help="runs for each number of the service")
    parser.add_argument("--messages", type=int, default=20_000, help="messages for each number of the brokers")
    parser.add_argument("--hop", type=float, default=0.1, help="milliseconds from one machine to another, taken as given")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="belljar-bench-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        costs, notes = broker_costs(folder, options.messages)
        service = one_service(folder, options.requests)
        costs |= service | {"ledger_commit": flush_time(folder), "hop": options.hop, "run_variation": 1.0}
        fleets = [each for measure in (small_service, small_fleet) for each in measure(folder, options.requests, options.seed)]
    host = {"kernel": platform.release(), "processors": os.cpu_count()}
    print(json.dumps({"host": host, "costs_ms": costs, "notes": notes, "fleets": fleets}, indent=1))


if __name__ == "__main__":
    main()
