"""Two processes of one cell talk over lo; scans its ports, opens many listeners (T099)."""

import os
import socket

from attempt import attempt, say

server = socket.create_server(("127.0.0.1", 0))
if os.fork() == 0:
    with socket.create_connection(server.getsockname()) as link:
        link.sendall(b"over lo")
    os._exit(0)
link, _ = server.accept()
say(f"attempt talk: {'ok' if link.recv(64) == b'over lo' else 'lost'}")
os.wait()
own = {server.getsockname()[1], link.getpeername()[1]}
found = set()
for port in range(1, 65536):
    with socket.socket() as probe:
        # A probe that was given the port it asks for connects to itself.
        if probe.connect_ex(("127.0.0.1", port)) == 0 and probe.getsockname()[1] != port:
            found.add(port)
say(f"attempt other listeners: {len(found - own)}")
attempt("outside", socket.create_connection, ("10.0.0.1", 80), 2)
many = []
try:
    while len(many) < 3000:
        many.append(socket.create_server(("127.0.0.1", 0)))
except OSError as error:
    say(f"attempt listeners: {'EMFILE' if error.errno == 24 else error.errno}")
