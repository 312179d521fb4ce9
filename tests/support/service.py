"""A `belljar serve` of one's own on a free port of loopback: its processes, its log, requests to it."""

import contextlib
import json
import pathlib
import random
import re
import signal
import socket
import subprocess
import urllib.parse

from support.client import PATIENCE, Client, read_all
from support.command import as_user, binary, environment, give_to_user, scratch_folder, wait_until
from support.process import Process

LISTENING = re.compile(r"^belljar: listening on (https?://\S+)$", re.MULTILINE)


class LiveService:
    """Started when it is made; `with` ends it, and it must end well.

    The folder is made where it is not there and stays the caller's; the ledger is in `state` in it.
    It must not be in pytest's own, which the gateway, another user, could not reach.
    """

    def __init__(self, folder, *options, listen="127.0.0.1:0", env=None, own_group=False):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        give_to_user(self.folder)
        self.state = self.folder / "state"
        self.log_file = self.folder / "service.log"
        self.log_file.touch()
        self._begin = self.log_file.stat().st_size  # what others of this folder said is not its own
        self._options = [str(each) for each in options]
        self._listen = listen
        self._environment = environment(env)
        # Else it stays in the group of who tests, so that what ends the whole group ends it too.
        self._group = 0 if own_group else None
        self.start()

    def command(self):
        words = ["serve", "--listen", self._listen, "--state-dir", str(self.state), *self._options]
        return as_user([binary(), *words])

    def start(self):
        before = len(self.log)
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self._environment, process_group=self._group,
            )  # fmt: skip

        def url():
            said = self.log[before:]
            assert self.process.poll() is None, f"the service did not start:\n{said}"
            return LISTENING.search(said) if '"event":"ready"' in said else None

        try:
            place = urllib.parse.urlsplit(wait_until(url, "the service to start", PATIENCE)[1])
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        self.address = place.hostname, place.port
        # A second start takes the port of the first, so that clients find it again.
        self._listen = place.netloc

    def stop(self, how=signal.SIGTERM):
        """Ends it as an administrator would; answers with its exit code, -9 where it did not end."""
        self.process.send_signal(how)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, wrong, *_):
        code = self.stop()
        assert wrong or code == 0, f"exit code {code}:\n{self.log[-5000:]}"

    # ---- What it is made of ----

    @property
    def supervisor(self):
        return Process(self.process.pid)

    def children(self, role):
        """The processes of the supervisor's that are a `gateway`, a `warden` and so on."""
        found = []
        for child in self.supervisor.children():
            with contextlib.suppress(OSError, IndexError):
                if child.words()[1] == role.encode():
                    found.append(child)
        return found

    @property
    def gateway(self):
        (gateway,) = self.children("gateway")
        return gateway

    @property
    def wardens(self):
        return self.children("warden")

    def kill(self, role):
        """Kills the one of that role, as a crash would; answers with what it was."""
        (process,) = self.children(role)
        process.kill()
        return process

    # ---- Its log ----

    @property
    def log(self):
        return self.log_file.read_bytes()[self._begin :].decode(errors="backslashreplace")

    def logged(self, name=None, **fields):
        """The events of the log with that name and these fields. Another line than an event is an error."""
        whole, _, _ = self.log.rpartition("\n")
        events = [json.loads(line) for line in whole.split("\n") if not LISTENING.match(line)]
        return [each for each in events if name in (None, each["event"]) and fields.items() <= each.items()]

    def event(self, name, patience=PATIENCE, **fields):
        """The first such event of the log, waited for."""
        (first, *_) = wait_until(lambda: self.logged(name, **fields), f"{name} {fields}", patience)
        return first

    def assert_nothing_fell(self):
        fallen = [each for each in self.logged() if each["event"].endswith(("_ended", "_failed"))]
        assert not fallen, f"{fallen}:\n{self.log[-5000:]}"

    # ---- Requests ----

    @property
    def port(self):
        return self.address[1]

    def connect(self):
        """A socket that nothing was sent through."""
        return socket.create_connection(self.address, timeout=PATIENCE)

    def exchange(self, data):
        """What comes back for these bytes until the service closes; nothing where it resets."""
        with self.connect() as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(data)
            return read_all(connection)

    def client(self, port=None, **named):
        return Client(self.address[0], port or self.port, **named)

    def call(self, method, target, body=None, headers=None, *, key=None, port=None):
        """One request on a connection of its own."""
        with self.client(port) as client:
            return client.call(method, target, body, headers, key=key)

    def request(self, source, language, fields):
        """The body that asks for a run."""
        return {"language": language, "source": source, **fields}

    def run(self, source, language="python", *, key=None, headers=None, **fields):
        """Runs it to its end; answers with the run."""
        answer = self.call("POST", "/v1/runs?wait", self.request(source, language, fields), headers, key=key)
        assert answer.status == 200, answer
        return answer.json

    def submit(self, source, language="python", *, key=None, headers=None, **fields):
        """Has it accepted; answers with its id."""
        answer = self.call("POST", "/v1/runs", self.request(source, language, fields), headers, key=key)
        assert answer.status == 202, answer
        return answer.json["id"]

    def look(self, run, *, wait=False, key=None):
        answer = self.call("GET", f"/v1/runs/{run}{'?wait' if wait else ''}", key=key)
        assert answer.status == 200, answer
        return answer.json

    def is_well(self):
        """Whether it still runs programs, and is the one that was started."""
        self.assert_nothing_fell()
        run = self.run("print(6 * 7)")
        assert out_of(run) == "42\n", run

    # ---- Administration ----

    def keys(self, *words, code=0):
        """What `belljar keys` says of this service's."""
        done = subprocess.run(
            as_user([binary(), "keys", *words, "--state-dir", str(self.state)]),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
            env=environment(), check=False,
        )  # fmt: skip
        assert done.returncode == code, done
        return done.stdout

    def create_key(self, user, *words):
        """Answers with the key's id and its secret."""
        name, secret = self.keys("create", "--for", user, *words).split()
        return name, secret


def out_of(run, stream="stdout"):
    """What the program of a run wrote."""
    return run["outcome"]["stages"][-1][stream]["text"]


def free_port():
    """Not of those that the kernel gives to whoever connects: there another one might have it by the time it is used."""
    while True:
        port = random.randrange(10_000, 32_768)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@contextlib.contextmanager
def live_service(*options, env=None):
    """A service whose folder is gone with it."""
    with scratch_folder("belljar-service-") as folder, LiveService(folder, *options, env=env) as service:
        yield service


@contextlib.contextmanager
def serving(*options, env=None):
    """The same, of which no part may fall meanwhile; its ledger does not wait for the disk."""
    with live_service("--sync", "normal", *options, env=env) as service:
        yield service
        service.stop()
        service.assert_nothing_fell()
