"""A fleet of which each part is a host of its own, while links are cut and parts are killed: what was accepted is
recorded once, with its own output. And a node of NATS whose disk is full."""

import contextlib
import os
import pathlib
import random
import signal
import subprocess
import time

import pytest
from support.client import PATIENCE
from support.command import scratch_folder, wait_until
from support.fleet import Fleet, Load, hold
from support.nats import Cluster
from support.network import Network, reason_against
from support.postgres import Postgres
from support.service import out_of

FULL = os.environ.get("BELLJAR_TEST_FULL") == "1"
RUNS = 5000 if FULL else 120
SEED = 11
NODES = [f"nats{i}" for i in range(3)]
GATEWAYS = [f"gateway{i}" for i in range(2)]
WORKERS = [f"worker{i}" for i in range(3)]
CLIENT = "client"

WHY_NOT = reason_against()
needs_network = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


@pytest.fixture
def network():
    with Network([*NODES, "ledger", *GATEWAYS, *WORKERS, CLIENT]) as made:
        yield made
        wait_until(made.is_alone, "every process of these hosts to end", PATIENCE)


@pytest.fixture
def spread(network):
    """The fleet, its ledger's server, and the network."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(scratch_folder("belljar-fleet-"))
        ledger = stack.enter_context(Postgres(folder / "postgres", host=network.host("ledger")))
        cluster = stack.enter_context(Cluster(folder, [network.host(name) for name in NODES]))
        url = ledger.url(ledger.new_database())
        fleet = Fleet(folder, cluster, url, network.host, ["--open-to-all"])
        try:
            yield fleet, ledger, network
            wrong = fleet.close()
        finally:
            fleet.kill()
    assert not wrong, wrong


class Cuts:
    """Now a link is cut for a while, now a part is killed. What happened is told."""

    LINKS = {"nats": NODES, "ledger": ["ledger"], "gateway": GATEWAYS, "worker": WORKERS}
    KINDS = (*(f"{kind} cut off" for kind in LINKS), "worker killed", "gateway killed", "nats killed", "ledger killed")

    def __init__(self, fleet, ledger, network, seed):
        self.fleet = fleet
        self.ledger = ledger
        self.network = network
        self.chance = random.Random(seed)
        self.told = []

    @property
    def has_done_all(self):
        return set(self.told) == set(self.KINDS)

    def strike(self):
        """Each kind once, and then any."""
        missing = [kind for kind in self.KINDS if kind not in self.told]
        kind = self.chance.choice(missing or self.KINDS)
        part, _, how = kind.partition(" ")
        getattr(self, "_" + how.replace(" ", "_"))(part)
        self.told.append(kind)

    def _cut_off(self, part):
        host = self.chance.choice(self.LINKS[part])
        self.network.cut(host)
        # Shorter and longer than it takes to be missed.
        time.sleep(self.chance.uniform(0.5, 7))
        self.network.mend(host)

    def _killed(self, part):
        match part:
            case "worker":
                self.fleet.replace_worker(self.chance.randrange(len(WORKERS)))
            case "gateway":
                gateway = self.chance.choice(self.fleet.gateways)
                gateway.kill()
                gateway.restart()
            case "nats":
                server = self.chance.choice(self.fleet.cluster.servers)
                server.stop(signal.SIGKILL)
                time.sleep(0.5)
                server.start()
            case "ledger":
                self.ledger.stop(signal.SIGQUIT)
                time.sleep(self.chance.uniform(0.5, 3))
                self.ledger.start()


@needs_network
def test_hosts_that_are_cut_off_reach_nobody_until_their_link_is_mended(network):
    """What the others here stand on."""
    there, here = network.host("ledger"), network.host(CLIENT)
    with there.inside():
        process = subprocess.Popen(
            ["/usr/bin/python3", "-m", "http.server", "8000", "--bind", there.address],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/proc/self/fdinfo",
        )  # fmt: skip

    def is_reached(patience=5):
        words = ["/usr/bin/python3", "-c", "import socket, sys; socket.create_connection((sys.argv[1], 8000), float(sys.argv[2]))"]
        with here.inside():
            return subprocess.run([*words, there.address, str(patience)], capture_output=True, check=False).returncode == 0

    try:
        wait_until(is_reached, "it to listen", PATIENCE)
        network.cut("ledger")
        assert not is_reached(1)
        network.mend("ledger")
        wait_until(is_reached, "the link", PATIENCE)
        assert not network.is_alone()
    finally:
        process.kill()
        process.wait()


@needs_network
def test_no_run_is_lost_or_mixed_up_while_links_are_cut_and_parts_are_killed(spread):
    fleet, ledger, network = spread
    load = Load(fleet.gateways, RUNS, network.host(CLIENT))
    cuts = Cuts(fleet, ledger, network, SEED)
    while not (load.is_over and cuts.has_done_all) and not load.wrong:
        cuts.strike()
        time.sleep(1)
        # So that a busy machine, where nodes take long to choose who leads, comes further too.
        if len(cuts.told) % 10 == 0:
            wait_until(lambda: is_ready(fleet, network), "the fleet to be whole again", PATIENCE)
    load.join()
    print(f"{RUNS} runs while these were: {cuts.told}")
    with network.host(CLIENT).inside():
        hold(fleet, ledger, load)


def is_ready(fleet, network):
    with network.host(CLIENT).inside():
        return all(each.service.call("GET", "/readyz").status == 200 for each in fleet.gateways)


@contextlib.contextmanager
def small_disk(folder):
    """A file system of 32 MiB there."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32M,mode=700", "belljar-test", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder):
    """Until there is room for nothing; answers with the file that takes it."""
    file = folder / "filler"
    with contextlib.suppress(OSError), file.open("wb") as out:
        while True:
            out.write(b"x" * 65536)
            out.flush()
    assert os.statvfs(folder).f_bavail == 0
    return file


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk")
def test_a_node_of_nats_whose_disk_is_full_costs_no_run(own_postgres):
    """A node of 2.9 ends its JetStream then, and may hang while it does: it goes on to lead and answers nothing, until who
    watches over it ends it. What is in its hands waits for that and is not lost."""
    url = own_postgres.url(own_postgres.new_database())
    with scratch_folder("belljar-fleet-") as folder, small_disk(pathlib.Path(folder) / "nats0/store") as disk:
        with Cluster(folder) as cluster:
            fleet = Fleet(folder, cluster, url)
            try:
                filler = fill(disk)
                load = Load(fleet.gateways, 60)
                full = cluster.servers[0]
                wait_until(lambda: "no space left" in (full.folder / "log").read_text(), "the disk to be noticed", PATIENCE)
                time.sleep(5)  # the fleet goes on with what the other nodes lead
                filler.unlink()
                full.stop(signal.SIGKILL)
                full.start()
                load.join()
                hold(fleet, own_postgres, load)
                run = fleet.gateways[0].service.run("print(6 * 7)")
                assert out_of(run) == "42\n"
                assert fleet.close() == {}
            finally:
                fleet.kill()
