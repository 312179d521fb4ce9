"""The oracles: compares what a run answered with what its row expects, and with what always holds.

Each check answers with problems as lines of text; no line means that all is well.
"""

import re

from hostile.table import as_list

# Paths of the cell that a reason may name; any other absolute path would be one of the host's.
CELL_PATHS = ("/box", "/tmp", "/dev/shm")
ABSOLUTE_PATH = re.compile(r"(?<![\w.)/])/[A-Za-z][\w.+-]*(?:/[\w.+-]+)*")
# What a reason must name, by status: the limit or the control that ended the run.
NAMED_IN_REASON = {
    "timeout": r"(?i)wall|cpu|processor",
    "memory_limit": r"(?i)memory",
    "output_limit": r"(?i)output|stdout|stderr|stream",
    "disk_limit": r"(?i)disk|/box|/tmp|/dev/shm|file|inode",
    "signalled": r"SIG|signal",
    "runtime_error": r"(?i)exit code",
    "ok": r"(?i)exit code",
}
CONTROL_BYTES = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]")
ATTEMPT = re.compile(r"^attempt (.+): (\S+)$", re.MULTILINE)
FACT = re.compile(r"^(\S+) (==|!=|>=|<=|>|<|has|lacks) (.+)$")

MEBIBYTE = 1 << 20
# A poll of the bill and the kill that follows it take time on a loaded machine: the catalogue's
# tolerance is max(20 ms, 3 %), and the watcher's own turn on a processor may come this much later.
CPU_TOLERANCE_MS, CPU_TOLERANCE, CPU_LATENESS_MS = 20, 0.03, 100


def find(value, path):
    """usage.cpu_ms, denied_syscalls.0.name; None where it leads nowhere."""
    for part in path.split("."):
        if isinstance(value, list) and part.lstrip("-").isdigit():
            number = int(part)
            value = value[number] if -len(value) <= number < len(value) else None
        elif isinstance(value, dict):
            value = value.get(part)
        else:
            return None
    return value


def _operand(text, stage, outcome):
    text = text.strip()
    try:
        return float(text)
    except ValueError:
        pass
    if text in ("true", "false"):
        return text == "true"
    if text.startswith("$"):
        return lookup(text[1:], stage, outcome)
    return text.strip('"')


def lookup(path, stage, outcome):
    if path.startswith("outcome."):
        return find(outcome, path.removeprefix("outcome."))
    return find(stage, path)


def check_fact(fact, stage, outcome):
    """usage.cpu_ms >= 300: the left side is of the last stage, or of outcome.; $path refers too."""
    match = FACT.match(fact)
    if not match:
        return [f"no fact: {fact!r}"]
    path, relation, right = match.groups()
    left, right = lookup(path, stage, outcome), _operand(right, stage, outcome)
    if left is None:
        return [f"fact {fact!r}: the outcome does not say"]
    try:
        holds = {
            "==": lambda: left == right,
            "!=": lambda: left != right,
            ">=": lambda: left >= right,
            "<=": lambda: left <= right,
            ">": lambda: left > right,
            "<": lambda: left < right,
            "has": lambda: right in left,
            "lacks": lambda: right not in left,
        }[relation]()
    except TypeError:
        return [f"fact {fact!r}: cannot compare {left!r}"]
    return [] if holds else [f"fact {fact!r}: it is {left!r}"]


def check_attempts(text, expected):
    """Every attempt that the victim printed is expected, and the other way round."""
    problems, seen = [], {}
    for what, result in ATTEMPT.findall(text):
        if what in seen and seen[what] != result:
            problems.append(f"attempt {what}: printed twice, {seen[what]} and {result}")
        seen[what] = result
    for what, allowed in expected.items():
        if what not in seen:
            problems.append(f"attempt {what}: was not made")
        elif allowed != "*" and seen[what] not in allowed.split("|"):
            problems.append(f"attempt {what}: expected {allowed}, got {seen[what]}")
    problems += [
        f"attempt {what}: {seen[what]}, and no row expects it"
        for what in seen
        if what not in expected
    ]
    return problems


def check_text(out, err, expect):
    """Expectations on the program's own output, in a cell or bare."""
    problems = []
    if "attempts" in expect:
        problems += check_attempts(out, expect["attempts"])
    if "stdout" in expect and out != expect["stdout"]:
        problems.append(f"stdout: expected {expect['stdout']!r}, got {out[:400]!r}")
    for name, text in (("stdout", out), ("stderr", err)):
        pattern = expect.get(f"{name}_match")
        if pattern is not None and not re.search(pattern, text, re.MULTILINE | re.DOTALL):
            problems.append(f"{name}: {pattern!r} does not match {text[:400]!r}")
    for word in expect.get("stdout_lacks", []):
        if word in out:
            problems.append(f"stdout: holds {word!r}")
    return problems


