"""HTTP as the suites speak it: whole answers over a connection that is kept, and bytes as they come."""

import contextlib
import functools
import http.client
import json
import re
import threading

PATIENCE = 60.0  # seconds, for a machine that is busy with something else


class Answer:
    """One answer that has come whole."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def type(self):
        return (self.headers.get("Content-Type") or "").split(";")[0]

    @functools.cached_property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:2000]!r}"


class Client:
    """One connection that is kept, as a program's own client would; the first request makes it."""

    def __init__(self, host, port, patience=PATIENCE):
        self.connection = http.client.HTTPConnection(host, port, timeout=patience)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def open(self, method, target, body=None, headers=None, *, key=None):
        """The answer as it begins; the caller reads on. `body`: bytes, text, or what goes into JSON."""
        sent = dict(headers or {})
        if key:
            sent.setdefault("Authorization", f"Bearer {key}")
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        self.connection.request(method, target, body.encode() if isinstance(body, str) else body, sent)
        return self.connection.getresponse()

    def call(self, *arguments, **named):
        """The whole answer to what open() takes."""
        try:
            response = self.open(*arguments, **named)
            return Answer(response.status, response.headers, response.read())
        except (OSError, http.client.HTTPException):
            self.close()  # the next call makes another
            raise

    def close(self):
        self.connection.close()


def in_thread(work):
    """Begins it; what is given back waits for its end and answers with what it returned."""
    results = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()

    def finish():
        thread.join(PATIENCE)
        assert results, "the client got no answer"
        return results[0]

    return finish


def read_all(connection):
    """What comes through a socket until the other side closes it, or resets it."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(1 << 16):
            data += part
    return data


def statuses(data):
    """The status of every answer on one connection, in order."""
    return [int(each) for each in re.findall(rb"HTTP/1\.[01] (\d{3}) [A-Z]", data)]
