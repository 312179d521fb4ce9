"""Runs `belljar run` as a person would, and keeps what it said and what it cost this host."""

import contextlib
import json
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import tempfile
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parent.parent
ROOT = TESTS.parent
VICTIMS = TESTS / "victims"
HELPERS = {".c": "attempt.h", ".py": "attempt.py"}
WARM = os.environ.get("BELLJAR_TEST_WARM") == "1"  # every run begins in a cell that waited
MARK = "BELLJAR_TEST_MARK"  # stands in the environment of everything that a test starts


def binary():
    return os.environ.get("BELLJAR") or str(ROOT / "build" / "release" / "belljar")


class Run:
    """One invocation that has ended. `outcome` is None where standard output was not one object."""

    def __init__(self, argv, code, out, err, peak, timed_out):
        self.argv = argv
        self.code = code
        self.out = out
        self.err = err
        self.peak = peak  # most bytes that Belljar's own processes held at once on the host's side
        self.timed_out = timed_out
        try:
            self.outcome = json.loads(out.decode())
        except (UnicodeDecodeError, json.JSONDecodeError):
            self.outcome = None
        if not isinstance(self.outcome, dict):
            self.outcome = None

    @property
    def stage(self):
        """The last stage, which is the one that decided, or an empty one."""
        stages = (self.outcome or {}).get("stages") or [{}]
        return stages[-1]

    def text(self, stream="stdout"):
        return self.stage.get(stream, {}).get("text", "")

    def describe(self):
        """What a person needs to see of a run that went wrong."""
        shown = " ".join(self.argv)
        return (
            f"$ {shown}\nexit code {self.code}{', DID NOT RETURN' if self.timed_out else ''}\n"
            f"--- stdout\n{shorten(self.out)}\n--- stderr\n{shorten(self.err)}"
        )


def shorten(data, most=6000):
    text = data.decode(errors="backslashreplace")
    return text if len(text) <= most else f"{text[: most // 2]}\n…\n{text[-most // 2 :]}"


class MemoryWatch(threading.Thread):
    """Follows the most memory that a process and its descendants of the same program held at once.

    Pages of files are left out: each process maps the same ones of the program. VmHWM only grows, so
    that a look now and then, the last one shortly before the end, is enough. Processes that never
    lived together, as those of two stages, are never added up. What runs inside a cell is not of the
    same program file and is not counted.
    """

    def __init__(self, pid):
        super().__init__(daemon=True)
        self._pid = pid
        self._peak = 0
        self._over = threading.Event()

    def run(self):
        while not self._over.wait(0.02):
            self._peak = max(self._peak, self._look(self._pid))

    def _look(self, pid):
        try:
            program = os.readlink(f"/proc/{pid}/exe")
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return 0
        kibibytes = dict(re.findall(r"^(VmHWM|RssFile):\s+(\d+) kB", status, re.MULTILINE))
        if not os.path.basename(program).startswith("belljar") or "VmHWM" not in kibibytes:
            return 0
        own = (int(kibibytes["VmHWM"]) - int(kibibytes["RssFile"])) * 1024
        return own + sum(self._look(int(child)) for child in children)

    def finish(self):
        self._over.set()
        self.join()
        return self._peak


def ordinary_user():
    """The ordinary user for whom Belljar is run, where BELLJAR_TEST_USER names one; else None."""
    name = os.environ.get("BELLJAR_TEST_USER")
    return pwd.getpwnam(name) if name and os.geteuid() == 0 else None


def as_user(argv):
    user = ordinary_user()
    if user is None:
        return argv
    return [
        "setpriv",
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--init-groups",
        "--",
        *argv,
    ]


@contextlib.contextmanager
def scratch_folder(prefix):
    """A folder for runs, which goes away again; the user of the run may write to it."""
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        place = pathlib.Path(name)
        give_to_user(place)
        yield place


def give_to_user(place):
    user = ordinary_user()
    place.chmod(0o755)
    if user is not None:
        os.chown(place, user.pw_uid, user.pw_gid)


def environment(extra=None):
    user = ordinary_user()
    home = os.environ.get("HOME", "/") if user is None else user.pw_dir
    variables = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TERM": "xterm",
        "HOME": home,
        # Nothing outside of a test's own folders, and no compiler at work beside what is tested.
        "BELLJAR_HEADERS": "none",
    }
    for name in ("TMPDIR", "XDG_RUNTIME_DIR"):
        if name in os.environ:
            variables[name] = os.environ[name]
    return {**variables, MARK: str(os.getpid()), **(extra or {})}


