"""Opens its own stdin for writing and its own stdout for reading, by way of /proc (T058, T059)."""

import os
import threading

from attempt import attempt, say


def steal(descriptor):
    try:
        while True:
            os.read(descriptor, 65536)
    except BlockingIOError:
        pass


attempt("write stdin", os.open, "/proc/self/fd/0", os.O_WRONLY | os.O_NONBLOCK)
attempt("write stdin by truncation", os.truncate, "/proc/self/fd/0", 0)
reader = attempt("read stdout", os.open, "/proc/self/fd/1", os.O_RDONLY | os.O_NONBLOCK)
if reader is not None:
    # Steals what the supervisor has not read yet: the loss is the program's own.
    threading.Thread(target=steal, args=(reader,), daemon=True).start()
say("attempt go on: ok")
os._exit(0)
