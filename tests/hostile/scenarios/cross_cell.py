"""Scenarios of several cells: what one leaves, holds, watches or says, another must not see."""

import concurrent.futures
import re
import secrets

from hostile import oracle
from hostile.rows import control_policy
from hostile.scenarios import scenario
from hostile.scenarios.resources import run_in
from support import bare, command
from support.command import Wanted


def _hold(victim, folder, args=(), without=None, ready=b"attempt", language=None):
    """Starts a cell that waits for the end of its stdin, and waits until it has said something."""
    place = folder / f"holder-{victim}"
    place.mkdir()
    policy = control_policy(without, None) if without else None
    wanted = Wanted(victim, args=args, limits="wall=30s", policy=policy, language=language)
    child = command.start(wanted, place, json_wanted=False)
    lines = [child.stdout.readline()]
    if ready not in lines[0]:
        out, err = child.communicate()
        raise AssertionError(f"{victim} did not start: {lines[0]!r} {out!r} {err!r}")
    return child


def _release(child):
    out, err = child.communicate(timeout=30)
    return out.decode(errors="replace") + err.decode(errors="replace")


@scenario("leave_marks.py", "find_marks.py")
def files_do_not_pass(bench, folder):
    """First beside each other, then one after the other."""
    word = f"mark-{secrets.token_hex(6)}"
    problems = []
    holder = _hold("leave_marks.py", folder, [word])
    beside = run_in(folder, "beside", Wanted("find_marks.py", args=[word]))
    _release(holder)
    after = run_in(folder, "after", Wanted("find_marks.py", args=[word]))
    for run in (beside, after):
        problems += oracle.check_expect(run, {"status": "ok", "stdout": "attempt find: 0\n"})
    return problems


@scenario("leave_marks.py", "find_marks.py")
def files_are_found_in_one_cell(bench, folder):
    """The control: in one cell, what is left is found."""
    with open(command.VICTIMS / "leave_marks.py", encoding="utf-8") as leave:
        with open(command.VICTIMS / "find_marks.py", encoding="utf-8") as find:
            source = leave.read() + find.read().split('"""', 2)[2]
    run = command.run(Wanted("leave_marks.py", args=["mark-control"], source=source), folder)
    match = re.search(r"attempt find: (\d+)", run.text())
    return [] if match and int(match[1]) >= 3 else [f"found too little: {run.describe()}"]


def _lock_results(text):
    return dict(re.findall(r"^attempt (.+): (\S+)$", text, re.MULTILINE))


def _locks(folder, without=None):
    """What a second cell is told of each lock while a first one holds them all."""
    holder = _hold("hold_locks.py", folder, without=without)
    try:
        policy = control_policy(without, None) if without else None
        run = run_in(folder, "second", Wanted("hold_locks.py", policy=policy))
    finally:
        _release(holder)
    return run


@scenario("hold_locks.py")
def locks_do_not_pass(bench, folder):
    run = _locks(folder)
    results = _lock_results(run.text())
    problems = oracle.check_expect(run, {"status": "ok"})
    if len(results) < 8:
        problems.append(f"too few locks were tried: {results}")
    problems += [f"{what}: {result}" for what, result in results.items() if result != "ok"]
    return problems


@scenario("hold_locks.py")
def locks_pass_where_inodes_are_shared(bench, folder):
    """The control: without the private root the second cell is told that somebody has the lock."""
    run = _locks(folder, ["private-root", "private-devices"])
    contended = [what for what, result in _lock_results(run.text()).items() if result == "EAGAIN"]
    return [] if contended else [f"no lock was contended: {run.describe()}"]


def _watch(folder, without=None):
    holder = _hold("watch_files.py", folder, without=without, ready=b"attempt watch")
    policy = control_policy(without, None) if without else None
    run = run_in(folder, "toucher", Wanted("touch_shared_files.py", policy=policy))
    match = re.search(r"attempt events: (\d+)", _release(holder))
    return run, int(match[1]) if match else -1


@scenario("watch_files.py", "touch_shared_files.py")
def watches_do_not_pass(bench, folder):
    run, events = _watch(folder)
    problems = oracle.check_expect(run, {"status": "ok", "attempts": {"touch": "ok"}})
    return problems if events == 0 else [*problems, f"{events} events came from another cell"]


@scenario("watch_files.py", "touch_shared_files.py")
def watches_pass_where_inodes_are_shared(bench, folder):
    """The control: without the private root one cell sees what another opens."""
    _, events = _watch(folder, ["private-root", "private-devices"])
    return [] if events > 0 else [f"{events} events: the case would prove nothing"]


