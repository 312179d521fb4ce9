"""Brings up interfaces, adds addresses and routes, makes a tunnel, all through netlink (T094)."""

import os
import socket
import struct

from attempt import attempt, name_of, say

REQUEST, ACK, CREATE = 1, 4, 0x400
RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWTFILTER = 16, 20, 24, 44
LOOPBACK = 1


def ask(kind, body):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.bind((0, 0))
        link.send(struct.pack("=LHHLL", 16 + len(body), kind, REQUEST | ACK | CREATE, 1, 0) + body)
        answer = link.recv(4096)
    number = -struct.unpack("=l", answer[16:20])[0]
    return "ok" if number == 0 else name_of(number)


address = struct.pack("=HH4s", 8, 2, bytes([10, 99, 0, 1]))
say("attempt link up: " + ask(RTM_NEWLINK, struct.pack("=BxHlLL", 0, 0, LOOPBACK, 1, 1)))
say("attempt address: " + ask(RTM_NEWADDR, struct.pack("=BBBBL", 2, 24, 0, 0, LOOPBACK) + address))
say(
    "attempt dummy: "
    + ask(
        RTM_NEWLINK,
        struct.pack("=BxHlLL", 0, 0, 0, 0, 0)
        + struct.pack("=HH", 8 + 12, 18)
        + struct.pack("=HH6sxx", 10, 1, b"dummy\0")
        + struct.pack("=HH", 4, 2),
    )
)
attempt("tunnel", os.open, "/dev/net/tun", os.O_RDWR)
