"""Services whose webhooks may go to loopback; those that are there at the end are ended."""

import http.client
import json
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from receivers import PATIENCE  # noqa: E402 - after the path above
from support.command import as_user, binary, environment, give_to_user, scratch_folder  # noqa: E402


class Service:
    """A `belljar serve` of a test's own, and what its log says."""

    def __init__(self, state, *, allow="127.0.0.1", retry="50ms", settings=(), env=None):
        self.state = state
        words = ["serve", "--listen", "127.0.0.1:0", "--state-dir", str(state), "--sync", "normal",
                 "--webhook-ports", "1024-65535", "--webhook-allow", allow, "--webhook-retry", retry, *settings]
        variables = environment()
        variables.update(env or {})
        self.process = subprocess.Popen(as_user([binary(), *words]), env=variables, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.events = []
        self.text = ""
        self.changed = threading.Condition()
        self.port = None
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.wait(lambda: self.port is not None)
        self.event("ready")

    def _read(self):
        for line in self.process.stderr:
            with self.changed:
                self.text += line.decode(errors="replace")
                listening = re.match(rb"belljar: listening on http://127\.0\.0\.1:(\d+)|listening on \S+:(\d+)", line)
                if listening:
                    self.port = int(listening.group(1) or listening.group(2))
                elif line.startswith(b"{"):
                    self.events.append(json.loads(line))
                self.changed.notify_all()

    def wait(self, condition):
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE), self.text

    def event(self, name, **fields):
        """The first line of the log with that, waited for."""
        def found():
            return next((each for each in self.events if each["event"] == name and fields.items() <= each.items()), None)

        self.wait(found)
        return found()

    def attempts(self, **fields):
        with self.changed:
            return [each for each in self.events if each["event"] == "webhook" and fields.items() <= each.items()]

    def ask(self, method, path, value=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            body = None if value is None else json.dumps(value)
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text else None
        finally:
            connection.close()

    def submit(self, url, source="echo done", **fields):
        """The id of a run that tells `url`."""
        status, answer = self.ask("POST", "/v1/runs", {"language": "bash", "source": source, "webhook": url, **fields})
        assert status in (200, 201, 202), answer
        return answer["id"]

    def children(self, role):
        """The processes of a role that are there now."""
        path = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        pids = []
        for pid in path.read_text().split():
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if words[1:2] == [role.encode()]:
                pids.append(int(pid))
        return pids

    def sender(self):
        """Its pid, waited for: it is started when there is something to send."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            pids = self.children("webhooks")
            if pids:
                assert len(pids) == 1
                return pids[0]
            time.sleep(0.02)
        raise AssertionError(self.text)

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        return code


@pytest.fixture
def serve():
    with scratch_folder("belljar-webhooks-") as folder:
        made = []

        def start(state=None, **options):
            if state is None:
                state = folder / str(len(made)) / "state"
                state.parent.mkdir()
                give_to_user(state.parent)
            made.append(Service(state, **options))
            return made[-1]

        yield start
        for service in made:
            assert service.stop() in (0, -signal.SIGKILL), service.text