def check_expect(run, expect):
    """O1 and O4: status, clock, code and signal as the row says, and the row's facts and bill."""
    if run.timed_out:
        return ["belljar did not return"]
    problems = []
    if "code" in expect and run.code != expect["code"]:
        problems.append(f"belljar's exit code: expected {expect['code']}, got {run.code}")
    if expect.get("outcome") is False:
        if run.outcome is not None:
            problems.append("an outcome was printed where none was expected")
        return problems + check_text("", run.err.decode(errors="replace"), expect)
    if run.outcome is None:
        return [*problems, "standard output is not one JSON object"]
    outcome, stage = run.outcome, run.stage
    if "status" in expect and outcome.get("status") not in as_list(expect["status"]):
        problems.append(
            f"status: expected {expect['status']}, got {outcome.get('status')}"
            f" ({outcome.get('reason')})"
        )
    if "clock" in expect and stage.get("clock") not in as_list(expect["clock"]):
        problems.append(f"clock: expected {expect['clock']}, got {stage.get('clock')}")
    for key in ("exit_code", "signal"):
        if key in expect and stage.get(key) not in as_list(expect[key]):
            problems.append(f"{key}: expected {expect[key]}, got {stage.get(key)}")
    reason = str(outcome.get("reason"))
    if "reason" in expect and not re.search(expect["reason"], reason):
        problems.append(f"reason: {expect['reason']!r} does not match {reason!r}")
    problems += check_text(run.text("stdout"), run.text("stderr"), expect)
    for fact in expect.get("facts", []):
        problems += check_fact(fact, stage, outcome)
    problems += check_denied(stage, expect)
    if "artifacts" in expect:
        names = sorted(artifact["path"] for artifact in outcome.get("artifacts", []))
        if names != sorted(expect["artifacts"]):
            problems.append(f"artifacts: expected {sorted(expect['artifacts'])}, got {names}")
    if expect.get("cpu_limit_kept"):
        problems += check_cpu_limit(stage)
    if "bill_covers" in expect:
        problems += check_bill(stage, run.text("stdout"), expect["bill_covers"])
    return problems


def check_denied(stage, expect):
    names = {call["name"] for call in stage.get("denied_syscalls", [])}
    if "denied" in expect and names != set(expect["denied"]):
        return [f"denied system calls: expected {sorted(expect['denied'])}, got {sorted(names)}"]
    missing = set(expect.get("denied_at_least", [])) - names
    return (
        [f"denied system calls: {sorted(missing)} are not among {sorted(names)}"] if missing else []
    )


def check_cpu_limit(stage):
    limit = find(stage, "limits.cpu_ms") or 0
    billed = find(stage, "usage.cpu_ms")
    most = limit + max(CPU_TOLERANCE_MS, limit * CPU_TOLERANCE) + CPU_LATENESS_MS
    if billed is None or not limit - CPU_TOLERANCE_MS <= billed <= most:
        return [f"bill: {billed} ms of processor time under a limit of {limit} ms"]
    return []


def check_bill(stage, text, what):
    """The victim said "burnt WHAT: 300" by the kernel's clock of its threads: no less is billed."""
    burnt = sum(float(ms) for ms in re.findall(rf"^burnt {what}: ([\d.]+)$", text, re.MULTILINE))
    if not burnt:
        return [f"bill: the victim did not say what it burnt for {what}"]
    billed = find(stage, "usage.cpu_ms") or 0
    least = burnt - max(CPU_TOLERANCE_MS, burnt * CPU_TOLERANCE)
    return [] if billed >= least else [f"bill: {billed} ms for {burnt} ms that were burnt"]


def check_reason(outcome):
    """O7: one line that names the limit or the control, and no path of the host."""
    problems = []
    reasons = [("outcome", outcome.get("status"), outcome.get("reason"))]
    reasons += [
        (f"{stage.get('stage')} stage", stage.get("status"), stage.get("reason"))
        for stage in outcome.get("stages", [])
    ]
    for where, status, reason in reasons:
        if not isinstance(reason, str) or not reason.strip():
            problems.append(f"reason: the {where} has none")
            continue
        if "\n" in reason or "\r" in reason:
            problems.append(f"reason: more than one line: {reason!r}")
        pattern = NAMED_IN_REASON.get(status)
        if pattern and not re.search(pattern, reason):
            problems.append(f"reason: {reason!r} does not name what ended a run with {status}")
        for path in ABSOLUTE_PATH.findall(reason):
            if not any(path == mine or path.startswith(mine + "/") for mine in CELL_PATHS):
                problems.append(f"reason: names the path {path}: {reason!r}")
    return problems


def check_always(run, token, least_peak, stdin_bytes=0):
    """What holds whatever the row expects: O6, O7, no secret in any byte, nothing that drives a
    terminal, and an outcome that is one line of valid JSON."""
    problems = []
    for name, data in (("stdout", run.out), ("stderr", run.err)):
        if token.encode() in data:
            problems.append(f"a secret of the host stands on {name}")
        if CONTROL_BYTES.search(data):
            problems.append(f"control characters stand raw on {name}")
    if run.outcome is None:
        return problems
    if run.out.count(b"\n") != 1 or not run.out.endswith(b"\n"):
        problems.append("the outcome is not exactly one line")
    problems += check_reason(run.outcome)
    kept = sum(
        len(stage.get(stream, {}).get("text", ""))
        for stage in run.outcome.get("stages", [])
        for stream in ("stdout", "stderr")
    )
    kept += sum(artifact.get("bytes", 0) for artifact in run.outcome.get("artifacts", []))
    # The kept bytes exist a few times over while they are repaired, escaped and serialised.
    given = sum(map(len, run.argv))
    most = least_peak + 8 * MEBIBYTE + 8 * (max(kept, len(run.out)) + given)
    if run.peak > most:
        problems.append(f"belljar's own memory: {run.peak} bytes, allowed are {most}")
    return problems
