"""Leaves one trace in its network namespace and tells that namespace's cookie, which is never used twice. A program:
its argument names the trace, `nothing` is none."""

import array
import socket
import sys
import time

SO_NETNS_COOKIE = 71  # socket(7), kernel 5.14


def nothing():
    """Sockets that were there, bound and listening, and are gone without a packet."""
    with socket.socket() as server, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as datagrams:
        server.bind(("127.0.0.1", 0))
        server.listen()
        datagrams.bind(("::1", 0))
    with socket.socket(socket.AF_UNIX) as named:
        named.bind("\0gone")


def time_wait():
    server = socket.create_server(("127.0.0.1", 5078))
    client = socket.create_connection(server.getsockname())
    accepted, _ = server.accept()
    accepted.close()
    client.close()


def datagram():
    server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    server.bind(("::1", 5079))
    server.sendto(b"to itself", server.getsockname())


def unreachable():
    try:
        socket.create_connection(("203.0.113.1", 80), timeout=1)
    except OSError:
        return
    raise SystemExit("it was reached")


def in_flight():
    """A bound socket that is only in the queue of a socket that is only in its own queue: no process holds them."""
    first, second = socket.socketpair()
    named = socket.socket(socket.AF_UNIX)
    named.bind("\0in flight")
    named.listen()
    for fd in (named.fileno(), first.fileno(), second.fileno()):
        second.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])


def route():
    """Of IPv6, looked up without a packet."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as datagrams:
        datagrams.connect(("::1", 5080))


with socket.socket(socket.AF_UNIX) as any_socket:
    cookie = any_socket.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8)
globals()[sys.argv[1]]()
print(int.from_bytes(cookie, "little"), time.time())
