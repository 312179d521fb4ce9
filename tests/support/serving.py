"""A live `belljar serve` on loopback, for suites that speak HTTP to it, and raw sockets to do so."""

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
import threading

from support import command

PATIENCE = 60.0  # no test waits for longer; what takes this long is a failure


class Answer:
    """One HTTP answer. `json` is None where the body is none."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body
        try:
            self.json = json.loads(body)
        except ValueError:
            self.json = None

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:2000]!r}"


class Service:
    """Started by the constructor, ready when that returns; ended by stop()."""

    def __init__(self, folder, *options, env=None):
        self.folder = pathlib.Path(folder)
        self.log = []
        self._port = None
        self._ready = threading.Event()
        self._process = subprocess.Popen(
            [
                command.binary(),
                "serve",
                "--listen=127.0.0.1:0",
                f"--state-dir={self.folder / 'state'}",
                "--sync=normal",
                *options,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=command.environment(env),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(PATIENCE) or self._port is None:
            self._process.kill()
            raise AssertionError("belljar serve did not start:\n" + "\n".join(self.log))

    def _read(self):
        for line in self._process.stderr:
            text = line.decode(errors="backslashreplace").rstrip("\n")
            self.log.append(text)
            if found := re.search(r"listening on http://.*:(\d+)$", text):
                self._port = int(found[1])
            if '"event":"ready"' in text:
                self._ready.set()
        self._ready.set()

    @property
    def port(self):
        return self._port

    @property
    def host(self):
        return f"127.0.0.1:{self._port}"

    def gateway(self):
        """The pid of the process that reads what comes from outside."""
        for pid in self._children():
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"gateway" in words[:2]:
                return pid
        raise AssertionError("there is no gateway")

    def _children(self):
        pid = self._process.pid
        return [int(each) for each in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def resident(self):
        """Bytes of the gateway's memory that are resident now."""
        status = pathlib.Path(f"/proc/{self.gateway()}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.gateway()}/fd"))

    def events(self):
        """The lines of the log that are JSON, all but the first line; another line is an error."""
        return [json.loads(line) for line in list(self.log) if "listening on" not in line]

    def call(self, method, path, body=None, headers=None, port=None):
        """`body`: bytes, text, or a value that is sent as JSON."""
        sent = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        if isinstance(body, str):
            body = body.encode()
        connection = http.client.HTTPConnection("127.0.0.1", port or self._port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())

    def run(self, source, language="python", headers=None, **more):
        """The run of a program, as its outcome came back."""
        answer = self.call(
            "POST", "/v1/runs?wait=1", {"language": language, "source": source, **more}, headers
        )
        assert answer.status == 200, answer
        return answer.json

    def connect(self, port=None):
        return socket.create_connection(("127.0.0.1", port or self._port), timeout=PATIENCE)

    def exchange(self, data):
        """What comes back for these bytes until the service closes; nothing where it resets."""
        with self.connect() as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(data)
            return read_all(connection)

    def is_well(self):
        """Whether it still runs programs, and is the one that was started."""
        restarts = [event for event in self.events() if event["event"].endswith("_ended")]
        assert not restarts, restarts
        outcome = self.run("print(6 * 7)")["outcome"]
        assert outcome["stages"][-1]["stdout"]["text"] == "42\n", outcome

    def stop(self):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._reader.join(PATIENCE)
        return code


def read_all(connection):
    data = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(1 << 16):
            data += part
    return data


def statuses(data):
    """The status of every answer on one connection, in order."""
    return [int(each) for each in re.findall(rb"HTTP/1\.[01] (\d{3}) [A-Z]", data)]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def make_key(service, user, *options):
    """Of a new key, as `belljar keys create` prints it: its id and its secret."""
    done = subprocess.run(
        [
            command.binary(),
            "keys",
            "create",
            f"--state-dir={service.folder / 'state'}",
            f"--for={user}",
            *options,
        ],
        env=command.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@contextlib.contextmanager
def serving(*options, env=None):
    """A service that must end well: by SIGTERM, with no part that fell meanwhile."""
    with tempfile.TemporaryDirectory(prefix="serving-") as folder:
        os.chmod(folder, 0o755)
        service = Service(folder, *options, env=env)
        try:
            yield service
        finally:
            code = service.stop()
        fallen = [event for event in service.events() if event["event"].endswith(("_ended", "_failed"))]
        assert (code, fallen) == (0, []), "\n".join(service.log[-50:])
