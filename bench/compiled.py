"""What compiling costs: C++ programs seen first and seen again, beside bare g++ and run.

Every way starts from source and ends with the program's output. Rounds are interleaved: each does
every program every way, in an order of its own, so that a slow moment of the machine falls on all
alike. A program seen first has a comment that no other has. Headers are precompiled before the
first round, and how long that takes is said. Prints a Markdown table.
"""

import argparse
import itertools
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests"))

from shared.host import print_host
from support.service import LiveService

GXX = "/usr/bin/g++"
# Those of runtimes/cpp.toml, but for what is Belljar's own: its linker and its headers.
FLAGS = ["-std=gnu++20", "-O2", "-pipe", "-pthread"]
WARM_UP = 1  # rounds that fill caches and are not counted
MS = 1e3
PROGRAMS = {
    "a+b": (
        "#include <bits/stdc++.h>\nusing namespace std;\n"
        "int main() { long a, b; cin >> a >> b; cout << a + b << endl; }\n",
        "3 4\n",
        "7\n",
    ),
    "sort and map": (
        "#include <bits/stdc++.h>\nusing namespace std;\n"
        "int main() { int n; cin >> n; vector<int> v(n); map<string, int> m;\n"
        "for (auto& x : v) { cin >> x; m[to_string(x % 3)]++; }\n"
        "sort(v.begin(), v.end()); for (auto x : v) cout << x << ' ';\n"
        "for (auto& [k, c] : m) cout << k << ':' << c << '\\n'; }\n",
        "3 5 4 1\n",
        "1 4 5 1:2\n2:1\n",
    ),
    "iostream": (
        '#include <iostream>\nint main() { std::cout << "hello\\n"; }\n',
        "",
        "hello\n",
    ),
}
AIMS = {("a+b", "CLI, first"): 0.25, ("a+b", "service, first"): 0.25,
        ("sort and map", "CLI, first"): 0.35, ("sort and map", "service, first"): 0.35,
        ("a+b", "service, again"): 0.005, ("sort and map", "service, again"): 0.005}  # fmt: skip
fresh = itertools.count()


def unseen(source):
    return source + f"// {os.getpid()} {next(fresh)}\n"


class Bare:
    """g++ and the program, by no shell, in a folder of their own."""

    def __init__(self, scratch):
        self._folder = scratch / "bare"
        self._folder.mkdir()

    def __call__(self, source, stdin, expected):
        (self._folder / "main.cpp").write_text(source)
        began = time.perf_counter()
        subprocess.run([GXX, *FLAGS, "-o", "a.out", "main.cpp"], cwd=self._folder, check=True)
        done = subprocess.run([self._folder / "a.out"], input=stdin, capture_output=True, text=True, check=True)
        return time.perf_counter() - began, done.stdout == expected


class CommandLine:
    def __init__(self, scratch, headers):
        self._file = scratch / "main.cpp"
        self._environment = {**os.environ, "BELLJAR_HEADERS": str(headers)}

    def __call__(self, source, stdin, expected):
        self._file.write_text(source)
        began = time.perf_counter()
        done = subprocess.run(
            [os.environ["BELLJAR"], "run", self._file],
            input=stdin, capture_output=True, text=True, check=True, env=self._environment,
        )  # fmt: skip
        return time.perf_counter() - began, done.stdout == expected


class Service:
    def __init__(self, live):
        self._client = live.client()

    def __call__(self, source, stdin, expected):
        body = {"language": "cpp", "source": source, "stdin": stdin}
        began = time.perf_counter()
        answer = self._client.call("POST", "/v1/runs?wait=1", body)
        took = time.perf_counter() - began
        stages = answer.json["outcome"]["stages"]
        self.cached = stages[0]["cached"]
        return took, stages[-1]["stdout"]["text"] == expected


class Again:
    """The same source each time; the first time is in the round that is not counted."""

    def __init__(self, service):
        self._service = service
        self._seen = set()

    def __call__(self, source, stdin, expected):
        same = source[: source.rindex("//")]
        took, good = self._service(same, stdin, expected)
        good = good and self._service.cached == (same in self._seen)
        self._seen.add(same)
        return took, good


def table(times, rounds):
    print("\n| program | way | median ms | min–max | to bare, median | min–max | aim |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for program in PROGRAMS:
        for way in times[program]:
            taken = times[program][way]
            # Within one round, so that a slow moment counts on both sides.
            ratios = [ours / bare for ours, bare in zip(taken, times[program]["bare g++"], strict=True)]
            aim = AIMS.get((program, way))
            print(
                f"| {program} | {way} | {statistics.median(taken) * MS:.1f} "
                f"| {min(taken) * MS:.1f}–{max(taken) * MS:.1f} | {statistics.median(ratios):.4f} "
                f"| {min(ratios):.4f}–{max(ratios):.4f} | {'' if aim is None else f'≤ {aim}'} |"
            )
    print(f"\n{rounds} rounds after {WARM_UP} that is not counted.")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench compiled", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sync", choices=("full", "normal"), default="full", help="of the ledger")
    options = parser.parse_args()
    shuffle = random.Random(options.seed)
    # Not in /tmp, which no cell can show.
    with tempfile.TemporaryDirectory(prefix="belljar-bench-", dir="/var/tmp") as folder:
        scratch = pathlib.Path(folder)
        scratch.chmod(0o755)
        (scratch / "hello.cpp").write_text(PROGRAMS["iostream"][0])
        print_host(os.environ["BELLJAR"], scratch / "hello.cpp")
        headers = scratch / "headers"
        began = time.perf_counter()
        subprocess.run([os.environ["BELLJAR"], "prepare", "--headers", headers], check=True)
        size = sum(path.stat().st_size for path in headers.rglob("*.gch"))
        print(f"headers precompiled in {time.perf_counter() - began:.1f} s, {size / 1e6:.0f} MB", end="; ")
        linkers = [name for name in ("mold", "lld", "gold") if shutil.which(f"ld.{name}", path="/usr/bin")]
        print(f"linkers: {', '.join(linkers) or 'only the own'}; ledger with sync {options.sync}")
        with LiveService(scratch / "service", "--sync", options.sync, "--headers", headers) as live:
            service = Service(live)
            ways = {
                "bare g++": Bare(scratch),
                "CLI, no headers": CommandLine(scratch, "none"),
                "CLI, first": CommandLine(scratch, headers),
                "service, first": service,
                "service, again": Again(service),
            }
            times = {program: {way: [] for way in ways} for program in PROGRAMS}
            pairs = [(program, way) for program in PROGRAMS for way in ways]
            for number in range(options.rounds + WARM_UP):
                for program, way in shuffle.sample(pairs, len(pairs)):
                    source, stdin, expected = PROGRAMS[program]
                    took, good = ways[way](unseen(source), stdin, expected)
                    if not good:
                        raise SystemExit(f"{program}, {way}: not the expected output")
                    if number >= WARM_UP:
                        times[program][way].append(took)
    table(times, options.rounds)


if __name__ == "__main__":
    main()
