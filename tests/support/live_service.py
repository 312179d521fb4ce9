"""A `belljar serve` of one's own on a free port of loopback, and what its processes cost."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TICK = os.sysconf("SC_CLK_TCK")
PATIENCE = 60.0  # seconds, for a machine that is busy with something else


def binary():
    return os.environ.get("BELLJAR") or str(ROOT / "build/release/belljar")


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:2000]!r}"


class Client:
    """One connection that is kept, as a program's own client would."""

    def __init__(self, port):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE * 2)

    def call(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()  # the next call makes another
            raise

    def close(self):
        self._connection.close()


class Process:
    """What /proc says of one process; pid and start time, so that a number used again is not it."""

    def __init__(self, pid):
        self.pid = pid
        self.folder = pathlib.Path(f"/proc/{pid}")

    def _stat(self):
        return (self.folder / "stat").read_text().rpartition(")")[2].split()

    def cpu(self):
        """Seconds of its own, and of its children that were waited for (with all of theirs)."""
        fields = self._stat()
        user, system, child_user, child_system = (int(fields[i]) / TICK for i in range(11, 15))
        return user + system, child_user + child_system

    def resident(self):
        """Bytes that are in memory for this process."""
        status = (self.folder / "status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024

    def descriptors(self):
        return len(os.listdir(self.folder / "fd"))

    def children(self):
        text = (self.folder / f"task/{self.pid}/children").read_text()
        return [Process(int(pid)) for pid in text.split()]

    def words(self):
        return (self.folder / "cmdline").read_bytes().split(b"\0")

    def is_there(self):
        try:
            return self._stat()[0] != "Z"
        except OSError:
            return False


class LiveService:
    """Started when it is made; `with` ends it. The state folder stays the caller's."""

    def __init__(self, state_dir, *options, env=None):
        self.state_dir = pathlib.Path(state_dir)
        self._options = options
        self._environment = {**os.environ, **(env or {})}
        self._log_path = self.state_dir.with_name(self.state_dir.name + ".log")
        self.port = self._child = None
        self.start()

    def start(self):
        with open(self._log_path, "ab") as log:
            begin = log.tell()
            # A second start takes the port of the first, so that clients find it again.
            self._child = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                env=self._environment,
            )  # fmt: skip
        self._wait_until(lambda: b'"event":"ready"' in self.log()[begin:])
        self.port = int(re.search(rb"listening on http://\S+:(\d+)", self.log()[begin:])[1])

    def command(self):
        where = f"127.0.0.1:{self.port or 0}"
        options = list(map(str, self._options))
        # Nothing outside of the state folder, and no compiler at work beside what is tested.
        if "--headers" not in options:
            options += ["--headers", "none"]
        return [binary(), "serve", "--listen", where, "--state-dir", str(self.state_dir), *options]

    def _wait_until(self, condition):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if self._child.poll() is not None or time.monotonic() > deadline:
                self.stop(signal.SIGKILL)
                raise AssertionError(f"the service did not start: {self.log()[-3000:]!r}")
            time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, how=signal.SIGTERM):
        """The exit code of the service."""
        if self._child.poll() is None:
            self._child.send_signal(how)
            try:
                self._child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._child.kill()
                raise
        return self._child.wait()

    def log(self):
        return self._log_path.read_bytes()

    def client(self):
        return Client(self.port)

    def call(self, *arguments, **named):
        """One request on a connection of its own."""
        client = self.client()
        try:
            return client.call(*arguments, **named)
        finally:
            client.close()

    @property
    def supervisor(self):
        return Process(self._child.pid)

    def _role(self, word):
        found = []
        for child in self.supervisor.children():
            with contextlib.suppress(OSError, IndexError):
                if child.words()[1] == word:
                    found.append(child)
        return found

    @property
    def gateway(self):
        (gateway,) = self._role(b"gateway")
        return gateway

    @property
    def wardens(self):
        return self._role(b"warden")

    def accepts_connections(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


@contextlib.contextmanager
def service_folder():
    """A folder for state: not pytest's own, which the gateway, another user, could not reach."""
    with tempfile.TemporaryDirectory(prefix="belljar-service-") as folder:
        os.chmod(folder, 0o755)
        yield pathlib.Path(folder)


@contextlib.contextmanager
def live_service(*options, env=None):
    """A service with a state folder of its own that is gone with it."""
    with service_folder() as folder, LiveService(folder / "state", *options, env=env) as service:
        yield service
