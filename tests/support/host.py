"""Where a server of a test's own is: on loopback, or on a host of support.network."""

import contextlib


class Host:
    def __init__(self, address, inside=contextlib.nullcontext):
        self.address = address
        self.inside = inside  # a thread that is there starts and reaches what is there


LOOPBACK = Host("127.0.0.1")
