"""Scenarios that look at a cell from the host while it runs: who its processes are, and where."""

import os
import pathlib
import re

from hostile.scenarios import scenario
from hostile.scenarios.resources import run_in
from support import census, command
from support.command import Wanted


def _status(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text(errors="replace")
    return {
        name: value.strip()
        for name, _, value in (line.partition(":") for line in text.splitlines())
    }


def _cell(folder, name="cell", victim="pause_for_ever.c"):
    """A started cell, with the host's pids of its init and of its program."""
    place = folder / name
    place.mkdir()
    child = command.start(Wanted(victim, limits="wall=300s"), place)

    def look():
        tree = census.processes(census.Roots())
        inside = []
        for pid in census.descendants(tree, child.pid):
            try:
                numbers = _status(pid).get("NSpid", "").split()
            except OSError:
                continue
            if len(numbers) > 1:
                inside.append((int(numbers[-1]), pid, tree[pid].name))
        programs = [pid for number, pid, name in inside if number == 2 and name == "a.out"]
        inits = [pid for number, pid, name in inside if number == 1]
        return (inits[0], programs[0]) if inits and programs else None

    init, program = command.wait_until(look, "the program to start")
    return child, init, program


def _end(child):
    child.kill()
    command.finish(child)


def _namespaces(pid):
    return {kind: os.readlink(f"/proc/{pid}/ns/{kind}") for kind in census.NAMESPACES}


@scenario("pause_for_ever.c")
def init_is_locked_too(bench, folder):
    """What the program cannot see of pid 1, the host can: its identity, filter and descriptors."""
    child, init, program = _cell(folder)
    problems = []
    try:
        for name, pid in (("init", init), ("program", program)):
            status = _status(pid)
            for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                if int(status[field], 16) != 0:
                    problems.append(f"{name}: {field} is {status[field]}")
            if status["Seccomp"] != "2":
                problems.append(f"{name}: Seccomp is {status['Seccomp']}")
            if status["NoNewPrivs"] != "1":
                problems.append(f"{name}: NoNewPrivs is {status['NoNewPrivs']}")
            if status["Groups"]:
                problems.append(f"{name}: has the groups {status['Groups']}")
            if "0" in status["Uid"].split() + status["Gid"].split():
                problems.append(f"{name}: is root of the host: {status['Uid']}, {status['Gid']}")
        descriptors = sorted(os.listdir(f"/proc/{program}/fd"), key=int)
        if descriptors != ["0", "1", "2"]:
            problems.append(f"program: descriptors {descriptors}")
        problems += _pin_problems(init, program)
    finally:
        _end(child)
    return problems


def _pin_problems(init, program):
    problems = []
    host = _namespaces("self")
    for kind, link in _namespaces(program).items():
        # Root of the host needs no user namespace for a cell.
        if link == host[kind] and kind != "user":
            problems.append(f"program: shares the {kind} namespace with the host")
    own = _status(init)["Uid"].split()
    theirs = _status(program)["Uid"].split()
    if own[0] in theirs:
        problems.append(f"init's real uid {own[0]} is one of the program's {theirs}")
    if not int(_status(program)["Uid"].split()[0]) >= 1000:
        problems.append(f"program: has the system uid {theirs[0]}")
    adjusted = int(pathlib.Path(f"/proc/{program}/oom_score_adj").read_text())
    if adjusted < 0:
        problems.append(f"program: oom_score_adj {adjusted}")
    return problems


@scenario("pause_for_ever.c")
def uids_are_not_shared(bench, folder):
    """Cells that live together, and those that follow at once, have uids of their own."""
    cells = [_cell(folder, f"cell-{number}") for number in range(4)]
    uids = []
    try:
        for _, init, program in cells:
            uids += [int(_status(program)["Uid"].split()[0]), int(_status(init)["Uid"].split()[0])]
    finally:
        for child, _, _ in cells:
            _end(child)
    follower, init, program = _cell(folder, "follower")
    uids += [int(_status(program)["Uid"].split()[0]), int(_status(init)["Uid"].split()[0])]
    _end(follower)
    problems = [] if len(set(uids)) == len(uids) else [f"uids are shared: {uids}"]
    taken = {
        int(line.split(":")[2]) for line in pathlib.Path("/etc/passwd").read_text().splitlines()
    }
    return problems + [f"uid {uid} is a person's" for uid in uids if uid in taken]


@scenario("signal_everyone.c", "look_at_init.c", "pause_for_ever.c")
def cells_do_not_see_each_other(bench, folder):
    """One cell signals every pid there is, by the host's numbers too, and another lives on."""
    child, init, program = _cell(folder)
    try:
        run = run_in(folder, "attacker", Wanted("signal_everyone.c", limits="cpu=120s,wall=120s"))
        problems = [] if "attempt other processes: ESRCH" in run.text() else [run.describe()]
        alive = [pid for pid in (init, program) if os.path.exists(f"/proc/{pid}")]
        if len(alive) != 2:
            problems.append("a process of the other cell died")
        # Side by side: the number of a namespace that is gone may be used again.
        again, _, beside = _cell(folder, "again")
        try:
            one, other = _namespaces(program), _namespaces(beside)
        finally:
            _end(again)
    finally:
        _end(child)
    same = [kind for kind in ("mnt", "pid", "ipc", "net", "uts") if one[kind] == other[kind]]
    return problems + ([f"cells share the namespaces {same}"] if same else [])


@scenario("pause_for_ever.c")
def limits_stay_as_written(bench, folder):
    """The cell's cgroup files hold the limits of the outcome while the program runs (T085)."""
    place = folder / "cell"
    child, _, program = _cell(folder)
    problems = []
    try:
        text = pathlib.Path(f"/proc/{program}/cgroup").read_text()
        for line in text.splitlines():
            _, controllers, path = line.split(":", 2)
            if re.search(r"\b(memory|pids|cpu)\b", controllers) and "/belljar/" not in path + "/":
                problems.append(f"the program is in no cgroup of its own: {line}")
        if not re.search(r"/belljar/", text):
            problems.append(f"no cgroup of belljar's at all: {text}")
    finally:
        _end(child)
        assert place.exists()
    return problems


@scenario("print_environment.py")
def nothing_of_the_host_is_told(bench, folder):
    """Neither the environment nor any word of the outcome holds what only the host knows."""
    run = run_in(folder, "cell", Wanted("print_environment.py"), env=bench.environment())
    data = run.out + run.err
    problems = [
        f"told: {word}"
        for word in (
            "BELLJAR_HOST_SECRET",
            bench.canaries.token,
            str(folder),
            str(command.ROOT),
            command.MARK,
        )
        if word.encode() in data
    ]
    if run.outcome is None or run.outcome["status"] != "ok":
        problems.append(run.describe())
    return problems


@scenario("print_environment.py")
def what_is_passed_is_printed(bench, folder):
    """The control: a variable that is passed on purpose does appear."""
    run = command.run(Wanted("print_environment.py", env=[f"SHOWN={bench.canaries.name}"]), folder)
    return [] if f"SHOWN={bench.canaries.name}" in run.text() else [run.describe()]
