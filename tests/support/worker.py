"""A `belljar worker` of one's own: its processes, its log."""

import json
import pathlib
import signal
import subprocess

from support.client import PATIENCE
from support.command import as_user, binary, environment, give_to_user, wait_until
from support.process import Process


class LiveWorker:
    """Started when it is made, and there when it says so."""

    def __init__(self, folder, fleet, *options, capacity=2, pool=2, ready=True):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        give_to_user(self.folder)
        self.log_file = self.folder / "worker.log"
        words = [
            "worker", "--fleet", fleet, "--state-dir", str(self.folder / "state"), "--concurrent", str(capacity),
            "--pool", str(pool), "--headers", "none", *map(str, options),
        ]  # fmt: skip
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                as_user([binary(), *words]), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment()
            )
        if not ready:
            return
        try:
            wait_until(lambda: self.has_ended or self.logged("ready"), "the worker to start", PATIENCE)
            assert not self.has_ended, self.log
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise

    @property
    def has_ended(self):
        return self.process.poll() is not None

    @property
    def log(self):
        return self.log_file.read_text(errors="backslashreplace")

    def logged(self, name):
        return [event for event in map(json.loads, self.log.splitlines()) if event["event"] == name]

    @property
    def member(self):
        """The process that takes runs."""
        (found,) = [each for each in Process(self.process.pid).children() if each.words()[1] == b"fleet-worker"]
        return found

    def kill(self):
        """All of it at once, as a machine that loses its power: nobody tells anybody."""
        member = self.member
        self.process.kill()
        member.kill()
        self.process.wait(PATIENCE)

    def stop(self):
        """As an administrator would; answers with the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)
