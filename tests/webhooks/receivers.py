"""What webhooks are sent to in the tests: receivers on loopback, and a name server."""

import contextlib
import queue
import socket
import struct
import threading

from support.client import PATIENCE

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def answer(status, *headers):
    lines = [f"HTTP/1.1 {status} Whatever", "Content-Length: 0", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def hold(connection):
    """Never answers; ends when the sender gives up."""
    connection.recv(1)


class Request:
    """One request as it stood on the wire."""

    def __init__(self, data):
        self.head, self.body = data.split(b"\r\n\r\n", 1)
        self.line, *lines = self.head.decode().split("\r\n")
        self.headers = dict(line.split(": ", 1) for line in lines)
        assert len(self.headers) == len(lines), f"a header twice: {lines}"

    @property
    def delivery(self):
        return self.headers["Belljar-Delivery"]


def read_request(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, body = data.split(b"\r\n\r\n", 1)
    (length,) = [int(line.split(b": ")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")]
    while len(body) < length:
        more = connection.recv(65536)
        if not more:
            return None
        body += more
    return Request(head + b"\r\n\r\n" + body)


class Receiver:
    """Answers each request with the next of `answers`, the last one again and again: bytes, or a
    function of the connection."""

    def __init__(self, *answers, address="127.0.0.1", port=0, context=None):
        self.answers = list(answers) or [OK]
        self.requests = queue.Queue()
        self.count = 0
        self.open = 0
        self.most_open = 0
        self.released = threading.Event()
        self.lock = threading.Lock()
        self.context = context
        self.socket = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.port = self.socket.getsockname()[1]
        self.url = f"http://{address}:{self.port}/hook"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.released.set()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def next(self):
        return self.requests.get(timeout=PATIENCE)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with self.lock:
            self.open += 1
            self.most_open = max(self.most_open, self.open)
        try:
            with contextlib.suppress(OSError), connection:
                if self.context:
                    connection = self.context.wrap_socket(connection, server_side=True)
                request = read_request(connection)
                if request is None:
                    return
                with self.lock:
                    chosen = self.answers[min(self.count, len(self.answers) - 1)]
                    self.count += 1
                self.requests.put(request)
                if callable(chosen):
                    chosen(connection)
                else:
                    connection.sendall(chosen)
        finally:
            with self.lock:
                self.open -= 1


class NameServer:
    """Answers A and AAAA over UDP. `names`: the addresses of a name, one list for each time that it
    is asked for its A records, the last one again and again."""

    def __init__(self, names):
        self.names = names
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                query, peer = self.socket.recvfrom(4096)
                reply = self._reply(query)
                if reply:
                    self.socket.sendto(reply, peer)

    def _reply(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        kind = struct.unpack_from("!H", query, at + 1)[0]
        name = ".".join(labels)
        question = query[12 : at + 5]
        turns = self.names.get(name)
        if turns == "silent":
            return None
        if turns is None:
            return query[:2] + struct.pack("!HHHHH", 0x8183, 1, 0, 0, 0) + question
        wanted = self.asked.count((name, 1))
        self.asked.append((name, kind))
        four = [each for each in turns[min(wanted, len(turns) - 1)] if ":" not in each]
        six = [each for each in turns[min(max(wanted - 1, 0), len(turns) - 1)] if ":" in each]
        data = [socket.inet_aton(each) for each in four] if kind == 1 else [socket.inet_pton(socket.AF_INET6, each) for each in six]
        records = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(each)) + each for each in data)
        return query[:2] + struct.pack("!HHHHH", 0x8180, 1, len(data), 0, 0) + question + records
