"""What a cell costs: one program bare, in a belljar cell, under bubblewrap and under crun.

Every way is measured from spawn to exit of the whole command, side by side: each round runs every
way once, in an order of its own, so that a slow moment of the machine falls on all of them alike.
Nothing is kept warm between two runs. Prints a Markdown table.
"""

import argparse
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

from shared.host import print_host
from shared.peers import Spawner, bubblewrap, hide_unified_cgroup, oci_runtime, which

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
        took, code, said, _ = self.spawner.time(which(self.argv()))
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
        Way("crun", oci_runtime("crun", scratch, program, argv), crun_spawner),
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
