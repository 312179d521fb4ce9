"""`belljar bench`: every way in which a run begins, told by the outcomes' own phases."""

import pytest

from shell import belljar

PHASES = ["queue_ms", "build_ms", "run_ms", "collect_ms", "teardown_ms"]


@pytest.fixture
def hello(folder):
    (folder / "hello.py").write_text("import sys\nprint(sys.stdin.read(), sys.argv[1:])\n")
    (folder / "in.txt").write_text("given")
    return "hello.py"


def rows_of(*words):
    done = belljar("bench", "--json", "--runs", "2", *words)
    assert done.code == 0, done.err
    return done.json["rows"]


def test_each_way_is_run_as_often(hello):
    rows = rows_of(hello)
    assert [(row["stage"], row["start"], row["runs"]) for row in rows] == [
        ("run", "cold", 2), ("run", "cell", 2), ("run", "interpreter", 2),
    ]  # fmt: skip
    for row in rows:
        assert list(row["phases"]) == PHASES
        assert row["p90_ms"] >= row["p50_ms"] >= row["phases"]["run_ms"] > 0
        assert row["cpu_ms"] > 0
    cold, cell, interpreter = (row["phases"] for row in rows)
    assert cold["teardown_ms"] > 0 == cell["teardown_ms"] == interpreter["teardown_ms"]


def test_compile_stages_are_told_apart(folder):
    (folder / "a.c").write_text("int main(void) { return 0; }\n")
    rows = rows_of("a.c")
    # Nothing waits with a C program up in it: the third way is the second.
    assert [(row["stage"], row["start"], row["runs"]) for row in rows] == [
        ("compile", "cold", 2), ("compile", "cell", 4), ("run", "cold", 2), ("run", "cell", 4),
    ]  # fmt: skip


def test_the_table_has_the_phases_where_they_are_asked_for(hello):
    short = belljar("bench", "--runs", "1", hello)
    long = belljar("bench", "--runs", "1", "--phases", hello)
    assert (short.code, long.code) == (0, 0)
    names = [name.removesuffix("_ms") for name in PHASES]
    assert short.out.decode().splitlines()[0].split() == ["stage", "start", "runs", "p50", "p90", "cpu"]
    assert long.out.decode().splitlines()[0].split() == ["stage", "start", "runs", "p50", "p90", "cpu", *names]
    assert [line.split()[:3] for line in long.out.decode().splitlines()[1:4]] == [
        ["run", "cold", "1"], ["run", "cell", "1"], ["run", "interpreter", "1"],
    ]  # fmt: skip


def test_the_program_gets_what_it_would_get(folder):
    (folder / "a.py").write_text(
        "import os, sys\nassert (sys.stdin.read(), sys.argv[1:], os.environ['N']) == ('given', ['x', '-y'], '1')\n"
        "open('out.txt', 'w').write('made')\n"
    )
    (folder / "in.txt").write_text("given")
    rows = rows_of("--stdin", "in.txt", "--env", "N=1", "--artifact", "*.txt", "a.py", "x", "-y")
    assert all(row["phases"]["collect_ms"] > 0 for row in rows)
    assert sorted(path.name for path in folder.iterdir()) == ["a.py", "in.txt"]


@pytest.mark.parametrize(
    "source, code, says", [("import sys; sys.exit(3)\n", 3, "runtime_error: exit code 3"), ("while True: pass\n", 124, "timeout: used 20")]
)
def test_a_program_that_does_not_end_well_ends_it(folder, source, code, says):
    (folder / "a.py").write_text(source)
    done = belljar("bench", "--limit", "cpu=200ms", "a.py")
    assert (done.code, done.out) == (code, b"")
    assert says in done.err.decode()


@pytest.mark.parametrize("runs", ["0", "10001", "many", "-1"])
def test_a_bad_number_is_named(hello, runs):
    done = belljar("bench", f"--runs={runs}", hello)
    assert done.code == 2
    assert f"--runs '{runs}' is not a number from 1 to 10000" in done.err.decode()
