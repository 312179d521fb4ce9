"""The bench on which every hostile case is run, and the report that the suite leaves behind."""

import json
import os
import pathlib
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from hostile import table  # noqa: E402
from hostile.bench import Bench  # noqa: E402
from support import census, command  # noqa: E402

NOT_RUN = "was not run this time"


class Tally:
    """What the whole suite did, for the summary."""

    def __init__(self):
        self.verdicts = {}  # case name -> list of (what, "passed" | "failed" | reason of a skip)
        self.censuses = 0
        self.left = []

    def note(self, case, verdict):
        self.verdicts.setdefault(case, []).append(verdict)

    def covered(self, cases):
        """Names of the cases that ran, with all that belongs to them, and passed."""
        return {
            case.name
            for case in cases
            if self.verdicts.get(case.name)
            and all(verdict == "passed" for verdict in self.verdicts[case.name])
        }


TALLY = Tally()


@pytest.fixture(scope="session")
def bench():
    if not os.access(command.binary(), os.X_OK):
        pytest.fail(f"{command.binary()} is not there: ./dev build", pytrace=False)
    census.adopt_orphans()
    with command.scratch_folder("hostile-bench-") as place, Bench(place, TALLY) as made:
        yield made


@pytest.fixture
def folder():
    """A folder for one run, whose path holds a word that no outcome may repeat."""
    with command.scratch_folder("hostile-run-") as place:
        yield place


def pytest_configure(config):
    # What a deadline ends must still take its canaries and folders away.
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", 143))
    config.addinivalue_line("markers", "case(name): which row of the table a test belongs to")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    result = yield
    report = result.get_result()
    mark = item.get_closest_marker("case")
    if mark is None:
        return
    if report.failed:
        TALLY.note(mark.args[0], "failed")
    elif report.skipped:
        TALLY.note(mark.args[0], str(report.longrepr[2]) if report.longrepr else "skipped")
    elif report.when == "call":
        TALLY.note(mark.args[0], "passed")


def coverage(cases, tally):
    """Which ids applied, which were covered by what ran here, and why the others were not."""
    try:
        index = table.catalogue(cases)
    except (table.BadTable, OSError):
        return None
    passed = tally.covered(cases)
    covered, uncovered = [], dict(index.uncovered)
    for identifier, names in index.covered.items():
        ran = [name for name in names if name in tally.verdicts]
        if ran and all(name in passed for name in ran):
            covered.append(identifier)
        elif ran:
            bad = [name for name in ran if name not in passed]
            why = next(v for name in bad for v in tally.verdicts[name] if v != "passed")
            uncovered[identifier] = f"{', '.join(bad)}: {why}"
        else:
            full_only = all(case.tier == "full" for case in cases if identifier in case.ids)
            uncovered[identifier] = "runs with --full" if full_only else NOT_RUN
    covered += [
        identifier for identifier in index.elsewhere if table.class_of(identifier) in table.OURS
    ]
    applies = index.applies()
    return {
        "applies": applies,
        "covered": sorted(set(covered) & set(applies)),
        "uncovered": {key: uncovered[key] for key in sorted(uncovered) if key in applies},
        "elsewhere": {key: value["by"] for key, value in index.elsewhere.items()},
        "not_applicable": index.not_applicable,
    }


def pytest_terminal_summary(terminalreporter):
    if not TALLY.verdicts:
        return
    summary = coverage(table.load(), TALLY)
    if summary is None:
        return
    write = terminalreporter.write_line
    terminalreporter.section("catalogue")
    write(f"{len(summary['covered'])} of {len(summary['applies'])} ids that apply are covered")
    for identifier, why in summary["uncovered"].items():
        if why != NOT_RUN:
            write(f"  not covered: {identifier}: {why}")
    write(
        f"{len(summary['not_applicable'])} ids do not apply yet, each with its reason in the table"
    )
    write(f"{TALLY.censuses} censuses, {len(TALLY.left)} things left behind")


def pytest_sessionfinish(session):
    place = os.environ.get("BELLJAR_TEST_RESULTS")
    if not place or not TALLY.verdicts:
        return
    summary = coverage(table.load(), TALLY)
    if summary is None:
        return
    shown = {key: summary[key] for key in ("applies", "covered", "uncovered")}
    notes = [
        f"{len(summary['not_applicable'])} ids do not apply yet, each with its reason in "
        "tests/hostile/catalogue.toml"
    ]
    name = "hostile_warm" if command.WARM else "hostile"
    report = {
        "suite": name,
        "catalogue": shown,
        "notes": notes,
        "census": {"checked": TALLY.censuses, "left": TALLY.left},
    }
    pathlib.Path(place, f"{name}.json").write_text(json.dumps(report, indent=1))
