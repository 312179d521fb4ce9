"""A session driver as an ordinary process, outside of any cell, and the gateway's side of its socket."""

import array
import fcntl
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import termios
import sys

SOURCES = pathlib.Path(__file__).resolve().parents[2] / "runtimes/sessions"
TOOLS = {"node": "/usr/bin/node", "bash": "/usr/bin/bash"}
PYTHON = os.environ.get("BELLJAR_SESSION_PYTHON", sys.executable)  # another version, by hand
PATIENCE = 60  # seconds without a frame, after which a test has failed
LARGEST = 8 << 20


class Answer:
    """What came for one op: its results, its error and its done."""

    def __init__(self):
        self.results, self.error, self.done = [], None, None

    @property
    def status(self):
        return self.done["status"]

    @property
    def main(self):
        found = [result for result in self.results if result["main"]]
        assert len(found) < 2
        return found[0]["data"] if found else None

    @property
    def text(self):
        return self.main and self.main["text/plain"]

    @property
    def shown(self):
        return [result["data"] for result in self.results if not result["main"]]

    @property
    def files(self):
        return {file["path"]: (file["bytes"], file["mime"]) for file in self.done["files"]}


class Driver:
    def __init__(self, folder, env=(), language=None):
        self.folder = folder
        self.script = folder / ".belljar-session.py"
        shutil.copy(SOURCES / "python.py", self.script)
        shutil.copy(SOURCES / "node.js", folder / ".belljar-session.js")
        words = [language, TOOLS[language]] if language else []
        self.control, theirs = socket.socketpair()
        self.control.settimeout(PATIENCE)
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "MPL"))}
        with theirs:
            self.process = subprocess.Popen(
                [PYTHON, str(self.script), *words], cwd=folder, env={**environment, **dict(env)},
                stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
        self.said = {self.process.stdout.fileno(): bytearray(), self.process.stderr.fileno(): bytearray()}
        for fd in self.said:
            os.set_blocking(fd, False)
        self.incoming = bytearray()
        self.id = 0
        self.ready = self.frame()

    # -- what it prints

    def drain(self):
        """Takes what is in the pipes now."""
        for fd, text in self.said.items():
            try:
                while data := os.read(fd, 1 << 16):
                    text += data
            except BlockingIOError:
                pass

    def _taken(self, pipe):
        self.drain()
        text = self.said[pipe.fileno()]
        taken = text.decode("utf-8", "replace")
        text.clear()
        return taken

    @property
    def stdout(self):
        return self._taken(self.process.stdout)

    @property
    def stderr(self):
        return self._taken(self.process.stderr)

    def wait_for(self, text):
        """Waits until it has printed that."""
        said = self.said[self.process.stdout.fileno()]
        while text.encode() not in said:
            assert select.select([self.process.stdout], [], [], PATIENCE)[0], f"{text} was not printed"
            self.drain()

    # -- frames

    def send(self, *frames):
        bodies = [frame if isinstance(frame, bytes) else json.dumps(frame).encode() for frame in frames]
        self.control.sendall(b"".join(len(body).to_bytes(4, "little") + body for body in bodies))

    def frame(self):
        """The next frame; None at the end of the stream."""
        while True:
            if len(self.incoming) >= 4:
                size = int.from_bytes(self.incoming[:4], "little")
                assert size <= LARGEST, "no frame is larger"
                if len(self.incoming) >= 4 + size:
                    body = bytes(self.incoming[4 : 4 + size])
                    del self.incoming[: 4 + size]
                    return json.loads(body.decode("utf-8"), parse_constant=self._refuse)
            sources = [self.control, self.process.stdout, self.process.stderr]
            ready = select.select(sources, [], [], PATIENCE)[0]
            assert ready, "nothing came"
            self.drain()
            if self.control in ready:
                try:
                    data = self.control.recv(1 << 18)
                except ConnectionResetError:
                    data = b""
                if not data:
                    return None
                self.incoming += data
            elif self.process.poll() is not None:
                return None

    @staticmethod
    def _refuse(text):
        raise AssertionError(f"{text} is not JSON")

    def control_is_read(self):
        """Whether the driver has taken all that was sent to it."""
        unread = array.array("i", [0])
        fcntl.ioctl(self.control, termios.TIOCOUTQ, unread)
        return unread[0] == 0

    def quiet(self):
        """Waits a moment, for what is moving to be seen as such."""
        select.select([self.process.stdout, self.process.stderr], [], [], 0.3)

    def begin(self, code, context="default", **fields):
        self.id += 1
        self.send({"op": "execute", "id": self.id, "context": context, "code": code, **fields})
        return self.id

    def answer(self, id=None):
        """All frames up to the done of an op."""
        id = id or self.id
        answer = Answer()
        while answer.done is None:
            frame = self.frame()
            assert frame is not None, f"the driver has ended\n{self.stderr}"
            assert frame["id"] == id, frame
            if frame["type"] == "result":
                assert answer.error is None
                assert isinstance(frame["data"], dict) and isinstance(frame["metadata"], dict)
                answer.results.append(frame)
            elif frame["type"] == "error":
                assert answer.error is None
                answer.error = frame
            else:
                assert frame["type"] == "done"
                answer.done = frame
        self.drain()
        return answer

    def run(self, code, context="default", **fields):
        return self.answer(self.begin(code, context, **fields))

    def ok(self, code, context="default", **fields):
        answer = self.run(code, context, **fields)
        assert answer.status == "ok", (answer.error or answer.done, self.stderr)
        return answer

    def op(self, op, **fields):
        self.id += 1
        self.send({"op": op, "id": self.id, **fields})
        return self.answer()

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def close(self):
        """Ends it by the end of its socket; answers with its exit status."""
        self.control.close()
        try:
            return self.process.wait(PATIENCE)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            self.process.stderr.close()
