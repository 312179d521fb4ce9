"""Every row of the table: the case itself under all oracles, and its positive control."""

import pathlib

import pytest

from hostile import oracle, scenarios, table
from hostile.bench import FULL
from support import bare, command

CASES = [case for case in table.load() if FULL or case.tier == "quick"]


def marked(cases):
    return [pytest.param(case, id=case.name, marks=pytest.mark.case(case.name)) for case in cases]


def wanted(case, bench, changes=None):
    """The words of a run: the row's own, with what the control changes."""
    row = {**case.run, **(changes or {})}
    source = None
    if case.template:
        source = bench.fill_in((command.VICTIMS / case.victim).read_text())
    policy = row.get("policy_text") or row.get("policy")
    without = row.get("without")
    if without:
        policy = control_policy(without, policy)
    return command.Wanted(
        row.get("victim", case.victim),
        language=row.get("language"), policy=policy, limits=row.get("limits", ""),
        args=[bench.fill_in(word) for word in row.get("args", [])],
        files=[command.VICTIMS / name for name in row.get("files", [])],
        artifacts=row.get("artifact", []), env=[bench.fill_in(word) for word in row.get("env", [])],
        runtimes=runtimes(row), source=source, options=row.get("options", []),
    )  # fmt: skip


def control_policy(without, text):
    """A policy file that leaves walls out by name: the degraded mode of a positive control."""
    names = ", ".join(f'"{wall}"' for wall in without)
    if text is None:
        text = 'name = "control"\nwhy = "positive control"\n'
    elif "\n" not in text:
        text = (command.ROOT / "policies" / f"{text}.toml").read_text().partition("[walls]")[0]
    return f'{text}\n[walls]\nwhy = "positive control"\nwithout = [{names}]\n'


def runtimes(row):
    """Manifests for --runtimes: the suite's own, or a built-in one with another compile limit."""
    made = {}
    if row.get("scripted"):
        for path in sorted((table.FOLDER / "runtimes").glob("*.toml")):
            made[path.name] = path.read_text()
    if "compile_limits" in row:
        pairs = (pair.split("=") for pair in row["compile_limits"].split(","))
        limits = ", ".join(f'{name} = "{value}"' for name, value in pairs)
        made |= {f"{row['language']}.toml": with_compile_limits(row["language"], limits)}
    return made or None


def with_compile_limits(language, limits):
    text = (command.ROOT / "runtimes" / f"{language}.toml").read_text()
    before, heading, after = text.partition("[compile]\n")
    section, rest = after.split("\n[", 1)
    lines = [line for line in section.splitlines() if not line.startswith("limits")]
    return "\n".join([before + heading + f"limits = {{ {limits} }}", *lines]) + f"\n[{rest}"


def stdin_of(row):
    given = row.get("stdin", "")
    if isinstance(given, str):
        return given.encode()
    if given.get("held"):
        return None
    return b"x" * given["bytes"]


def run_case(case, bench, folder, changes=None):
    row = {**case.run, **(changes or {})}
    return command.run(
        wanted(case, bench, changes), folder, stdin=stdin_of(row), env=bench.environment(),
        timeout=row.get("timeout", 60),
    )  # fmt: skip


def demand(problems, *shown):
    if problems:
        listed = "\n".join(f"* {problem}" for problem in problems)
        pytest.fail("\n".join([listed, *(thing.describe() for thing in shown)]), pytrace=False)


@pytest.mark.parametrize("case", marked(CASES))
def test_case(case, bench, folder):
    bench.features.require(*case.needs)
    problems, shown = [], []
    rounds = case.repeat_full if FULL else case.repeat
    log_bytes = case.expect.get("kernel_log_bytes")
    with bench.watched(problems, beside=case.beside or FULL, log_bytes=log_bytes):
        if case.scenario:
            problems += scenarios.play(case.scenario, bench, folder)
        for number in range(0 if case.scenario else rounds):
            place = folder / str(number)
            place.mkdir(mode=0o755)
            run = run_case(case, bench, place)
            problems += oracle.check_expect(run, case.expect)
            problems += oracle.check_always(run, bench.canaries.token, bench.least_peak)
            problems += scenarios.check_artifacts(place / "artifacts")
            if problems:
                shown.append(run)
                break
    demand(problems, *shown)


@pytest.mark.parametrize("case", marked([c for c in CASES if "builtin" not in c.control]))
def test_control(case, bench, folder):
    """With the control switched off the same program must succeed, or the case proves nothing."""
    control = case.control
    bench.features.require(*case.needs, *control.get("needs", []))
    if "scenario" in control:
        demand(scenarios.play(control["scenario"], bench, folder))
        return
    if not control.get("bare"):
        run = run_case(case, bench, folder, control)
        demand(oracle.check_expect(run, control["expect"]), run)
        return
    bench.features.require("root")
    done = bare.run(
        control.get("victim", case.victim), folder,
        args=[bench.fill_in(word, bench.spare)
              for word in control.get("args", case.run.get("args", []))],
        stdin=stdin_of({**case.run, **control}), keep=control.get("keep", ()),
        user=control.get("user", False), limits=control.get("prlimit", ()),
    )  # fmt: skip
    problems = oracle.check_text(done.out, done.err, control["expect"])
    code = control["expect"].get("exit_code")
    if code is not None and done.code != code:
        problems.append(f"exit code: expected {code}, got {done.code}")
    demand(problems, done)


def test_every_victim_is_in_the_table():
    used = {case.victim for case in table.load()} | {
        name for case in table.load() for name in case.run.get("files", [])
    }
    used |= {case.control.get("victim") for case in table.load()}
    used |= scenarios.victims()
    there = {path.name for path in command.VICTIMS.iterdir() if path.name != "__pycache__"}
    unused = there - used - set(command.HELPERS.values()) - {"benign.py"}
    assert not unused, f"no row runs {sorted(unused)}"


def test_every_victim_says_what_it_tries():
    for path in sorted(command.VICTIMS.iterdir()):
        if path.suffix in (".c", ".py", ".sh", ".js", ".java", ".pl", ".cpp"):
            first = pathlib.Path(path).read_text().splitlines()[0]
            assert first.startswith(("// ", "# ", '"""')), f"{path.name} does not say what it tries"
