"""A nats-server of a test's own, with JetStream, on loopback; it keeps its port over a restart."""

import pathlib
import signal
import subprocess
import urllib.request

from support.client import PATIENCE
from support.command import wait_until
from support.service import free_port

BINARY = "/usr/sbin/nats-server"


class Nats:
    """`tls`: certificate and key, of clients too; then it takes nothing else, and only that certificate."""

    def __init__(self, folder, tls=None):
        self.folder = pathlib.Path(folder)
        self._tls = tls
        self.folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.monitor = free_port()
        self.start()

    @property
    def url(self):
        return f"{'tls' if self._tls else 'nats'}://127.0.0.1:{self.port}"

    def start(self):
        words = [
            BINARY, "-a", "127.0.0.1", "-p", str(self.port), "-m", str(self.monitor), "-js",
            "-sd", str(self.folder / "store"), "-P", str(self.folder / "pid"),
        ]  # fmt: skip
        if self._tls:
            certificate, key = map(str, self._tls)
            words += ["--tlsverify", "--tlscert", certificate, "--tlskey", key, "--tlscacert", certificate]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def answers():
            assert self.process.poll() is None, "nats-server ended"
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor}/healthz", timeout=PATIENCE) as answer:
                    return answer.status == 200
            except OSError:
                return False

        wait_until(answers, "nats-server to start", PATIENCE)

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()
