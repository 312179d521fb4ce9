"""The documents name only what is there, and the check of that finds what is not."""

import pathlib

import pytest

import documents

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_every_path_in_the_documents_exists():
    missing = list(documents.missing_paths(ROOT))
    assert not missing, "\n" + "\n".join(f"{where}: {what}" for where, what in missing)


def test_every_promise_names_its_test():
    broken = list(documents.broken_promises(ROOT))
    assert not broken, "\n" + "\n".join(f"{promise}: {why}" for promise, why in broken)


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "tests/cell").mkdir(parents=True)
    (tmp_path / "tests/cell/test_walls.py").write_text("def test_root_is_read_only(): ...\n")
    (tmp_path / "README.md").write_text("See [security](docs/security.md).\n")
    rows = "".join(f"| P{n} | a promise | `tests/cell/test_walls.py` |\n" for n in range(10))
    (tmp_path / "docs/security.md").write_text("| id | promise | test |\n|---|---|---|\n" + rows)
    assert list(documents.missing_paths(tmp_path)) == []
    assert list(documents.broken_promises(tmp_path)) == []
    return tmp_path


@pytest.mark.parametrize(
    "text, missing",
    [
        ("look at `src/cell/gone.cpp`", "src/cell/gone.cpp"),
        ("[there](gone.md#part)", "gone.md#part"),
        ("`tests/cell/test_walls.py::test_gone`", "tests/cell/test_walls.py::test_gone"),
        ("`tests/gone/*.py`", "tests/gone/*.py"),
    ],
)
def test_a_path_that_is_gone_is_found(tree, text, missing):
    (tree / "docs/planted.md").write_text(text + "\n")
    assert list(documents.missing_paths(tree)) == [("docs/planted.md", missing)]


@pytest.mark.parametrize(
    "text",
    [
        "`/proc/self/status`, `a/b`, `text/html`, `ls src/gone`",
        "`tests/cell/test_walls.py::test_root_is_read_only`, `tests/cell/*.py`, `tests/cell/`",
        "[out](https://example.org/gone.md) and [part](#part)",
        "```\nsrc/gone.cpp `src/gone.cpp`\n```",
    ],
)
def test_what_is_no_path_of_ours_is_left_alone(tree, text):
    (tree / "docs/planted.md").write_text(text + "\n")
    assert list(documents.missing_paths(tree)) == []


@pytest.mark.parametrize(
    "row, why",
    [
        ("", "docs/security.md has no row for it"),
        ("| P3 | a promise | by design |\n", "its row names no test"),
        ("| P3 | a promise | `src/cell/cell.h` |\n", "its row names no test"),
        ("| P3 | a promise | `tests/gone.py` |\n", "tests/gone.py does not exist"),
    ],
)
def test_a_promise_without_a_test_is_found(tree, row, why):
    path = tree / "docs/security.md"
    path.write_text(path.read_text().replace("| P3 | a promise | `tests/cell/test_walls.py` |\n", row))
    assert list(documents.broken_promises(tree)) == [("P3", why)]
