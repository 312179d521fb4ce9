"""A server of a test's own, of a program that is not Belljar's: `with` ends it."""

import signal
import subprocess

from support.client import PATIENCE


class Server:
    """Who makes one starts `process`."""

    END = signal.SIGTERM  # what it ends well by

    def stop(self, how=None):
        self.process.send_signal(how or self.END)
        self.process.wait(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is not None:
            return
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.stop(signal.SIGKILL)  # its own trouble, but nothing stays behind
