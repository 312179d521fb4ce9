"""Ways out of a guard: what each gets of it, and that whoever gets past it is in the cell as before."""

import pathlib
import subprocess
import sys

import pytest

from conftest import outcome_under
from support.canaries import Canaries

ESCAPES = sorted((pathlib.Path(__file__).parent / "escapes").glob("*.py"))
# What a program tries that has got hold of the operating system's module.
BEYOND = """
print("reached" if prize is not None else "kept")
if type(prize) is type(__builtins__) and hasattr(prize, "getpid"):
    def attempt(what, function, *arguments):
        try:
            function(*arguments)
        except OSError as error:
            print("attempt", what, "denied", error.errno)
        else:
            print("attempt", what, "ok")
    attempt("read", prize.open, {secret!r}, 0)
    attempt("list", prize.listdir, {folder!r})
    attempt("write", prize.open, {folder!r} + "/new", 0o101)
    attempt("signal", prize.kill, {pid}, 0)
"""


@pytest.fixture(scope="module")
def canaries():
    with Canaries() as made:
        yield made


def whole(path, canaries):
    return "prize = None\n" + path.read_text() + BEYOND.format(**canaries.words)


def is_passed(path):
    (said,) = [line for line in path.read_text().splitlines() if line.startswith("# guard: ")]
    return {"# guard: stops": False, "# guard: is passed": True}[said]


def stdout(outcome):
    return outcome["stages"][-1]["stdout"]["text"]


def check_it_stayed_inside(outcome, canaries):
    assert " ok\n" not in stdout(outcome), outcome
    assert canaries.token not in str(outcome)
    assert canaries.problems() == []


def test_there_are_enough_of_both_kinds():
    kinds = [is_passed(path) for path in ESCAPES]
    assert kinds.count(True) >= 8 and kinds.count(False) >= 15
    assert all(path.read_text().startswith('"""') for path in ESCAPES)


@pytest.mark.parametrize("way", ["cold", "interpreter"])
@pytest.mark.parametrize("path", ESCAPES, ids=lambda path: path.stem)
def test_what_the_guard_says_of_it(path, way, canaries):
    outcome = outcome_under("namekeeper", whole(path, canaries), way)
    check_it_stayed_inside(outcome, canaries)
    if path.stem == "bytecode_crash":
        assert outcome["stages"][-1]["status"] == "signalled" or "reached" in stdout(outcome), outcome
    elif is_passed(path):
        assert "reached\n" in stdout(outcome), outcome
    else:
        assert "reached\n" not in stdout(outcome), outcome


@pytest.mark.parametrize("path", [path for path in ESCAPES if not is_passed(path)], ids=lambda path: path.stem)
def test_without_the_guard_it_is_reached(path, canaries):
    """The control: each of them does work where nothing stops it, and stays inside then too."""
    outcome = outcome_under("none", whole(path, canaries))
    assert "reached\n" in stdout(outcome), outcome
    check_it_stayed_inside(outcome, canaries)


def test_the_attempts_do_work_on_the_host():
    """The control of the attempts: outside of a cell nothing denies them."""
    with Canaries() as others:
        source = "import posix\nprize = posix\n" + BEYOND.format(**others.words)
        done = subprocess.run([sys.executable, "-I", "-c", source], capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.splitlines() == ["reached", *(f"attempt {what} ok" for what in ("read", "list", "write", "signal"))]
