"""Between a client and the service: a proxy that cuts connections, and a service that only says what it is told."""

import contextlib
import http.server
import select
import socket
import struct
import threading

from support.client import PATIENCE


class CuttingProxy:
    """Passes bytes on. The n-th connection that asks for something is reset after as many bytes of its answer as `cuts` says.

    None, and where `cuts` is at its end: it is passed on whole.
    """

    def __init__(self, target, cuts):
        self.target = target
        self.cuts = list(cuts)
        self.requests = []  # the head of each
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:{}".format(self.listener.getsockname()[1])
        self.threads = []

    def __enter__(self):
        self.start(self.accept)
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def start(self, what, *arguments):
        thread = threading.Thread(target=what, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self.start(self.serve, client)

    def serve(self, client):
        # One thread for both ways: a socket that another one reads from is not closed by closing it.
        with client, socket.create_connection(self.target, PATIENCE) as service, contextlib.suppress(OSError):
            request = client.recv(1 << 16)
            if not request:
                return  # Node opens a connection now and then that it has no use for
            self.requests.append(request)
            most = self.cuts.pop(0) if self.cuts else None
            service.sendall(request)
            passed = 0
            while most is None or passed < most:
                ready, _, _ = select.select([client, service], [], [], PATIENCE)
                if client in ready:
                    piece = client.recv(1 << 16)
                    if not piece:
                        return
                    service.sendall(piece)
                if service in ready:
                    piece = service.recv(1 << 16 if most is None else most - passed)
                    if not piece:
                        return
                    client.sendall(piece)
                    passed += len(piece)
            # Reset: what ends in the middle must not look like an end.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Canned:
    """Answers with (status, headers, body), one after the other; the last one again and again."""

    def __init__(self, *answers):
        left = list(answers)
        self.requests = seen = []  # (method, path, headers) of each

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                seen.append((self.command, self.path, self.headers))
                status, headers, body = left.pop(0) if len(left) > 1 else left[0]
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_):
                """Nothing: the tests' output is for what they find."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(PATIENCE)
