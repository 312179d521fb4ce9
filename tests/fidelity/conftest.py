"""One place to run a program in a cell and, the same way, outside of any."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PYTHON = "/usr/bin/python3"
NOBODY = 65534


WARM = os.environ.get("BELLJAR_TEST_WARM") == "1"  # every run begins in an interpreter that waited


def belljar():
    return os.environ.get("BELLJAR") or str(ROOT / "build/release/belljar")


def in_cell(program, *arguments, limits=""):
    """The outcome of `belljar run --json`, parsed."""
    command = [belljar(), "run", "--json", *(["--warm"] if WARM else [])]
    if limits:
        command += ["--limit", limits]
    done = subprocess.run(
        [*command, str(program), "--", *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.startswith("{"), f"exit {done.returncode}: {done.stderr}"
    return json.loads(done.stdout)


def bare(program, *arguments, deadline):
    """What a program prints outside, as an ordinary user in a folder of its own."""
    # Not under pytest's own folder, which every other pytest that starts closes to this user.
    with tempfile.TemporaryDirectory(prefix="fidelity-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        home = pathlib.Path(folder, "home")
        (home / "tmp").mkdir(parents=True)
        shutil.copy(program, home)
        command = [PYTHON, str(home / pathlib.Path(program).name), *arguments]
        if os.geteuid() == 0:
            for path in (home, home / "tmp"):
                os.chown(path, NOBODY, NOBODY)
            command = [
                "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", *command,
            ]  # fmt: skip
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home), "TMPDIR": str(home / "tmp"),
            "LANG": "C.UTF-8", "USER": "nobody", "TZ": "UTC",
        }  # fmt: skip
        done = subprocess.run(
            # Some tests look at how many descriptors they may open: as many as in a cell.
            ["prlimit", "--nofile=1024:1024", *command],
            cwd=home, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=deadline, check=False,
        )  # fmt: skip
        return done.stdout


class Aside(threading.Thread):
    """A call on a thread of its own; result() waits and hands on what it raised."""

    def __init__(self, call):
        super().__init__()
        self._call = call
        self._result = self._error = None
        self.start()

    def run(self):
        try:
            self._result = self._call()
        except BaseException as error:  # noqa: BLE001: handed on
            self._error = error

    def result(self):
        self.join()
        if self._error:
            raise self._error
        return self._result
