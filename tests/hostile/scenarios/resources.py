"""Scenarios of exhaustion: quotas of two cells, process groups, arguments, bills of many runs."""

import os
import re
import signal
import subprocess

from hostile import oracle
from hostile.scenarios import scenario
from support import bare, command
from support.command import Wanted


def run_in(folder, name, *arguments, **keywords):
    place = folder / name
    place.mkdir()
    return command.run(*arguments, place, **keywords)


@scenario("read_passwd.py")
def passwd_is_the_cells(bench, folder):
    run = command.run(Wanted("read_passwd.py"), folder, env=bench.environment())
    problems = oracle.check_expect(run, {"status": "ok"})
    lines = run.text().splitlines()
    if not any(line.split(":")[5:6] == ["/box"] for line in lines):
        problems.append(f"no line has /box as its home: {lines}")
    with open("/etc/passwd", encoding="utf-8", errors="replace") as file:
        host = {line.split(":")[0] for line in file}
    known = host & {line.split(":")[0] for line in lines} - {"root", "nobody"}
    if known:
        problems.append(f"names of the host: {sorted(known)}")
    return problems


def _instances(child):
    line = child.stdout.readline().decode()
    match = re.search(r"^instances: (\d+)$", line)
    return int(match[1]) if match else -1


@scenario("hold_inotify.py")
def inotify_is_counted_per_cell(bench, folder):
    counts, children = [], []
    try:
        for name in ("first", "second"):
            (folder / name).mkdir()
            wanted = Wanted("hold_inotify.py", limits="wall=20s")
            children.append(command.start(wanted, folder / name, json_wanted=False))
            counts.append(_instances(children[-1]))
    finally:
        for child in children:
            command.finish(child)
    problems = []
    if min(counts) <= 0:
        problems.append(f"instances: {counts}")
    elif counts[0] != counts[1]:
        problems.append(
            f"the first cell had {counts[0]} instances, the second beside it {counts[1]}"
        )
    return problems


# Lets a bomb of 2^5 processes grow, kills its process group, and looks who is left.
KILL_THE_GROUP = """
import os, signal, subprocess, sys, time

def bombs():
    found = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            found += open(f"/proc/{pid}/comm").read() == "a.out\\n"
        except OSError:
            pass
    return found

bomb = subprocess.Popen([sys.argv[1], "5"], start_new_session=True)
deadline = time.monotonic() + 10
while bombs() < 5 and time.monotonic() < deadline:
    time.sleep(0.01)
os.killpg(bomb.pid, signal.SIGKILL)
bomb.wait()
print("some live on" if bombs() else "all are dead", flush=True)
"""


@scenario("fork_bomb_stubborn.c")
def killing_the_process_group_is_not_enough(bench, folder):
    """The control of the stubborn fork bomb: outside a cell, killpg leaves some of it alive."""
    program = bare._compile(command.VICTIMS / "fork_bomb_stubborn.c", folder)[0]
    done = subprocess.run(
        [
            "unshare",
            "--pid",
            "--mount",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "/usr/bin/python3",
            "-c",
            KILL_THE_GROUP,
            program,
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if done.stdout != "some live on\n":
        return [f"killpg ended the whole bomb, so the case proves nothing: {done}"]
    return []


@scenario("count_arguments.c")
def arguments_beyond_the_stack(bench, folder):
    words = ["a" * 1000] * 1000
    problems = []
    small = run_in(folder, "small", Wanted("count_arguments.c", args=words, limits="stack=1M"))
    problems += oracle.check_always(small, bench.canaries.token, bench.least_peak)
    if small.timed_out or small.outcome is None:
        # Refused before any cell was made: then in words, with the code for that.
        if small.code not in (2, 125, 126) or not small.err.strip():
            problems.append(f"a megabyte of arguments: {small.describe()}")
    elif small.outcome["status"] not in ("setup_error", "rejected"):
        problems.append(f"a megabyte of arguments on a small stack: {small.outcome['status']}")
    elif not re.search(r"(?i)too long|too big|E2BIG|argument", small.outcome["reason"]):
        problems.append(f"the reason does not say what was too much: {small.outcome['reason']}")
    large = run_in(folder, "large", Wanted("count_arguments.c", args=words, limits="stack=64M"))
    problems += oracle.check_expect(
        large, {"status": "ok", "attempts": {"start": "ok"}, "stdout_match": "^arguments: 1000 of"}
    )
    return problems


@scenario("burn.c")
def bill_starts_at_zero(bench, folder):
    problems = []
    for number in range(3):
        wanted = Wanted("burn.c", args=["1", "300"], limits="cpu=500ms")
        run = run_in(folder, str(number), wanted)
        problems += oracle.check_expect(
            run, {"status": "ok", "bill_covers": "one thread", "facts": ["usage.cpu_ms < 450"]}
        )
    return problems


@scenario("cling_to_life.c", "pause_for_ever.c", "fork_bomb_stubborn.c")
def death_of_the_client_ends_the_cell(bench, folder):
    """kill -9 of the command line: nothing of the run outlives it, whatever the program undid."""
    problems = []
    for number, victim in enumerate(
        ("pause_for_ever.c", "cling_to_life.c", "fork_bomb_stubborn.c")
    ):
        place = folder / str(number)
        place.mkdir()
        child = command.start(Wanted(victim, limits="wall=30s,cpu=20s"), place)
        mine = command.wait_until(lambda: _running(child.pid), f"{victim} to start")
        child.send_signal(signal.SIGKILL)
        command.finish(child)
        gone = command.wait_until(
            lambda: not any(os.path.exists(f"/proc/{pid}") and not _zombie(pid) for pid in mine),
            f"the end of what {victim} left",
        )
        problems += [] if gone else [f"{victim} outlives the command line"]
    return problems


def _zombie(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(") ")[2][0] == "Z"
    except OSError:
        return True


def _running(pid):
    """The processes below `pid`, once the program itself is among them."""
    from support import census

    tree = census.processes(census.Roots())
    below = census.descendants(tree, pid)
    started = any(tree[each].name in ("a.out", "python3") for each in below)
    return below if started else None
