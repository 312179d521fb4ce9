"""A live service of the api suite: every answer of it, event and message is held against the contract."""

import base64
import json
import re

import websocket

from contract import CONTRACT
from support.client import PATIENCE
from support.command import wait_until
from support.service import LiveService


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

    def __init__(self, client, response):
        self.client = client
        self.response = response
        self.id = response.headers["X-Run-Id"] or response.headers["X-Execution-Id"]
        self.schema = "Event" if "X-Run-Id" in response.headers else "ExecutionEvent"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

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
            CONTRACT.check_schema(self.schema, {"type": event.name, "data": event.data})
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

    sends, receives, outcome = "ClientMessage", "ServerMessage", "run"

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
        CONTRACT.check_schema(self.sends, message)
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
        CONTRACT.check_schema(self.receives, message)
        if message["type"] == "stdout":
            self.shown += bytes_of(message)
        if message["type"] == "stderr":
            self.errors += bytes_of(message)
        if message["type"] == "outcome":
            self.run = message[self.outcome]
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


class ExecutionConversation(Conversation):
    """A WebSocket of one execution in a session; `run` is the execution."""

    sends, receives, outcome = "ExecutionClientMessage", "ExecutionServerMessage", "execution"

    def start(self, code, **fields):
        self.send("start", execution={"code": code, **fields})


class Session:
    """A session of a live service; `with` quits it."""

    def __init__(self, service, *, key=None, headers=None, **fields):
        self.service = service
        self.key = key
        CONTRACT.check_schema("SessionRequest", fields)
        self.made = service.post("/v1/sessions", fields, headers=headers, key=key)
        assert self.made.status == 201, self.made
        self.id = self.made.json["id"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.quit()

    @property
    def path(self):
        return f"/v1/sessions/{self.id}"

    def look(self):
        answer = self.service.get(self.path, key=self.key)
        assert answer.status == 200, answer
        return answer.json

    def converse(self, **options):
        host, port = self.service.address
        return ExecutionConversation(f"ws://{host}:{port}{self.path}/interactive", **options)

    def quit(self):
        answer = self.service.call("DELETE", self.path, key=self.key)
        assert answer.status == 200 and answer.json["state"] == "ended", answer
        return answer.json

    def ask(self, code, *, query="?wait", **fields):
        return self.service.post(self.path + "/executions" + query, {"code": code, **fields}, key=self.key)

    def execute(self, code, **fields):
        """Executes it to its end; answers with the execution."""
        answer = self.ask(code, **fields)
        assert answer.status == 200, answer
        return answer.json

    def value(self, code, **fields):
        """What the last expression of the code is, as text."""
        made = self.execute(code, **fields)
        assert made["status"] == "ok", made
        (result,) = [each for each in made["results"] if each["main"]]
        return result["data"]["text/plain"]


class Service(LiveService):
    def call(self, method, target, body=None, headers=None, **named):
        answer = super().call(method, target, body, headers, **named)
        CONTRACT.check_answer(method, target, answer)
        return answer

    def get(self, target, **named):
        return self.call("GET", target, **named)

    def post(self, target, body=None, **named):
        return self.call("POST", target, body, **named)

    def request(self, source, language, fields):
        request = super().request(source, language, fields)
        CONTRACT.check_schema("RunRequest", request)
        return request

    def wait_for_state(self, run, *states, key=None):
        def reached():
            found = self.look(run, key=key)
            return found if found["state"] in states else None

        return wait_until(reached, f"{run} to be {' or '.join(states)}", PATIENCE)

    def events(self, target, *, method="GET", body=None, headers=None, after=None, key=None):
        client = self.client()
        headers = {**(headers or {}), **({} if after is None else {"Last-Event-ID": str(after)})}
        response = client.open(method, target, body, headers, key=key)
        assert response.status == 200, response.read()
        assert response.headers["Content-Type"] == "text/event-stream"
        return Events(client, response)

    def session(self, **fields):
        return Session(self, **fields)

    def converse(self, **options):
        host, port = self.address
        return Conversation(f"ws://{host}:{port}/v1/runs/interactive", **options)


READY = "print('ready', flush=True)\n"


def wait_until_ready(service, run, key=None):
    """Until the program has said so: what READY does."""
    with service.events(f"/v1/runs/{run}/events", key=key) as events:
        events.take(lambda event: event.name == "stdout")