@scenario("leave_ipc.py", "find_ipc.py")
def ipc_does_not_pass(bench, folder):
    key = str(secrets.randbelow(1 << 30) + 1)
    holder = _hold("leave_ipc.py", folder, [key])
    try:
        words = [key, bench.canaries.words["shm_key"]]
        run = run_in(folder, "finder", Wanted("find_ipc.py", args=words))
    finally:
        _release(holder)
    expected = {
        "find shm": "ENOENT",
        "find sem": "ENOENT",
        "find msg": "ENOENT",
        "find shm of the host": "ENOENT",
        "find abstract": "ECONNREFUSED|EPERM",
        "find tcp": "ECONNREFUSED",
        "routing groups": "EPERM|ok",
    }
    return oracle.check_expect(run, {"status": "ok", "attempts": expected})


@scenario("find_ipc.py")
def ipc_is_found_on_the_host(bench, folder):
    """The control: outside a cell the host's own segment is found."""
    key = bench.spare.words["shm_key"]
    done = bare.run("find_ipc.py", folder, args=["1", key], keep=("ipc",))
    return [] if "attempt find shm of the host: ok" in done.out else [done.describe()]


@scenario("counters.py", "burn.c")
def counters_tell_nothing(bench, folder):
    """The same values in an idle host, beside work, and after it."""
    texts = [run_in(folder, "idle", Wanted("counters.py")).text()]
    place = folder / "worker"
    place.mkdir()
    worker = command.start(Wanted("burn.c", args=["4", "400"], limits="cpus=2"), place)
    texts.append(run_in(folder, "beside", Wanted("counters.py")).text())
    command.finish(worker)
    texts.append(run_in(folder, "after", Wanted("counters.py")).text())
    problems = [f"differs: {text!r}" for text in texts[1:] if text != texts[0]]
    problems += [
        f"told: {line}"
        for line in texts[0].splitlines()
        if line.startswith("/")
        and not line.endswith(": absent")
        and not line.startswith("/etc/hostname")
    ]
    if "uptime under a minute: True" not in texts[0]:
        problems.append("the boot clock tells the host's uptime")
    if not texts[0].startswith("pid 2 parent 1\nchild 3\n"):
        problems.append(f"pids: {texts[0][:80]!r}")
    return problems


@scenario("fresh_values.c")
def values_are_fresh(bench, folder):
    seen = {}
    problems = []
    for number in range(6):
        run = run_in(folder, str(number), Wanted("fresh_values.c"))
        problems += oracle.check_expect(run, {"status": "ok"})
        for line in run.text().splitlines():
            name, _, value = line.partition(" ")
            seen.setdefault(name, []).append(value)
    problems += [
        f"{name} repeats: {values}"
        for name, values in seen.items()
        if len(set(values)) != len(values)
    ]
    if len(seen) < 7:
        problems.append(f"too few values: {sorted(seen)}")
    return problems


@scenario("print_nonce.py")
def outputs_do_not_mix(bench, folder):
    """A crowd of cells, each with a word of its own; some end by themselves, some are killed."""
    nonces = [secrets.token_hex(8) for _ in range(24)]
    for nonce in nonces:
        (folder / nonce).mkdir()

    def run_one(number):
        nonce = nonces[number]
        if number % 3 == 0:
            wanted = Wanted("print_nonce.py", args=[nonce], limits="output=200K")
        elif number % 3 == 1:
            wanted = Wanted("print_nonce.py", args=[nonce], limits="cpu=60ms,output=32M")
        else:
            wanted = Wanted("print_nonce.py", args=[nonce, "4000"])
        return command.run(wanted, folder / nonce)

    with concurrent.futures.ThreadPoolExecutor(8) as crowd:
        runs = list(crowd.map(run_one, range(len(nonces))))
    problems = []
    statuses = [{"output_limit"}, {"timeout", "output_limit"}, {"ok"}]
    for number, run in enumerate(runs):
        if run.outcome is None or run.outcome["status"] not in statuses[number % 3]:
            problems.append(f"cell {number}: {run.describe()[:600]}")
            continue
        for stream in ("stdout", "stderr"):
            lines = run.text(stream).split("\n")
            # The last line may be cut anywhere.
            foreign = [line for line in lines[:-1] if line != nonces[number]]
            if foreign or not nonces[number].startswith(lines[-1]):
                problems.append(f"cell {number}: foreign output {foreign[:1] or lines[-1]!r}")
    return problems


@scenario("connect_out.py")
def loopback_is_the_hosts_without_the_namespace(bench, folder):
    """The control: a cell in the host's network namespace reaches a listener of the host."""
    words = [
        bench.fill_in(word, bench.spare)
        for word in ("{host_ip}", "{port}", "{port6}", "{udp_port}")
    ]
    wanted = Wanted(
        "connect_out.py",
        args=[*words, "tcp loopback"],
        policy=control_policy(["net-namespace"], None),
    )
    run = command.run(wanted, folder)
    return oracle.check_expect(run, {"status": "ok", "attempts": {"tcp loopback": "ok"}})
