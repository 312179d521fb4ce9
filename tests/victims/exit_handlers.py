"""Refuses to end: loops in its exit handlers, and in its handler of SIGTERM (T041)."""

import atexit
import signal


def stay(*_):
    while True:
        pass


signal.signal(signal.SIGTERM, stay)
signal.signal(signal.SIGINT, stay)
atexit.register(stay)
print("attempt main: ok", flush=True)
