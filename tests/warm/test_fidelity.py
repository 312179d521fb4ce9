"""A program cannot tell a warm start from a cold one: everything is the same but times and `start`."""

import tomllib

import pytest

from one import HERE, outcome_of, plain

LIST = tomllib.loads((HERE / "fidelity.toml").read_text())
PROGRAMS = LIST["program"]
DIFFERENCES = LIST["difference"]
KEYS = {"name", "source", "path", "files", "args", "env", "stdin", "stdin_base64", "limits", "why", "cut", "artifacts"}


def name_of(program):
    return program["name"]


def test_the_list_is_well_formed():
    names = [program["name"] for program in PROGRAMS]
    assert len(set(names)) == len(names)
    assert not [(program["name"], program.keys() - KEYS) for program in PROGRAMS if program.keys() - KEYS]


def started_as(program, way):
    outcome, start = plain(outcome_of(program, way), program.get("cut", ()))
    assert start == way
    return outcome


@pytest.mark.parametrize("way", ["cell", "interpreter"])
@pytest.mark.parametrize("program", PROGRAMS, ids=name_of)
def test_the_outcome_is_the_same(program, way):
    assert started_as(program, way) == started_as(program, "cold")


@pytest.mark.parametrize("difference", DIFFERENCES, ids=name_of)
def test_what_differs_by_design_still_does(difference):
    assert difference["why"].strip()
    cold, warm = started_as(difference, "cold"), started_as(difference, "interpreter")
    assert (cold["status"], warm["status"]) == ("ok", "ok")
    assert cold != warm


def test_the_comparison_sees_a_difference():
    outcomes = [plain(outcome_of({"source": f"print({n})\n"}, "cold"))[0] for n in (1, 2)]
    assert outcomes[0] != outcomes[1]


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
