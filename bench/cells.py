"""What a cell costs: one program bare, in a belljar cell, under bubblewrap and under crun.

Every way is measured from spawn to exit of the whole command, side by side: each round runs every
way once, in an order of its own, so that a slow moment of the machine falls on all of them alike.
Nothing is kept warm between two runs. Prints a Markdown table.
"""

import argparse
import ctypes
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

from shared.host import print_host

PYTHON = "/usr/bin/python3"
TRUE = "/bin/true"
WARM_UP = 3  # rounds that fill caches and are not counted
HELLO = 'print("Hello")\n'
# A runtime whose program is the file's content to nobody: it always runs /bin/true.
TRUE_RUNTIME = """
name = "true"
title = "true"
extensions = [".true"]
package = "coreutils"
version = ["{tool}", "--version"]
[programs]
tool = ["/bin/true"]
[run]
argv = ["{tool}", "{args}"]
[hello]
file = "hello.true"
source = '''
anything
'''
"""
HOST_FOLDERS = ("usr", "etc")
HOST_LINKS = ("bin", "sbin", "lib", "lib64")


def bubblewrap(scratch, argv):
    command = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
    for name in HOST_FOLDERS:
        command += ["--ro-bind", f"/{name}", f"/{name}"]
    for name in HOST_LINKS:
        command += ["--symlink", f"usr/{name}", f"/{name}"]
    command += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
    command += ["--ro-bind", str(scratch / "box"), "/box", "--chdir", "/box", "--", *argv]
    return command


def crun(scratch, name, argv):
    """crun on an OCI bundle of its own; a cgroup manager it does not need here is off."""
    bundle = scratch / f"crun-{name}"
    (bundle / "rootfs").mkdir(parents=True)
    subprocess.run(["crun", "spec"], cwd=bundle, check=True, stdin=subprocess.DEVNULL)
    config = json.loads((bundle / "config.json").read_text())
    for link in HOST_LINKS:
        (bundle / "rootfs" / link).symlink_to(f"usr/{link}")
    for folder in ("proc", "dev", "sys", "tmp", "box", *HOST_FOLDERS):
        (bundle / "rootfs" / folder).mkdir()
    config["process"].update(terminal=False, args=argv, cwd="/box")
    for kind in ("bounding", "effective", "permitted"):
        config["process"]["capabilities"][kind] = []
    config["mounts"] = [
        mount for mount in config["mounts"] if mount["destination"] != "/sys/fs/cgroup"
    ]
    binds = {f"/{folder}": f"/{folder}" for folder in HOST_FOLDERS} | {"/box": str(scratch / "box")}
    for target, source in binds.items():
        config["mounts"].append(
            {"destination": target, "source": source, "type": "bind", "options": ["rbind", "ro"]}
        )
    (bundle / "config.json").write_text(json.dumps(config))
    root = scratch / "crun-state"
    prefix = ["crun", f"--root={root}", "--cgroup-manager=disabled", "run", f"--bundle={bundle}"]
    counter = iter(range(10**9))
    return lambda: [*prefix, f"bench-{os.getpid()}-{name}-{next(counter)}"]


class Spawner:
    """A process that spawns commands and times them; one may live in a mount namespace of its own."""

    def __init__(self, prepare=None):
        self.trouble = None
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._requests)
            os.close(self._answers)
            self._serve(os.fdopen(requests), os.fdopen(answers, "w"), prepare)
            os._exit(0)
        os.close(requests)
        os.close(answers)
        self._requests = os.fdopen(self._requests, "w")
        self._answers = os.fdopen(self._answers)
        self.trouble = json.loads(self._answers.readline())

    @staticmethod
    def _serve(requests, answers, prepare):
        trouble = None
        try:
            if prepare:
                prepare()
        except (OSError, subprocess.CalledProcessError) as error:
            trouble = str(error)
        print(json.dumps(trouble), file=answers, flush=True)
        null = os.open("/dev/null", os.O_RDWR)
        while argv := json.loads(requests.readline() or "null"):
            print(json.dumps(elapsed(argv, null)), file=answers, flush=True)

    def time(self, argv):
        """Milliseconds from spawn to exit, exit code, and the first error line of a failed run."""
        print(json.dumps(argv), file=self._requests, flush=True)
        return json.loads(self._answers.readline())

    def close(self):
        # Said, not shown by closing: a later spawner has a copy of this pipe's end.
        print("null", file=self._requests, flush=True)
        os.waitpid(self.pid, 0)


