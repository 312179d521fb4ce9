"""Promise P0: each system call on the way of a cell fails, or pretends to succeed, once.

Either the program does not start and the outcome says so, or it starts behind exactly the walls
that it has without the fault. Afterwards nothing is left.
"""

import collections
import difflib
import itertools
import json
import os
import signal
import subprocess

import pytest
from conftest import FULL, leftovers
from trace import calls_by_role, injected_roles

SETUP_ROLES = ("warden", "init-setup", "program-setup", "init")
ERRORS = ["EPERM", "ENOMEM", "EINTR", "ENOSYS", "EINVAL", "EMFILE", "ENOSPC", "EAGAIN"]
# Answers that no kernel gives and that only end or confuse the tracer: the parent of a clone that
# "succeeds" without a child, an execution that did not happen, and waiting that never blocks.
# A Landlock rule that is not added only forbids more.
NO_PRETENCE = {"landlock_add_rule", "clone3", "vfork", "clone", "execve", "execveat", "ppoll", "poll", "read", "recvmsg", "wait4", "exit_group",
               "restart_syscall", "rt_sigreturn", "mmap", "brk", "munmap", "mprotect", "arch_prctl", "getrandom"}
# close(2) releases the descriptor on Linux whatever it answers; a tracer that skips it does something else.
UNTOUCHED = {"exit_group", "exit", "restart_syscall", "rt_sigreturn", "execve", "close"}


def strace(command, log, *options):
    command = ["strace", "-f", "-qq", "-o", str(log), *options, *command]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as tracer:
        try:
            output = tracer.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(tracer.pid, signal.SIGKILL)  # and what it traces: without it, they would go on
            tracer.communicate()
            return subprocess.CompletedProcess(command, None, b"", b""), log.read_text(errors="replace")
    done = subprocess.CompletedProcess(command, tracer.returncode, *output)
    return done, log.read_text(errors="replace")


@pytest.fixture(scope="session")
def points(program, tmp_path_factory):
    """Every (role, call, n) of a run without a fault."""
    _, log = strace(program, tmp_path_factory.mktemp("trace") / "log")
    counts = calls_by_role(log)
    for role in SETUP_ROLES:
        assert counts[role], f"the trace shows no {role}"
    return [(role, call, n) for role in SETUP_ROLES for call, count in sorted(counts[role].items())
            for n in range(1, count + 1) if call not in UNTOUCHED]


def verdict(done, facts):
    """What a faulty run came to: ("refused" | "walls" | "wrong", detail)."""
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = {}
    stages = answer.get("stages") or [{}]
    text = stages[-1].get("stdout", {}).get("text", "")
    if done.returncode is None:
        return ("wrong", "it hangs")
    if "started" not in text:
        return ("wrong", "ok without a word of the program") if answer.get("status") == "ok" else ("refused", answer)
    lines = difflib.unified_diff(facts.splitlines(), text.splitlines(), n=0, lineterm="")
    changed = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    return ("wrong", "; ".join(changed)) if changed else ("walls", "")


def run_point(program, facts, tmp_path, role, call, n, what):
    log_path = tmp_path / "log"
    options = ["-e", f"trace={call},execve,execveat,clone3", "-e", f"inject={call}:{what}:when={n}"]
    done, log = strace(program, log_path, *options)
    kind, detail = verdict(done, facts)
    # The tracer counts in each process: the same call and number in the program itself is the
    # program's own misfortune, and its lines prove nothing then.
    if kind == "wrong" and "program" in injected_roles(log):
        return "beside"
    return f"{role} {call} #{n} {what}: {detail}" if kind == "wrong" else kind


def run_points(program, facts, tmp_path, points):
    """How many of `points` came to what. All of them run before any is judged."""
    tally = collections.Counter(run_point(program, facts, tmp_path, *point) for point in points)
    wrong = [answer for answer in tally if answer not in ("refused", "walls", "beside")]
    assert not wrong, "\n".join(wrong)
    subprocess.run(program, check=True, capture_output=True)
    assert leftovers() == []
    return tally


def test_each_call_fails_once(program, facts, points, tmp_path, request):
    """A plain failure. In the quick form one errno per call, taking turns; in full all of them."""
    pairs = sorted({(call, n): role for role, call, n in points}.items())
    turns = itertools.cycle(ERRORS)
    tally = run_points(program, facts, tmp_path, [
        (role, call, n, f"error={error}") for (call, n), role in pairs for error in (ERRORS if FULL else [next(turns)])])
    assert tally["refused"] > 50, tally
    note(request, "failures", tally)


def test_each_call_pretends_once(program, facts, points, tmp_path, request):
    """The call is not made and answers 0: what is not read back would be missed."""
    pairs = sorted({(call, n): role for role, call, n in points
                    if role in ("init-setup", "program-setup") and call not in NO_PRETENCE}.items())
    tally = run_points(program, facts, tmp_path, [(role, call, n, "retval=0") for (call, n), role in pairs])
    assert tally["refused"] > 20, tally
    note(request, "pretences", tally)


def note(request, name, tally):
    report = request.config.belljar_faults
    report[name] = tally
    report["faults_injected"] += tally.total()
