"""A program cannot tell a warm start from a cold one: everything is the same but times and `start`."""

import tomllib

import pytest

from one import HERE, outcome_of, plain

LISTS = {"python": "fidelity.toml", "javascript": "fidelity_node.toml", "java": "fidelity_java.toml"}
PREFIXES = {"python": "", "javascript": "node-", "java": "java-"}
KEYS = {"name", "language", "source", "path", "files", "args", "env", "stdin", "stdin_base64", "limits", "why", "cut", "artifacts"}


def listed(kind):
    """The programs of that kind, each with its language."""
    for language, file in LISTS.items():
        for program in tomllib.loads((HERE / file).read_text())[kind]:
            yield {"language": language, **program}


PROGRAMS = list(listed("program"))
DIFFERENCES = list(listed("difference"))


def name_of(program):
    return PREFIXES[program["language"]] + program["name"]


def test_the_list_is_well_formed():
    names = [name_of(program) for program in PROGRAMS + DIFFERENCES]
    assert len(set(names)) == len(names)
    assert not [(name_of(program), program.keys() - KEYS) for program in PROGRAMS + DIFFERENCES if program.keys() - KEYS]


def started_as(program, way):
    outcome, start = plain(outcome_of(program, way), program.get("cut", ()))
    assert start == way
    return outcome


COLD = {}  # by program: compared with more than once


def cold(program):
    name = name_of(program)
    if name not in COLD:
        COLD[name] = started_as(program, "cold")
    return COLD[name]


@pytest.mark.parametrize("way", ["cell", "interpreter"])
@pytest.mark.parametrize("program", PROGRAMS, ids=name_of)
def test_the_outcome_is_the_same(program, way):
    assert started_as(program, way) == cold(program)


@pytest.mark.parametrize("difference", DIFFERENCES, ids=name_of)
def test_what_differs_by_design_still_does(difference):
    assert difference["why"].strip()
    without, warm = cold(difference), started_as(difference, "interpreter")
    assert (without["status"], warm["status"]) == ("ok", "ok")
    assert without != warm


def test_the_comparison_sees_a_difference():
    outcomes = [plain(outcome_of({"source": f"print({n})\n"}, "cold"))[0] for n in (1, 2)]
    assert outcomes[0] != outcomes[1]


def test_a_compiler_waits_as_well():
    source = "public class Main { public static void main(String[] args) { System.out.println(1); } }"
    starts = [stage["start"] for stage in outcome_of({"language": "java", "source": source}, "interpreter")["stages"]]
    assert starts == ["interpreter", "interpreter"]


def test_modules_that_are_there_ahead_are_those_of_a_later_import():
    source = """
import sys
ahead = dict(sys.modules)
assert "json" in ahead and "json" not in globals()
import json, random, collections.abc
print(json is ahead["json"], random is ahead["random"], collections is ahead["collections"])
"""
    outcome, start = plain(outcome_of({"source": source}, "interpreter"))
    assert start == "interpreter"
    assert outcome["stages"][-1]["stdout"]["text"] == "True True True\n"