def elapsed(argv, null):
    errors, into = os.pipe()
    files = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1)]
    files.append((os.POSIX_SPAWN_DUP2, into, 2))
    start = time.perf_counter_ns()
    child = os.posix_spawn(argv[0], argv, os.environ, file_actions=files)
    status = os.waitpid(child, 0)[1]
    took = time.perf_counter_ns() - start
    os.close(into)
    with os.fdopen(errors) as pipe:
        said = pipe.read().strip().splitlines()
    return took / 1e6, os.waitstatus_to_exitcode(status), said[-1] if said else ""


def hide_unified_cgroup():
    """crun refuses a hybrid host before it reads its flags: show it the v1 tree alone."""
    clone_newns = 0x00020000
    if ctypes.CDLL(None, use_errno=True).unshare(clone_newns) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["umount", "/sys/fs/cgroup/unified"], check=True)


def which(argv):
    for folder in os.environ["PATH"].split(":"):
        path = os.path.join(folder, argv[0])
        if os.access(path, os.X_OK):
            return [path, *argv[1:]]
    return argv


class Way:
    def __init__(self, name, argv, spawner):
        self.name = name
        self.argv = argv if callable(argv) else lambda: argv
        self.spawner = spawner
        self.times = []
        self.trouble = spawner.trouble

    def run(self):
        """A way that does not work is said and left out."""
        if self.trouble is not None:
            return
        took, code, said = self.spawner.time(which(self.argv()))
        if code == 0:
            self.times.append(took)
        else:
            self.trouble = f"exit {code}: {said[:120]}"


def ways_of(scratch, belljar, program, spawner, crun_spawner):
    box = scratch / "box"
    if program == "true":
        argv, mine = [TRUE], ["--runtimes", str(scratch / "runtimes"), str(scratch / "a.true")]
    else:
        argv, mine = [PYTHON, "hello.py"], [str(box / "hello.py")]
    bare = [TRUE] if program == "true" else [PYTHON, str(box / "hello.py")]
    return [
        Way("bare", bare, spawner),
        Way("belljar, cold", [belljar, "run", *mine], spawner),
        Way("bubblewrap", bubblewrap(scratch, argv), spawner),
        Way("crun", crun(scratch, program, argv), crun_spawner),
    ]


def measure(ways, rounds, shuffle):
    for _ in range(rounds + WARM_UP):
        for way in shuffle.sample(ways, len(ways)):
            way.run()
    for way in ways:
        del way.times[:WARM_UP]


def table(program, ways):
    bare = statistics.median(ways[0].times)
    wrap = next((way for way in ways if way.name == "bubblewrap" and way.times), None)
    wrapped = statistics.median(wrap.times) - bare if wrap else None
    print(f"\n### {program}\n")
    print("| way | median ms | p10 | p90 | ratio to bare | added ms | added, to bubblewrap's |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for way in ways:
        if way.trouble or not way.times:
            print(f"| {way.name} | did not run: {way.trouble} | | | | | |")
            continue
        median = statistics.median(way.times)
        deciles = statistics.quantiles(way.times, n=10)
        added = median - bare
        share = f"{added / wrapped:.2f}×" if wrapped and way is not ways[0] else ""
        print(
            f"| {way.name} | {median:.2f} | {deciles[0]:.2f} | {deciles[-1]:.2f} "
            f"| {median / bare:.2f}× | {added:.2f} | {share} |"
        )


def print_tools():
    for tool in ("bwrap", "crun"):
        version = subprocess.run([tool, "--version"], capture_output=True, text=True, check=False)
        print(version.stdout.splitlines()[0])


def main():
    parser = argparse.ArgumentParser(prog="./dev bench cells", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    belljar = os.environ["BELLJAR"]
    with tempfile.TemporaryDirectory(prefix="belljar-bench-") as folder:
        scratch = pathlib.Path(folder)
        scratch.chmod(0o755)
        for name in ("box", "runtimes"):
            (scratch / name).mkdir()
        (scratch / "box/hello.py").write_text(HELLO)
        (scratch / "a.true").write_text("")
        (scratch / "runtimes/true.toml").write_text(TRUE_RUNTIME)
        hybrid = os.path.ismount("/sys/fs/cgroup/unified")
        spawner, crun_spawner = Spawner(), Spawner(hide_unified_cgroup if hybrid else None)
        print_host(belljar, scratch / "box/hello.py")
        print_tools()
        for program, title in (("true", "/bin/true"), ("python", "Python hello")):
            ways = ways_of(scratch, belljar, program, spawner, crun_spawner)
            measure(ways, options.rounds, random.Random(options.seed))
            table(title, ways)
        for each in (spawner, crun_spawner):
            each.close()
    print(f"\n{options.rounds} rounds, interleaved in shuffled order; times of the whole command")
    return 0


if __name__ == "__main__":
    sys.exit(main())
