"""Every system call number, compared with what policies/syscalls/default.toml says of it (T106)."""

import errno
import re
import subprocess
import tomllib

from hostile.bench import FULL
from hostile.rows import control_policy
from hostile.scenarios import scenario
from support import command
from support.command import Wanted

POLICY = command.ROOT / "policies" / "syscalls" / "default.toml"
X32_BIT = 0x40000000
SIGKILL, SIGSYS = 9, 31


def numbers():
    """Name to number on this architecture, as the C library has them, and the policy's own."""
    done = subprocess.run(
        ["gcc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"],
        capture_output=True,
        text=True,
        check=True,
    )
    table = {
        name: int(number)
        for name, number in re.findall(r"^#define __NR_(\w+) (\d+)$", done.stdout, re.MULTILINE)
    }
    return table | tomllib.loads(POLICY.read_text())["numbers"]


def expected():
    """Number to the errnos that may be answered; a number without an entry may answer anything."""
    policy = tomllib.loads(POLICY.read_text())
    table = numbers()
    rules = {}
    for rule in policy["rule"]:
        for name in rule["calls"]:
            rules.setdefault(name, []).append(rule)
    answers = {}
    for name, number in table.items():
        if name not in rules:
            answers[number] = {policy["default"]["errno"]}
        elif all(rule["action"] == "errno" for rule in rules[name]):
            answers[number] = {rule["errno"] for rule in rules[name]}
        elif all(rule["action"] == "skip" for rule in rules[name]):
            answers[number] = {"ok"}
    return answers, set(table.values()), policy["default"]["errno"]


def judge(text):
    answers, known, default = expected()
    problems, seen = [], 0
    for number, argument, answer in re.findall(r"^(-?\d+) (-?\d+) (-?\d+)$", text, re.MULTILINE):
        number, answer = int(number), int(answer)
        seen += 1
        got = "ok" if answer == 0 else errno.errorcode.get(answer, str(answer))
        # The kernel and the filter look at the low 32 bits of the number.
        low = number & 0xFFFFFFFF
        if low & X32_BIT and low != 0xFFFFFFFF:
            allowed = {str(-SIGSYS)}
        elif low in answers:
            allowed = answers[low]
        elif low in known:
            continue
        else:
            allowed = {default}
        if got not in allowed:
            problems.append(f"call {number} with {argument}: expected {sorted(allowed)}, got {got}")
    return problems, seen


@scenario("every_syscall.c")
def every_number_answers_as_the_policy_says(bench, folder):
    rounds = 4 if FULL else 2
    wanted = Wanted("every_syscall.c", args=[str(rounds)], limits="wall=60s,cpu=30s,output=4M")
    run = command.run(wanted, folder, timeout=90)
    problems, seen = judge(run.text())
    if run.outcome is None or run.outcome["status"] != "ok" or seen < rounds * 1024:
        problems.append(f"{seen} calls were made: {run.describe()[:2000]}")
    return problems[:40]


@scenario("every_syscall.c")
def numbers_answer_otherwise_without_the_filter(bench, folder):
    """The control: without seccomp the answers do not fit the policy."""
    policy = control_policy(["seccomp"], None)
    wanted = Wanted("every_syscall.c", args=["1"], policy=policy, limits="wall=60s,output=4M")
    run = command.run(wanted, folder, timeout=90)
    problems, seen = judge(run.text())
    return [] if seen >= 1024 and len(problems) > 20 else [f"{seen} calls, {len(problems)} differ"]
