"""What waiting cells are worth: one table per question, everything measured side by side in one run.

A round runs every way to do a thing, in an order of its own, so that a slow moment of the machine
falls on all alike. Figures are ratios to a bare process of the same run; the unit is said above each
table. Nothing here passes or fails by how long it took.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import datetime
import functools
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from containers.daemon import Unavailable, docker
from shared.figures import Plot, markdown_table, percentile, ratio, spread
from shared.host import print_host
from shared.load import HELLO, MS, PYTHON, SAID, Bare, Block, Connection, Row, Service, cost_of, request_of
from shared.memory import held_by_host, parked_interpreters, per_cell
from shared.peers import Spawner, bubblewrap, hide_unified_cgroup, oci_runtime, which
from support.service import LiveService

AT_ONCE = (1, 2, 4, 8, 32)
WARM_UP = 2  # rounds that fill caches and are not counted
DRY_BURST = 6  # back to back with a pool of one; the first finds it full and is not counted
IMPORTS = "import numpy, pandas\n" + HELLO
HELLO_JS = "console.log('hello');\n"
HELLO_JAVA = 'public class Main { public static void main(String[] args) { System.out.println("hello"); } }\n'
COME_UP = {"javascript": 0.4, "java": 4.0}  # seconds in which another such interpreter has come up
REST = 0.3  # seconds after a block, for the pool to fill up
PATIENCE = 20.0  # seconds, for the pool to fill up the first time
POOLS_COMPARED = (4, 36)  # the host's memory with the one and with the other
BUSY = 0.5  # load from which the result says that the machine was not idle
BEGIN, END = "<!-- bench warm: begin -->", "<!-- bench warm: end -->"
# A runtime whose program is the file's content to nobody: it always runs the static program, which
# must be one that a cell shows, so one of the host's.
STATIC_RUNTIME = """
name = "static"
title = "static"
extensions = [".static"]
package = "busybox-static"
version = ["{tool}"]
[programs]
tool = ["/usr/bin/busybox", "/bin/busybox"]
[run]
argv = ["{tool}", "true", "{args}"]
[hello]
file = "hello.static"
source = '''
anything
'''
"""


class Way:
    """One way to do a thing: what each run took, in milliseconds, and why it does not work."""

    every = 1  # takes part in each so many-th round

    def __init__(self, name):
        self.name = name
        self.times = []
        self.spent = []  # milliseconds of CPU, where it is known
        self.failed = 0
        self.trouble = None

    def measure(self, gap):
        raise NotImplementedError

    def forget(self):
        self.times.clear()
        self.spent.clear()

    def p50(self):
        return percentile(self.times, 0.5)


class Spawned(Way):
    def __init__(self, name, argv, spawner, every=1, whole=False):
        super().__init__(name)
        self.argv = argv if callable(argv) else lambda: argv
        self.spawner = spawner
        self.every = every
        self.whole = whole  # all that it starts is waited for, so that its CPU is known
        self.trouble = spawner.trouble

    def measure(self, gap):
        time.sleep(gap)
        took, code, said, spent = self.spawner.time(which(self.argv()))
        if code != 0:
            self.trouble = f"exit {code}: {said[:120]}"
            return
        self.times.append(took)
        if self.whole:
            self.spent.append(spent)


class OverHttp(Way):
    """Runs over one kept connection: so many a round, with the gap before each or only before the first."""

    def __init__(self, name, live, body, count=1, back_to_back=False):
        super().__init__(name)
        self.live = live
        self.request = request_of(body)
        self.expected = SAID if body["language"] == "python" else b'"status":"ok"'
        self.count = count
        self.back_to_back = back_to_back
        self.starts = collections.Counter()
        self.phases = collections.defaultdict(list)

    @functools.cached_property
    def connection(self):
        """Made when it is used: the service closes one on which nothing is asked for."""
        return Connection(self.live.port)

    def one(self):
        took, answer = self.connection.call(self.request)
        run = json.loads(answer)
        if not run.get("outcome", {}).get("stages"):
            raise RuntimeError(f"{self.name}: {answer[:500]!r}")
        return took * MS, self.expected in answer, run["outcome"]["stages"][-1]

    def measure(self, gap):
        for number in range(self.count):
            if number == 0 or not self.back_to_back:
                time.sleep(gap)
            took, good, stage = self.one()
            self.failed += not good
            if self.back_to_back and number == 0:
                continue
            self.times.append(took)
            self.starts[stage["start"]] += 1
            for name, spent in stage["phases"].items():
                self.phases[name.removesuffix("_ms")].append(spent)

    def forget(self):
        super().forget()
        self.starts.clear()
        self.phases.clear()

    def wait_until(self, start):
        """Runs until one starts so; a host that cannot start so stays as it is."""
        deadline = time.monotonic() + PATIENCE
        while self.one()[2]["start"] != start and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(2 * REST)

    def how(self):
        return ", ".join(f"{start} {count}" for start, count in self.starts.most_common())


class Rested(OverHttp):
    """Runs whose interpreter takes its time to come up: quiet before each, as long as that. Each is of a
    source that was never seen before, so that nothing compiled comes from a cache."""

    def __init__(self, name, live, body):
        super().__init__(name, live, body)
        self.body = body
        self.seen = 0

    def measure(self, gap):
        self.seen += 1
        # The service closes a connection that says nothing for longer than these rests together.
        self.connection.close()
        self.connection = Connection(self.live.port)
        self.request = request_of({**self.body, "source": f"{self.body['source']}// {self.seen}\n"})
        super().measure(COME_UP[self.body["language"]])


class ForkExec(Way):
    """The static program, started by another small one: fork, exec, wait."""

    def __init__(self, starter, argv):
        super().__init__("bare fork, exec, wait")
        self.command = [starter, "5", *argv]

    def measure(self, gap):
        time.sleep(gap)
        done = subprocess.run(self.command, capture_output=True, text=True, check=True)
        self.times += [int(line) / 1e6 for line in done.stdout.split()]


def measure(ways, seconds, gap, shuffle):
    """Rounds until the time is over; returns how many were counted."""
    rounds = -WARM_UP
    deadline = None
    while deadline is None or time.monotonic() < deadline:
        for way in shuffle.sample(ways, len(ways)):
            if way.trouble is None and (rounds < 0 or rounds % way.every == 0):
                way.measure(gap)
        rounds += 1
        if rounds == 0:
            for way in ways:
                way.forget()
            deadline = time.monotonic() + seconds
    return rounds


def latency_rows(ways, unit):
    for way in ways:
        if way.trouble or not way.times:
            yield way.name, f"did not run: {way.trouble}", "", "", "", ""
            continue
        spent = ratio(statistics.median(way.spent), unit) if way.spent else "–"
        tail = ratio(percentile(way.times, 0.99), unit)
        yield way.name, len(way.times), *spread(way.times, unit).split(" | "), tail, spent


LATENCY_HEAD = ("way", "runs", "p50", "p10–p90", "p99", "CPU")


def rate_of(argv, count):
    """Commands a second, two at a time."""
    began = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for done in pool.map(lambda _: subprocess.run(argv, capture_output=True, check=False), range(count)):
            if done.returncode != 0:
                return None
    return count / (time.perf_counter() - began)


def measure_throughput(ways, seconds, shuffle):
    """Blocks of every way at every number at once, in rounds, until the time is over."""
    blocks = collections.defaultdict(list)
    pairs = [(name, count) for name in ways for count in AT_ONCE]
    rates = {}
    for name, way in ways.items():
        rates[name] = Block(way, 2, 40).rate
    rests = sum(2 * REST for name, _ in pairs if name != "bare")
    at_least = 3
    block_seconds = max(0.1, (seconds / at_least - rests) / len(pairs))
    deadline = time.monotonic() + seconds
    rounds = 0
    while rounds < at_least or time.monotonic() < deadline - seconds / at_least / 2:
        for name, count in shuffle.sample(pairs, len(pairs)):
            enough = max(2 * count, int(rates[name] * block_seconds))
            blocks[name, count].append(Block(ways[name], count, enough))
        rounds += 1
    return {key: Row(each) for key, each in blocks.items()}, rounds


def throughput_tables(rows, unit):
    """`unit`: milliseconds of one bare run at a time."""
    head = ("at once", "runs/s to bare", "slowest–fastest block", "p50 to bare", "p99 to bare", "CPU of a run to bare's")
    lines, parts = [], []
    for count in AT_ONCE:
        bare, ours = rows["bare", count], rows["belljar", count]
        cpu = bare.own + bare.cost["programs"]
        total = ours.own + ours.cost["programs"]
        lines.append(
            (count, ratio(ours.rate, bare.rate), f"{ratio(ours.slowest, bare.rate)}–{ratio(ours.fastest, bare.rate)}",
             ratio(ours.p50, bare.p50), ratio(ours.p99, bare.p99), ratio(total, cpu))
        )  # fmt: skip
        parts.append((count, *(ratio(ours.cost[name], cpu) for name in ("gateway", "warden", "zygote", "programs"))))
    yield f"Unit: bare processes, as many at once, in the same run; one at a time took {unit:.2f} ms."
    yield markdown_table(head, lines)
    yield "Where the CPU of a run goes, as a share of a bare run's CPU:"
    yield markdown_table(("at once", "gateway", "warden", "zygote", "cells"), parts)


def wait_for_cells(live, wanted):
    """How many wait with Python in them when there are so many, or when a busy machine let no more be made."""
    deadline = time.monotonic() + PATIENCE / 4
    while (cells := len(parked_interpreters(live))) < wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    return cells


def cells_cost(folder, options):
    """MiB of the host's memory for one more cell that waits; None where no cell has Python in it."""
    costs = []
    for number in range(2):
        held = {}
        for pool in POOLS_COMPARED:
            before = held_by_host()
            with LiveService(folder / f"memory-{number}-{pool}", *options, "--pool", pool) as live:
                way = OverHttp("memory", live, {"language": "python", "source": HELLO})
                way.wait_until("interpreter")
                cells = wait_for_cells(live, pool)
                if cells == 0:
                    return None
                held[pool] = (cells, held_by_host() - before)
        (few, little), (many, much) = (held[pool] for pool in POOLS_COMPARED)
        if many > few:
            costs.append((much - little) / (many - few))
    return costs or None


