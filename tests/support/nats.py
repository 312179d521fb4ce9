"""A nats-server of a test's own, with JetStream; it keeps its port over a restart."""

import pathlib
import signal
import subprocess
import urllib.request

from support.client import PATIENCE
from support.command import wait_until
from support.host import LOOPBACK
from support.server import Server
from support.service import free_port

BINARY = "/usr/sbin/nats-server"


class Nats(Server):
    """`tls`: certificate and key, of clients too; then it takes nothing else, and only that certificate. `cluster`: the
    port where it hears the others of its cluster, and their URLs."""

    def __init__(self, folder, tls=None, cluster=None, host=LOOPBACK):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        self._tls = tls
        self._host = host
        self.port = free_port()
        self.monitor = free_port()
        self._cluster = []
        if cluster:
            port, routes = cluster
            self._cluster = [
                "--name", self.folder.name, "--cluster_name", "belljar", "--cluster", f"nats://{host.address}:{port}",
                "--routes", ",".join(routes),
            ]  # fmt: skip
        self.launch()
        if not cluster:
            self.wait_until_ready()

    @property
    def url(self):
        return f"{'tls' if self._tls else 'nats'}://{self._host.address}:{self.port}"

    def start(self):
        """As who watches over it does: a node of 2.9 that comes back in the middle of an election may never learn who
        leads, and is started anew."""
        self.launch()
        try:
            self.wait_until_ready(PATIENCE / 3)
        except AssertionError:
            self.stop(signal.SIGKILL)
            self.launch()
            self.wait_until_ready()

    def launch(self):
        words = [
            BINARY, "-a", self._host.address, "-p", str(self.port), "-m", str(self.monitor), "-js",
            "-sd", str(self.folder / "store"), "-P", str(self.folder / "pid"), *self._cluster,
        ]  # fmt: skip
        if self._tls:
            certificate, key = map(str, self._tls)
            words += ["--tlsverify", "--tlscert", certificate, "--tlskey", key, "--tlscacert", certificate]
        with open(self.folder / "log", "ab") as log, self._host.inside():
            self.process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder
            )

    def wait_until_ready(self, patience=PATIENCE):
        def answers():
            assert self.process.poll() is None, "nats-server ended"
            try:
                # Of the server alone: a stream may be behind for as long as its other nodes come and go.
                place = f"http://{self._host.address}:{self.monitor}/healthz?js-server-only=1"
                with self._host.inside(), urllib.request.urlopen(place, timeout=PATIENCE) as answer:
                    return answer.status == 200
            except OSError:
                return False

        wait_until(answers, "nats-server to start", patience)


class Cluster:
    """Three servers that keep what is written at two of them."""

    def __init__(self, folder, hosts=(LOOPBACK,) * 3):
        places = [(host, free_port()) for host in hosts]
        routes = [f"nats://{host.address}:{port}" for host, port in places]
        self.servers = [
            Nats(folder / f"nats{i}", cluster=(port, routes), host=host) for i, (host, port) in enumerate(places)
        ]
        for each in self.servers:
            each.wait_until_ready()

    @property
    def url(self):
        return ",".join(each.url for each in self.servers)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in self.servers:
            each.process.send_signal(signal.SIGCONT)
            each.__exit__()
