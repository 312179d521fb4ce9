"""Every row of the table: the case itself under all oracles, and its positive control."""

import pathlib

import pytest

from hostile import oracle, scenarios, table
from hostile.bench import FULL
from hostile.rows import run_case, stdin_of
from support import bare, command

CASES = [case for case in table.load() if FULL or case.tier == "quick"]


def marked(cases):
    return [pytest.param(case, id=case.name, marks=pytest.mark.case(case.name)) for case in cases]


def demand(problems, *shown, cold_only=""):
    """No problem; or, where a warm start does otherwise by design, that it still does."""
    if command.WARM and cold_only:
        assert problems, f"no longer so: {cold_only}"
        return
    if problems:
        listed = "\n".join(f"* {problem}" for problem in problems)
        pytest.fail("\n".join([listed, *(thing.describe() for thing in shown)]), pytrace=False)


def play(case, bench, folder):
    """The problems of a scenario, which may not even begin where a warm start does otherwise by design."""
    try:
        return scenarios.play(case.scenario, bench, folder)
    except AssertionError as error:
        if not (command.WARM and case.cold_only):
            raise
        return [str(error)]


@pytest.mark.parametrize("case", marked(CASES))
def test_case(case, bench, folder):
    bench.features.require(*case.needs)
    problems, shown = [], []
    rounds = case.repeat_full if FULL else case.repeat
    log_bytes = case.expect.get("kernel_log_bytes")
    with bench.watched(problems, beside=case.beside or FULL, log_bytes=log_bytes):
        if case.scenario:
            problems += play(case, bench, folder)
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
    demand(problems, *shown, cold_only=case.cold_only)


@pytest.mark.parametrize("case", marked([c for c in CASES if "builtin" not in c.control]))
def test_control(case, bench, folder):
    """With the control switched off the same program must succeed, or the case proves nothing."""
    control = case.control
    bench.features.require(*case.needs, *control.get("needs", []))
    if "scenario" in control:
        demand(scenarios.play(control["scenario"], bench, folder), cold_only=control.get("cold_only"))
        return
    if not control.get("bare"):
        run = run_case(case, bench, folder, control)
        demand(oracle.check_expect(run, control["expect"]), run)
        return
    bench.features.require("root")
    done = bare.run(
        control.get("victim", case.victim),
        folder,
        args=[
            bench.fill_in(word, bench.spare)
            for word in control.get("args", case.run.get("args", []))
        ],
        stdin=stdin_of({**case.run, **control}),
        keep=control.get("keep", ()),
        user=control.get("user", False),
        limits=control.get("prlimit", ()),
    )
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
