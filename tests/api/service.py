"""A `belljar serve` of a test's own, and clients of it that check every answer with the contract."""

import base64
import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import urllib.parse

import websocket

from contract import CONTRACT
from support.command import binary, environment, wait_until

PATIENCE = 60.0  # seconds, for a machine that is busy with something else
LISTENING = re.compile(rb"listening on (https?://\S+)\n")


class Answer:
    """One answer that has come whole."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def type(self):
        return (self.headers.get("Content-Type") or "").split(";")[0]

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.type} {self.body[:2000]!r}"


class Event:
    """One server-sent event."""

    def __init__(self, number, name, data):
        self.number = number
        self.name = name
        self.data = data

    @property
    def bytes(self):
        return bytes_of(self.data)

    def __repr__(self):
        return f"{self.number} {self.name} {self.data}"


def bytes_of(data):
    """The bytes of the program that an event or a message carries."""
    return base64.b64decode(data["base64"]) if "base64" in data else data["text"].encode()


class Events:
    """A stream of server-sent events that is being read."""

    def __init__(self, connection, response):
        self.connection = connection
        self.response = response
        self.id = response.headers["X-Run-Id"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def __iter__(self):
        fields = {}
        for line in self.response:
            line = line.decode().rstrip("\n")
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(": ")
                assert name in ("id", "event", "data") and name not in fields, line
                fields[name] = value
                continue
            event = Event(int(fields["id"]), fields["event"], json.loads(fields["data"]))
            CONTRACT.check_schema("Event", {"type": event.name, "data": event.data})
            yield event
            fields = {}
        assert not fields, f"the stream ended within an event: {fields}"

    def take(self, stop):
        """The events up to and with the first for which `stop` is true."""
        taken = []
        for event in self:
            taken.append(event)
            if stop(event):
                return taken
        raise AssertionError(f"the stream ended before: {taken}")


class Conversation:
    """A WebSocket of an interactive run."""

    def __init__(self, url, **options):
        self.socket = websocket.create_connection(url, timeout=PATIENCE, **options)
        self.shown = b""
        self.errors = b""
        self.run = None
        self.id = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.shutdown()

    def send(self, type, **fields):
        message = {"type": type, **fields}
        CONTRACT.check_schema("ClientMessage", message)
        self.socket.send(json.dumps(message))

    def send_raw(self, text):
        self.socket.send(text)

    def start(self, source, language="python", **options):
        self.send("start", run={"language": language, "source": source}, **options)

    def receive(self):
        """The next message, or None where the service has closed."""
        opcode, data = self.socket.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            assert int.from_bytes(data[:2], "big") == 1000, data
            return None
        assert opcode == websocket.ABNF.OPCODE_TEXT
        message = json.loads(data)
        CONTRACT.check_schema("ServerMessage", message)
        if message["type"] == "stdout":
            self.shown += bytes_of(message)
        if message["type"] == "stderr":
            self.errors += bytes_of(message)
        if message["type"] == "outcome":
            self.run = message["run"]
        self.id = message.get("id", self.id)
        return message

    def expect(self, pattern):
        """Reads until the program has shown it; answers with the match."""
        while not (match := re.search(pattern, self.shown)):
            message = self.receive()
            assert message is not None, f"closed; shown: {self.shown!r} {self.errors!r} {self.run}"
        return match

    def expect_error(self):
        while (message := self.receive()) is not None:
            if message["type"] == "error":
                return message["detail"]
        raise AssertionError(f"closed without an error; {self.run}")

    def finish(self):
        """Reads to the end; answers with the run."""
        while self.receive() is not None:
            pass
        assert self.run is not None, "closed without an outcome"
        return self.run


class Service:
    """Started with words of the command line; ended, and waited for, at the latest by stop()."""

    def __init__(self, folder, *words, listen="127.0.0.1:0", state=None, env=None):
        self.folder = pathlib.Path(folder)
        self.state = pathlib.Path(state or self.folder / "state")
        self.log = self.folder / "service.log"
        with open(self.log, "ab") as log:
            begin = log.tell()
            self.process = subprocess.Popen(
                [binary(), "serve", "--listen", listen, "--state-dir", str(self.state), *words],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(env),
                start_new_session=True,
            )  # fmt: skip
        try:
            self.address = self._wait_for_start(begin)
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise

    def _wait_for_start(self, begin):
        def look():
            text = self.log.read_bytes()[begin:]
            assert self.process.poll() is None, text.decode()
            ready = b'"event":"ready"' in text
            return LISTENING.search(text) if ready else None

        url = wait_until(look, "the service to start", PATIENCE)[1].decode()
        parts = urllib.parse.urlsplit(url)
        return parts.hostname, parts.port

    # ---- What it is made of ----

    def children(self):
        """Pids of the gateway and the wardens, by what they are."""
        found = {"gateway": [], "warden": []}
        for pid in descendants(self.process.pid):
            try:
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            # A cell that waits began as a copy of its warden.
            supervised = f"PPid:\t{self.process.pid}\n" in status
            if supervised and words[0] == b"belljar" and len(words) > 1 and words[1].decode() in found:
                found[words[1].decode()].append(pid)
        return found

    def kill(self, what):
        """Kills the gateway or the warden, as a crash would."""
        (pid,) = self.children()[what]
        os.kill(pid, signal.SIGKILL)
        return pid

    def terminate(self):
        if self.process.poll() is None:
            self.process.terminate()

    def stop(self):
        """Ends it as an administrator would; answers with its exit code, -9 where it did not end."""
        self.terminate()
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            for pid in [self.process.pid, *descendants(self.process.pid)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return self.process.wait()

    # ---- Requests ----

    def connect(self):
        return http.client.HTTPConnection(*self.address, timeout=PATIENCE)

    def call(self, method, target, body=None, *, key=None, headers=None, checked=True):
        """`body`: bytes, or anything that goes into JSON."""
        sent = dict(headers or {})
        if key:
            sent.setdefault("Authorization", f"Bearer {key}")
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = self.connect()
        try:
            connection.request(method, target, body, sent)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        finally:
            connection.close()
        if checked:
            CONTRACT.check_answer(method, target, answer)
        return answer

    def get(self, target, **options):
        return self.call("GET", target, **options)

    def post(self, target, body=None, **options):
        return self.call("POST", target, body, **options)

    def run(self, source, language="python", *, key=None, headers=None, **fields):
        """Runs it to its end; answers with the run."""
        request = {"language": language, "source": source, **fields}
        CONTRACT.check_schema("RunRequest", request)
        answer = self.post("/v1/runs?wait", request, key=key, headers=headers)
        assert answer.status == 200, answer
        return answer.json

    def submit(self, source, language="python", *, key=None, headers=None, **fields):
        """Has it accepted; answers with its id."""
        request = {"language": language, "source": source, **fields}
        answer = self.post("/v1/runs", request, key=key, headers=headers)
        assert answer.status == 202, answer
        return answer.json["id"]

    def look(self, run, *, wait=False, key=None):
        answer = self.get(f"/v1/runs/{run}{'?wait' if wait else ''}", key=key)
        assert answer.status == 200, answer
        return answer.json

    def wait_for_state(self, run, *states, key=None):
        def reached():
            found = self.look(run, key=key)
            return found if found["state"] in states else None

        return wait_until(reached, f"{run} to be {' or '.join(states)}", PATIENCE)

    def events(self, target, *, method="GET", body=None, after=None, headers=None):
        sent = dict(headers or {})
        if after is not None:
            sent["Last-Event-ID"] = str(after)
        if body is not None:
            body = json.dumps(body)
            sent["Content-Type"] = "application/json"
        connection = self.connect()
        connection.request(method, target, body, sent)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        assert response.headers["Content-Type"] == "text/event-stream"
        return Events(connection, response)

    def converse(self, **options):
        host, port = self.address
        return Conversation(f"ws://{host}:{port}/v1/runs/interactive", **options)

    # ---- Administration ----

    def keys(self, *words, code=0):
        done = subprocess.run(
            [binary(), "keys", *words, "--state-dir", str(self.state)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
            env=environment(), check=False,
        )  # fmt: skip
        assert done.returncode == code, done
        return done.stdout

    def create_key(self, user, *words):
        """Answers with the key's id and its secret."""
        name, secret = self.keys("create", "--for", user, *words).split()
        return name, secret


def descendants(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    children = [int(child) for child in text.split()]
    return [each for child in children for each in [child, *descendants(child)]]


def out_of(run, stream="stdout"):
    """What the program of a run wrote."""
    return run["outcome"]["stages"][-1][stream]["text"]


READY = "print('ready', flush=True)\n"


def wait_until_ready(service, run, key=None):
    """Until the program has said so: what READY does."""
    headers = {"Authorization": f"Bearer {key}"} if key else None
    with service.events(f"/v1/runs/{run}/events", headers=headers) as events:
        events.take(lambda event: event.name == "stdout")