class Wanted:
    """The words of one `belljar run`, from a case's row."""

    def __init__(
        self,
        victim,
        *,
        language=None,
        policy=None,
        limits="",
        args=(),
        files=(),
        artifacts=(),
        require=None,
        runtimes=None,
        env=(),
        source=None,
        options=(),
    ):
        self.victim = victim
        self.language = language
        self.policy = policy  # a built-in name, or the text of a policy file
        self.limits = limits
        self.args = list(args)
        self.files = list(files)
        self.artifacts = list(artifacts)
        self.require = require
        self.runtimes = runtimes  # the text of a manifest per file name
        self.env = list(env)
        self.source = source  # the victim's text where it is made for this run
        self.options = list(options)

    def argv(self, folder, json_wanted=True):
        words = [binary(), "run", *(["--warm"] if WARM else [])]
        if json_wanted:
            words.append("--json")
        if self.language:
            words += ["--language", self.language]
        if self.policy:
            words += ["--policy", self._policy(folder)]
        if self.limits:
            words += ["--limit", self.limits]
        if self.require:
            words += ["--require", self.require]
        if self.runtimes:
            place = folder / "runtimes"
            place.mkdir()
            for name, text in self.runtimes.items():
                (place / name).write_text(text)
            words += ["--runtimes", str(place)]
        for variable in self.env:
            words += ["--env", variable]
        for glob in self.artifacts:
            words += ["--artifact", glob]
        if self.artifacts:
            words += ["--artifacts-dir", str(folder / "artifacts")]
        victim, helper = self._victim(folder)
        for file in [*helper, *self.files]:
            words += ["--file", str(file)]
        words += [*self.options, str(victim)]
        return words + (["--", *self.args] if self.args else [])

    def _policy(self, folder):
        if "\n" not in self.policy:
            return self.policy
        path = folder / "control.toml"
        path.write_text(self.policy)
        return str(path)

    def _victim(self, folder):
        path = VICTIMS / self.victim
        if self.source is not None:
            path = folder / pathlib.Path(self.victim).name
            path.write_text(self.source)
        helper = HELPERS.get(path.suffix)
        uses = helper and helper.removesuffix(".py") in path.read_text(errors="replace")
        return path, [VICTIMS / helper] if uses else []


def run(wanted, folder, *, stdin=b"", timeout=60, env=None, pass_fds=(), json_wanted=True):
    """`stdin`: bytes, a descriptor, or None for a pipe that is held open and never written to."""
    folder = pathlib.Path(folder)
    give_to_user(folder)
    argv = as_user(wanted.argv(folder, json_wanted))
    held = None
    if stdin is None:
        source, held = os.pipe()
    elif isinstance(stdin, bytes):
        source = os.memfd_create("stdin", os.MFD_CLOEXEC)
        with open(os.dup(source), "wb") as file:
            file.write(stdin)
        os.lseek(source, 0, os.SEEK_SET)
    else:
        source = os.dup(stdin)
    try:
        with tempfile.TemporaryFile(dir=folder) as out, tempfile.TemporaryFile(dir=folder) as err:
            child = subprocess.Popen(
                argv,
                stdin=source,
                stdout=out,
                stderr=err,
                cwd=folder,
                env=environment(env),
                pass_fds=pass_fds,
            )
            watch = MemoryWatch(child.pid)
            watch.start()
            timed_out = False
            try:
                child.wait(timeout)
            except subprocess.TimeoutExpired:
                timed_out = True
                child.kill()
                child.wait()
            peak = watch.finish()
            out.seek(0)
            err.seek(0)
            return Run(argv, child.returncode, out.read(), err.read(), peak, timed_out)
    finally:
        os.close(source)
        if held is not None:
            os.close(held)


def start(wanted, folder, *, stdin=subprocess.PIPE, env=None, json_wanted=True):
    """For two cells at once: the started process, with pipes. The caller waits for it."""
    folder = pathlib.Path(folder)
    give_to_user(folder)
    return subprocess.Popen(
        as_user(wanted.argv(folder, json_wanted)),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=environment(env),
    )


def finish(child, timeout=60):
    """Waits for what start() gave, and answers with its Run."""
    try:
        out, err = child.communicate(timeout=timeout)
        return Run(child.args, child.returncode, out, err, 0, False)
    except subprocess.TimeoutExpired:
        child.kill()
        out, err = child.communicate()
        return Run(child.args, child.returncode, out, err, 0, True)


def wait_until(condition, what, patience=20.0):
    """The first true answer of `condition`, which is asked again and again."""
    deadline = time.monotonic() + patience
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() >= deadline:
            raise AssertionError(f"waited {patience} s in vain for {what}")
        time.sleep(0.01)


def has_tool(name):
    return shutil.which(name, path="/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin") is not None
