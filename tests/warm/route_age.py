"""Tells its network namespace's cookie, and how long ago the kernel says that a route of IPv4 was used first, in
hundredths of a second. A program: with `look` of one that it has not used itself, with `use` of one that it has."""

import os
import socket
import struct
import sys
import time

SO_NETNS_COOKIE = 71  # socket(7), kernel 5.14
RTM_GETROUTE, NLM_F_REQUEST = 26, 1  # rtnetlink(7)
RTA_DST, RTA_CACHEINFO = 1, 12
ADDRESSES = ("127.0.0.1", "127.255.255.255")


def age(address):
    wish = struct.pack("=BBBBBBBBI", socket.AF_INET, 32, 0, 0, 0, 0, 0, 0, 0)
    wish += struct.pack("=HH", 8, RTA_DST) + socket.inet_aton(address)
    head = struct.pack("=IHHII", 16 + len(wish), RTM_GETROUTE, NLM_F_REQUEST, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        kernel.send(head + wish)
        answer = kernel.recv(1 << 16)
    at = 16 + 12  # nlmsghdr, rtmsg
    while at < len(answer):
        size, kind = struct.unpack_from("=HH", answer, at)
        if kind == RTA_CACHEINFO:
            return struct.unpack_from("=II", answer, at + 4)[1]  # rta_lastuse
        at += (size + 3) & ~3
    raise SystemExit("the kernel did not tell")


def on_each_processor(what):
    """The kernel keeps routes for each."""
    found = []
    for processor in os.sched_getaffinity(0):
        os.sched_setaffinity(0, [processor])
        found += [what(address) for address in ADDRESSES]
    return found


def use(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        datagrams.connect((address, 9))


all_processors = os.sched_getaffinity(0)
if sys.argv[1] == "use":
    on_each_processor(use)
    os.sched_setaffinity(0, all_processors)
    time.sleep(0.3)
with socket.socket(socket.AF_UNIX) as any_socket:
    cookie = any_socket.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8)
print(int.from_bytes(cookie, "little"), max(on_each_processor(age)))
time.sleep(0.2)  # a socket of netlink is freed late, and counts until then
