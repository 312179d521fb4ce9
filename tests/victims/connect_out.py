"""Connects to the host, its loopback, its neighbours, the metadata service and everybody (T092)."""

import errno
import socket
import sys

from attempt import attempt

host, port, port6, udp_port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
only = sys.argv[5:]


def tcp(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as link:
        link.settimeout(2)
        try:
            link.connect(address)
        except TimeoutError:
            raise OSError(errno.ETIMEDOUT, "no answer") from None


def udp(family, address):
    with socket.socket(family, socket.SOCK_DGRAM) as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        link.sendto(b"hello", address)


ways = {
    "tcp host": (tcp, socket.AF_INET, (host, port)),
    "tcp loopback": (tcp, socket.AF_INET, ("127.0.0.1", port)),
    "tcp any": (tcp, socket.AF_INET, ("0.0.0.0", port)),
    "tcp loopback 6": (tcp, socket.AF_INET6, ("::1", port6)),
    "tcp mapped": (tcp, socket.AF_INET6, (f"::ffff:{host}", port)),
    "tcp metadata": (tcp, socket.AF_INET, ("169.254.169.254", 80)),
    "tcp world": (tcp, socket.AF_INET, ("1.1.1.1", 443)),
    "tcp world 6": (tcp, socket.AF_INET6, ("2606:4700:4700::1111", 443)),
    "udp host": (udp, socket.AF_INET, (host, udp_port)),
    "udp loopback": (udp, socket.AF_INET, ("127.0.0.1", udp_port)),
    "udp broadcast": (udp, socket.AF_INET, ("255.255.255.255", udp_port)),
    "udp multicast": (udp, socket.AF_INET, ("224.0.0.1", udp_port)),
    "udp link-local 6": (udp, socket.AF_INET6, ("fe80::1", udp_port)),
}
for name, (how, family, address) in ways.items():
    if not only or name in only:
        attempt(name, how, family, address)
