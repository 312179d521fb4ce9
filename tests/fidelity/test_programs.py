"""Ordinary programs that use threads, processes, databases, temporary files and signals, per language."""

import os
import pathlib
import re
import tomllib

import pytest

from conftest import HERE, ROOT, in_cell

PROGRAMS = sorted(
    path for path in (HERE / "programs").glob("*/*") if path.parent.name != "expected"
)
LANGUAGES = ("bash", "c", "cpp", "java", "javascript", "perl", "python")
TOPICS = ("threads", "subprocess", "multiprocessing", "sqlite", "tempfile", "signals")
# What a language does not have in its own library, as Debian's package brings it.
WITHOUT = {
    ("bash", "threads"), *((language, "sqlite") for language in LANGUAGES if language != "python"),
}  # fmt: skip


def topic(path):
    return re.sub(r"_?use$", "", path.stem.lower())


def test_every_language_has_every_topic():
    there = {(path.parent.name, topic(path)) for path in PROGRAMS}
    assert there == {(language, name) for language in LANGUAGES for name in TOPICS} - WITHOUT


def toolchain_is_there(language):
    manifest = tomllib.loads((ROOT / "runtimes" / f"{language}.toml").read_text())
    return all(
        any(os.access(candidate, os.X_OK) for candidate in candidates)
        for candidates in manifest["programs"].values()
    )


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: f"{path.parent.name}-{topic(path)}")
def test_program_prints_what_it_does_outside(program: pathlib.Path):
    if not toolchain_is_there(program.parent.name):
        pytest.skip(f"no toolchain for {program.parent.name}")
    outcome = in_cell(program)
    stage = outcome["stages"][-1]
    assert outcome["status"] == "ok", f"{outcome['reason']}\n{stage['stderr']['text']}"
    expected = (HERE / "programs/expected" / f"{topic(program)}.out").read_text()
    assert stage["stdout"]["text"] == expected
    assert stage["events"]["leftover_processes"] == 0