def measure_idle(live, seconds):
    """Each part's share of one core, while nobody asks for anything."""
    before, start = cost_of(live), time.monotonic()
    time.sleep(seconds)
    after, took = cost_of(live), time.monotonic() - start
    return {name: (after[name] - before[name]) / took for name in after}


def build_starter(folder):
    starter = folder / "fork_exec"
    source = pathlib.Path(__file__).parent / "shared/fork_exec.c"
    done = subprocess.run(["gcc", "-O2", "-static", "-o", starter, source], capture_output=True, check=False)
    return str(starter) if done.returncode == 0 else None


def has_modules():
    return subprocess.run([PYTHON, "-c", IMPORTS], capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def docker_way(spawner):
    """`docker run` of an image with the same Python; a way that says why where none can be had."""
    absent = Way("docker run")
    try:
        with contextlib.ExitStack() as stack:
            # Only the way to the daemon may be missing: what fails inside is not to be hidden.
            daemon = stack.enter_context(docker())
            daemon = stack.enter_context(daemon.with_image({"etc/passwd": pathlib.Path("/etc/passwd").read_text()}))
            client = daemon.command("run", "--rm", "--network", "none", daemon.image, "python3", "-c", HELLO)
            yield Spawned("docker run", client, spawner, every=10)
            return
    except Unavailable as error:
        absent.trouble = str(error)
    yield absent


class Report:
    def __init__(self):
        self.parts = []

    def add(self, *parts):
        self.parts += parts

    def text(self):
        return "\n\n".join(self.parts) + "\n"


def aims(found):
    """Work, aim and what was found; `found` has value, spread and the aim's limit, or why there is none."""
    for work, aim, value, around, met in found:
        yield work, aim, value, around, "–" if met is None else "yes" if met else "**no**"


class Bench:
    def __init__(self, options, scratch, stack):
        self.options = options
        self.scratch = scratch
        self.shuffle = random.Random(options.seed)
        self.stack = stack
        self.report = Report()
        self.aims = []
        (scratch / "box").mkdir()
        (scratch / "box/hello.py").write_text(HELLO + "\n")
        self.service_options = ("--sync", options.sync)

    def serve(self, name, pool, *more):
        live = LiveService(self.scratch / name, *self.service_options, "--pool", pool, *more)
        return self.stack.enter_context(live)

    def spawner(self, prepare=None):
        made = Spawner(prepare)
        self.stack.callback(made.close)
        return made

    def set_up(self):
        hello = {"language": "python", "source": HELLO}
        plain = self.spawner()
        hybrid = os.path.ismount("/sys/fs/cgroup/unified")
        oci_spawner = self.spawner(hide_unified_cgroup if hybrid else None)
        self.full = self.serve("full", self.options.pool)
        dry, cold = self.serve("dry", 1), self.serve("cold", 0)
        self.bare = Spawned("bare python3 -c", [PYTHON, "-c", HELLO], plain, whole=True)
        self.warm = OverHttp("belljar, over HTTP, pool full", self.full, hello, count=5)
        self.dry = OverHttp("belljar, over HTTP, pool dry", dry, hello, count=DRY_BURST, back_to_back=True)
        self.cold = OverHttp("belljar, over HTTP, no pool", cold, hello)
        self.warm.wait_until("interpreter")
        self.dry.wait_until("interpreter")
        self.hello_ways = [self.bare, self.warm, self.dry, self.cold]
        argv = [PYTHON, "-c", HELLO]
        self.peers = [
            Spawned("bubblewrap", bubblewrap(self.scratch, argv), plain),
            Spawned("crun", oci_runtime("crun", self.scratch, "python", argv), oci_spawner),
            Spawned("runc", oci_runtime("runc", self.scratch, "python", argv), oci_spawner, every=2),
            self.stack.enter_context(docker_way(plain)),
        ]
        self.set_up_modules(plain)
        self.set_up_static()
        self.set_up_others(plain)

    def set_up_others(self, plain):
        """By name of the work: the bare way, ours, and the aim."""
        self.others = {}
        node, javac = (os.path.realpath(shutil.which(tool) or "") for tool in ("/usr/bin/node", "/usr/bin/javac"))
        for name, source in (("hello.js", HELLO_JS), ("Main.java", HELLO_JAVA)):
            (self.scratch / name).write_text(source)
        live = self.serve("others", 4, "--prewarm", "javascript,java")
        java = f"{javac} -d {self.scratch} {self.scratch}/Main.java && exec {os.path.dirname(javac)}/java -cp {self.scratch} Main"
        for work, tool, language, source, argv, aim in (
            ("Node hello", node, "javascript", HELLO_JS, [node, str(self.scratch / "hello.js")], 0.1),
            ("Java hello from source", javac, "java", HELLO_JAVA, ["/bin/sh", "-c", java], 0.08),
        ):
            if not os.access(tool, os.X_OK) or os.path.isdir(tool):
                continue
            ours = Rested("belljar, over HTTP, pool full", live, {"language": language, "source": source})
            ours.wait_until("interpreter")
            self.others[work] = (Spawned("bare", argv, plain, whole=True), ours, aim)

    def set_up_modules(self, plain):
        self.modules = []
        if not has_modules():
            return
        imports = {"language": "python", "source": IMPORTS}
        self.modules = [
            Spawned("bare python3 -c", [PYTHON, "-c", IMPORTS], plain, every=5, whole=True),
            OverHttp("belljar, over HTTP, pool full", self.full, imports),
            OverHttp("belljar, over HTTP, no pool", self.cold.live, imports),
        ]
        self.modules[2].every = 5
        self.modules[1].wait_until("interpreter")

    def set_up_static(self):
        self.static = []
        busybox, starter = shutil.which("busybox"), build_starter(self.scratch)
        self.static_trouble = "busybox is not installed" if busybox is None else "gcc does not work here"
        if busybox is None or starter is None:
            return
        (self.scratch / "runtimes").mkdir()
        (self.scratch / "runtimes/static.toml").write_text(STATIC_RUNTIME)
        live = self.serve("static", 4, "--runtimes", self.scratch / "runtimes")
        ours = OverHttp("belljar, over HTTP, pool full", live, {"language": "static", "source": "-"})
        ours.wait_until("cell")
        self.static = [ForkExec(starter, [busybox, "true"]), ours]

    def one_at_a_time(self):
        ways = self.hello_ways + self.peers + self.modules + self.static
        rounds = measure(ways, 0.45 * self.options.seconds, self.options.gap / MS, self.shuffle)
        self.report.add(
            f"{rounds} rounds, each with every way in an order of its own; {self.options.gap:g} ms of quiet before a run, "
            "except back to back. CPU is told of bare processes here, and of ours below, under Throughput."
        )
        unit = self.bare.p50()
        self.report.add(
            "### Python hello, one at a time", f"Unit: the p50 of bare `python3 -c`, {unit:.2f} ms.",
            markdown_table(LATENCY_HEAD, latency_rows(self.hello_ways, unit)),
            f"How they started: pool full: {self.warm.how()}; pool dry: {self.dry.how()}; no pool: {self.cold.how()}. "
            "Pool dry: a pool of one, back to back, the first of each burst not counted; it may find the next cell made.",
        )  # fmt: skip
        for way, share, limit, work in (
            (self.warm, 0.5, 0.07, "Python hello over HTTP, warm, p50"),
            (self.warm, 0.99, 0.3, "the same, p99"),
            (self.dry, 0.5, 0.2, "pool dry, p50"),
        ):
            self.aim_below(work, way.times, share, unit, limit, "bare p50")
        self.report_peers(unit)
        self.report_static()
        self.report_modules()
        self.report_others()
        self.report_phases(unit)

    def aim_below(self, work, times, share, unit, limit, of):
        value = percentile(times, share)
        around = f"{ratio(percentile(times, 0.1), unit)}–{ratio(percentile(times, 0.9), unit)}"
        if share > 0.9:
            around = f"longest of {len(times)}: {ratio(max(times), unit)}"
        self.aims.append((work, f"≤ {limit:g} × {of}", ratio(value, unit), around, value <= limit * unit))

    def report_peers(self, unit):
        self.report.add(
            "### Beside other ways to wall Python in", f"Unit: the p50 of bare `python3 -c`, {unit:.2f} ms.",
            markdown_table(LATENCY_HEAD, latency_rows([self.warm, *self.peers], unit)),
            "`runc` every other round, `docker run` every tenth.",
        )  # fmt: skip
        ours = self.warm.p50()
        *light, heavy = self.peers
        for work, ways, aim in (("the best of bubblewrap, crun and runc, p50", light, 15), ("docker run, p50", [heavy], 300)):
            ran = [way for way in ways if way.times]
            if not ran:
                self.aims.append((work, f"≥ {aim} × ours", "not measured", "–", None))
                continue
            best = min(ran, key=Way.p50)
            around = f"{ratio(percentile(best.times, 0.1), ours)}–{ratio(percentile(best.times, 0.9), ours)}"
            self.aims.append((work, f"≥ {aim} × ours", ratio(best.p50(), ours), around, best.p50() >= aim * ours))

    def report_static(self):
        self.report.add("### A static program that does nothing")
        if not self.static:
            self.report.add(f"Not measured: {self.static_trouble}.")
            return
        bare, ours = self.static
        unit = bare.p50()
        added = [took - unit for took in ours.times]
        inside = [sum(each) for each in zip(*(ours.phases[name] for name in ("build", "run", "collect")))]
        rows = list(latency_rows(self.static, unit))
        for name, times in (("added over HTTP", added), ("in the cell and around it, without HTTP and ledger", inside)):
            rows.append((name, len(times), *spread(times, unit).split(" | "), ratio(percentile(times, 0.99), unit), "–"))
        self.report.add(
            f"Unit: the p50 of fork, exec and wait of `busybox true`, statically linked, {unit:.3f} ms.",
            markdown_table(LATENCY_HEAD, rows),
            f"How it started: {ours.how()}. Its runtime is the bench's own, with the same program.",
        )
        self.aim_below("static program in a ready cell, added p50", added, 0.5, unit, 1, "bare fork, exec, wait")

    def report_modules(self):
        self.report.add("### A program that imports numpy and pandas")
        if not self.modules:
            self.report.add("Not measured: the host's Python has no numpy and pandas.")
            self.aims.append(("imports numpy and pandas, warm, p50", "≤ 0.03 × bare", "not measured", "–", None))
            return
        unit = self.modules[0].p50()
        self.report.add(
            f"Unit: the p50 of the same program bare, {unit:.1f} ms.",
            markdown_table(LATENCY_HEAD, latency_rows(self.modules, unit)),
            f"How it started, pool full: {self.modules[1].how()}.",
        )
        self.aim_below("imports numpy and pandas, warm, p50", self.modules[1].times, 0.5, unit, 0.03, "bare")

    def report_others(self):
        ways = [way for bare, ours, _ in self.others.values() for way in (bare, ours)]
        rounds = measure(ways, 0.2 * self.options.seconds, self.options.gap / MS, self.shuffle) if ways else 0
        self.report.add("### Interpreters that wait whole")
        for work in ("Node hello", "Java hello from source"):
            if work not in self.others:
                self.aims.append((f"{work}, warm, p50", "–", "not measured", "–", None))
                continue
            bare, ours, aim = self.others[work]
            unit = bare.p50()
            self.report.add(
                f"{work}; {rounds} rounds. Unit: the p50 of {'`javac` and `java`' if 'Java' in work else '`node`'} bare, {unit:.1f} ms.",
                markdown_table(LATENCY_HEAD, latency_rows([bare, ours], unit)),
                f"How it started: {ours.how()}. Before each run as much quiet as another one needs to come up.",
            )
            self.aim_below(f"{work}, warm, p50", ours.times, 0.5, unit, aim, "bare")

    def report_phases(self, unit):
        names = ("queue", "build", "run", "collect", "teardown")
        rows = []
        for way in (self.warm, self.dry, self.cold, *self.static[1:]):
            name = way.name if way in self.hello_ways else "static program, pool full"
            phases = [statistics.median(way.phases[phase]) if way.phases[phase] else 0.0 for phase in names]
            rest = way.p50() - sum(phases)
            rows.append((name, *(ratio(spent, unit) for spent in (*phases, rest, way.p50()))))
        self.report.add(
            "### Phases of a run, from its outcome",
            f"Medians. Unit: the p50 of bare `python3 -c`, {unit:.2f} ms. The rest: HTTP, screening, ledger, and the client.",
            markdown_table(("way", *names, "the rest", "p50"), rows),
        )

    def throughput(self):
        ways = {"bare": Bare(), "belljar": Service(self.full, rest=REST)}
        self.rates, rounds = measure_throughput(ways, 0.35 * self.options.seconds, self.shuffle)
        unit = self.rates["bare", 1].p50
        self.report.add(
            "### Throughput", *throughput_tables(self.rates, unit),
            f"{rounds} rounds of blocks in shuffled order. Cells are made again while the block runs and after it; their "
            "CPU is counted. Gateway, warden and client share the processors with the runs.",
        )  # fmt: skip
        # Two or more at a time: the number at which it is worth least stands for all.
        least = min(AT_ONCE[1:], key=lambda count: self.rates["belljar", count].rate / self.rates["bare", count].rate)
        ours, bare = self.rates["belljar", least], self.rates["bare", least]
        self.aims.append(
            (f"Python hello over HTTP, runs/s, 2 or more at once (least: {least})", "≥ 7 × bare, as many at once", ratio(ours.rate, bare.rate),
             f"{ratio(ours.slowest, bare.rate)}–{ratio(ours.fastest, bare.rate)}", ours.rate >= 7 * bare.rate)
        )  # fmt: skip
        self.failed = sum(row.failed for row in self.rates.values())
        docker_run = self.peers[-1]
        rate = None if docker_run.trouble else rate_of(which(docker_run.argv()), 8)
        if rate is None:
            self.aims.append(("docker run, runs/s, 2 at once", "≥ 150 ×", "not measured", "–", None))
            return
        ours = self.rates["belljar", 2]
        around = f"{ratio(ours.slowest, rate)}–{ratio(ours.fastest, rate)}"
        self.aims.append(("runs/s, 2 at once, to those of docker run", "≥ 150 ×", ratio(ours.rate, rate), around, ours.rate >= 150 * rate))

    def waiting(self):
        cells = wait_for_cells(self.full, self.options.pool)
        sizes = per_cell(self.full)
        seconds = 0.12 * self.options.seconds
        shares = measure_idle(self.full, seconds)
        total = sum(shares.values())
        self.report.add("### Memory of a cell that waits", f"{cells} cells with Python up wait; MiB of one:")
        costs = cells_cost(self.scratch, self.service_options)
        if costs:
            few, many = POOLS_COMPARED
            sizes[f"all in: the host's memory with {many} cells less that with {few}, each"] = costs
        rows = [(name, f"{statistics.median(each):.2f}", f"{min(each):.2f}–{max(each):.2f}") for name, each in sizes.items()]
        self.report.add(markdown_table(("of one cell", "MiB, median", "least–most"), rows) if rows else "None waits here.")
        self.report.add(
            "The last row takes in cells that wait for other kinds of runs, such as asking a toolchain's version, and whatever "
            "else the machine did meanwhile; where two measurements differ by more than half it is not held against the aim."
        )
        # Nothing is held for certain but what is charged or private; where only that is known it is a lower bound.
        work, aim = "memory of a parked Python cell, all in", "≤ 1.2 MiB"
        if costs and 0 < max(costs) < 1.5 * min(costs):
            value = statistics.median(costs)
            self.aims.append((work, aim, f"{value:.2f} MiB", f"{min(costs):.2f}–{max(costs):.2f}", value <= 1.2))
        elif held := [statistics.median(sizes[name]) for name in sizes if name.startswith(("charged", "private"))]:
            self.aims.append((work, aim, f"at least {max(held):.2f} MiB", "–", False if max(held) > 1.2 else None))
        else:
            self.aims.append((work, aim, "not measured", "–", None))
        self.report.add(
            "### An idle service with a full pool",
            f"{cells} cells with Python wait (pool {self.options.pool}). Over {seconds:.0f} s, share of one core; the clock of a process counts in steps of 10 ms.",
            markdown_table((*shares, "all"), [[f"{100 * share:.2f} %" for share in (*shares.values(), total)]]),
        )
        self.aims.append(("idle service, pool full", "≤ 1 % of a core", f"{100 * total:.2f} %", "–", total <= 0.01))

    def plot(self):
        plot = Plot()
        unit = self.bare.p50()
        rows = []
        for way in self.hello_ways + self.peers:
            if way.times:
                rows.append((way.name, *(percentile(way.times, share) / unit for share in (0.1, 0.5, 0.9))))
        plot.bars("Python hello, one at a time, to bare python3 -c (p50, p10–p90)", rows)
        alone = self.rates["bare", 1].rate
        curves = [(name, [self.rates[name, count].rate / alone for count in AT_ONCE]) for name in ("bare", "belljar")]
        plot.curves("Runs a second by how many at once, to bare one at a time", AT_ONCE, curves)
        return plot.svg()

    def answers_that_were_wrong(self):
        others = [way for bare, ours, _ in self.others.values() for way in (bare, ours)]
        ways = self.hello_ways + self.peers + self.modules + self.static + others
        return self.failed + sum(way.failed for way in ways)


def write_into(page, text):
    """Puts the text between the page's two marks; the rest of the page stays."""
    path = pathlib.Path(page)
    content = path.read_text()
    if content.count(BEGIN) != 1 or content.count(END) != 1 or content.index(BEGIN) > content.index(END):
        raise SystemExit(f"{page}: has no section from {BEGIN} to {END}")
    before, rest = content.split(BEGIN)
    path.write_text(f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{rest.split(END)[1]}")


def host_lines(belljar, scratch):
    said = tempfile.SpooledTemporaryFile(mode="w+")
    with contextlib.redirect_stdout(said):
        print_host(belljar, scratch / "box/hello.py")
    said.seek(0)
    return said.read().splitlines()


def parse():
    parser = argparse.ArgumentParser(prog="./dev bench warm", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=170, help="about how long all of it measures")
    parser.add_argument("--gap", type=float, default=20, help="milliseconds of quiet before a run")
    parser.add_argument("--pool", type=int, default=16, help="cells that wait, where the pool is full")
    parser.add_argument("--sync", choices=("full", "normal"), default="full", help="of the ledger")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=pathlib.Path, help="existing or new folder for warm.md and warm.svg")
    parser.add_argument("--write", type=pathlib.Path, help="page whose marked section gets the tables")
    return parser.parse_args()


def main():
    options = parse()
    load = os.getloadavg()[0]
    # Not /tmp, which is in memory on many hosts: the ledger is to be on a disk.
    with tempfile.TemporaryDirectory(prefix="belljar-bench-", dir="/var/tmp") as folder, contextlib.ExitStack() as stack:
        scratch = pathlib.Path(folder)
        scratch.chmod(0o755)
        bench = Bench(options, scratch, stack)
        head = host_lines(os.environ["BELLJAR"], scratch)
        bench.set_up()
        concurrent = bench.full.call("GET", "/v1/system").json["runs"]["concurrent"]
        bench.one_at_a_time()
        bench.throughput()
        bench.waiting()
    head.append(f"pool {options.pool}, {concurrent} runs at once, gap {options.gap:g} ms, ledger on disk with sync {options.sync}")
    busy = "; **it was busy: read the shape, not the figures**" if load > BUSY else ""
    head.append(f"load of the machine before it began: {load:.1f}{busy}")
    today = datetime.datetime.now(datetime.timezone.utc).date()
    report = Report()
    report.add(f"Measured on {today}, `./dev bench warm`, {options.seconds:g} s.", "\n".join(f"* {line}" for line in head))
    table = markdown_table(("work", "aim", "found", "p10–p90", "met"), aims(bench.aims))
    report.add("### Aims", table, *bench.report.parts)
    print(report.text())
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "warm.md").write_text("# What waiting cells are worth\n\n" + report.text())
        (options.out / "warm.svg").write_text(bench.plot())
    if options.write:
        write_into(options.write, report.text())
    wrong = bench.answers_that_were_wrong()
    if wrong:
        print(f"{wrong} runs were not answered as they should")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
