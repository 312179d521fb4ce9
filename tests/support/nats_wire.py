"""NATS as its protocol has it, in as few words as the tests and measurements need; and servers of one's own."""

import contextlib
import itertools
import json
import pathlib
import signal
import socket
import subprocess

from support.client import PATIENCE
from support.command import wait_until

SERVER = "nats-server"


class Refused(Exception):
    """What the server said instead of yes."""


class Wire:
    """One connection. What the server complains of is in `complaints`, in its own words. Answers come below `inbox`."""

    def __init__(self, port, user="", password="", tls=None, inbox="_INBOX.test"):
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self.complaints = []
        self._came = []
        self.server = json.loads(self._line().removeprefix(b"INFO "))
        if tls:
            self._socket = tls.wrap_socket(self._socket, server_hostname="127.0.0.1")
        about = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True, "lang": "python",
                 "version": "0", "protocol": 1}  # fmt: skip
        if user:
            about |= {"user": user, "pass": password}
        self._socket.sendall(b"CONNECT " + json.dumps(about).encode() + b"\r\n")
        self._numbers = itertools.count(1)
        self.settle()
        if self.complaints:
            raise Refused(self.complaints[0])
        self._inbox = f"{inbox}.{id(self)}"
        self.subscribe(f"{self._inbox}.*")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def subscribe(self, subject, queue=""):
        number = next(self._numbers)
        self._socket.sendall(f"SUB {subject} {queue} {number}\r\n".encode())
        return number

    def publish(self, subject, data=b"", reply=""):
        self._socket.sendall(self.message(subject, data, reply))

    def send(self, data):
        """Messages that were put together before."""
        self._socket.sendall(data)

    @staticmethod
    def message(subject, data=b"", reply=""):
        return f"PUB {subject} {reply} {len(data)}\r\n".encode() + data + b"\r\n"

    def settle(self):
        """Waits until the server has seen all that was sent."""
        try:
            self._socket.sendall(b"PING\r\n")
            while (message := self._read()) is not None:
                self._came.append(message)
        except ConnectionError:
            if not self.complaints:  # else that is why it closed
                raise

    @property
    def waiting(self):
        """What came and was not taken."""
        return list(self._came)

    def next(self):
        """The next message: subject, reply subject, data (headers before it, if it has some)."""
        while not self._came:
            if (message := self._read()) is not None:
                self._came.append(message)
        return self._came.pop(0)

    def request(self, subject, data=b"", patience=3.0):
        """The answer's data. Nobody listening, no answer, and not being allowed to ask, are `Refused`."""
        before = len(self.complaints)
        inbox = f"{self._inbox}.{next(self._numbers)}"
        self.publish(subject, data, inbox)
        self.settle()
        if len(self.complaints) > before:
            raise Refused(self.complaints[-1])
        self._socket.settimeout(patience)
        try:
            answer = next(data for to, _, data in iter(self.next, None) if to == inbox)
        except TimeoutError:
            raise Refused("no answer") from None
        finally:
            self._socket.settimeout(PATIENCE)
        if answer.startswith(b"NATS/1.0 503"):
            raise Refused("nobody listens")
        return answer

    def ask(self, subject, body=None):
        """A request of JetStream's: JSON there and back."""
        answer = json.loads(self.request(subject, b"" if body is None else json.dumps(body).encode()))
        if "error" in answer:
            raise Refused(answer["error"]["description"])
        return answer

    def is_allowed(self, subject, data=b""):
        """Whether it may publish there."""
        before = len(self.complaints)
        self.publish(subject, data)
        self.settle()
        return len(self.complaints) == before

    def may_listen(self, subject):
        before = len(self.complaints)
        self.subscribe(subject)
        self.settle()
        return len(self.complaints) == before

    def _read(self):
        """A message; None for the answer to PING."""
        while True:
            line = self._line()
            word, _, rest = line.partition(b" ")
            if word in (b"MSG", b"HMSG"):
                fields = rest.decode().split()
                data = self._bytes(int(fields[-1]))
                reply = fields[2] if len(fields) > (4 if word == b"HMSG" else 3) else ""
                return fields[0], reply, data
            if word == b"PONG":
                return None
            if word == b"PING":
                self._socket.sendall(b"PONG\r\n")
            elif word == b"-ERR":
                self.complaints.append(rest.decode().strip("'"))

    def _more(self):
        part = self._socket.recv(1 << 16)
        if not part:
            raise ConnectionError("the server closed the connection")
        self._rest += part

    def _line(self):
        while b"\r\n" not in self._rest:
            self._more()
        line, _, self._rest = self._rest.partition(b"\r\n")
        return line

    def _bytes(self, count):
        while len(self._rest) < count + 2:
            self._more()
        data, self._rest = self._rest[:count], self._rest[count + 2 :]
        return data


@contextlib.contextmanager
def nats_server(folder, config, port, log="nats.log"):
    """A server with this configuration (text), which listens on that port of loopback; answers with its process."""
    folder = pathlib.Path(folder)
    file = folder / f"{log}.conf"
    file.write_text(config)
    with open(folder / log, "ab") as out:
        process = subprocess.Popen([SERVER, "-c", str(file)], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   cwd=folder)  # fmt: skip

    def answers():
        assert process.poll() is None, (folder / log).read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    try:
        wait_until(answers, "the NATS server to start", PATIENCE)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
