"""CPython's own tests do in a cell what they do outside: the same ones pass, fail and skip."""

import fnmatch
import json
import os
import tomllib

import pytest

from conftest import HERE, WARM, Aside, bare, in_cell

LIST = tomllib.loads((HERE / "cpython.toml").read_text())
START = "interpreter" if WARM else "cold"
EXCEPTIONS = [entry for entry in LIST.get("exception", []) if entry.get("start", START) == START]
LIMITS = "wall=180s,cpu=180s,memory=2G,processes=256,box=512M,tmp=512M,file_size=512M,cpus=2"
MARK = "fidelity: "


def thirds():
    everything = os.environ.get("BELLJAR_TEST_SIZE") == "full"
    return list(LIST["thirds"]) if everything else [LIST["sized"]]


def words_of(output):
    """test -> word, and test -> why it failed, from what run_module.py printed."""
    lines = [line for line in output.splitlines() if line.startswith(MARK)]
    assert lines, f"the tests did not run to their end: {output[-2000:]}"
    answer = json.loads(lines[-1].removeprefix(MARK))
    (results,), (why,) = answer["results"].values(), answer["why"].values()
    return results, why


def names(entry, test):
    return any(fnmatch.fnmatch(test, pattern) for pattern in entry["tests"])


def exception_for(test, outside, inside, why):
    for entry in EXCEPTIONS:
        same = (entry["bare"], entry["cell"]) == (outside, inside)
        if same and names(entry, test) and entry.get("error", "") in why:
            return entry
    return None


def test_the_list_is_long_enough_and_names_each_module_once():
    modules = [module for third in LIST["thirds"].values() for module in third]
    assert len(modules) >= 120
    assert len(set(modules)) == len(modules)
    assert 3 * len(LIST["thirds"][LIST["sized"]]) >= len(modules)


def test_every_exception_says_why():
    modules = {module for third in LIST["thirds"].values() for module in third}
    for entry in EXCEPTIONS:
        assert entry["why"].strip()
        for pattern in entry["tests"]:
            assert pattern.split(".")[1] in modules, pattern


def compare(module):
    """What the module's tests did otherwise in the cell, and the exceptions that no longer occur."""
    program = HERE / "run_module.py"
    outside = Aside(lambda: bare(program, module, deadline=200))
    outcome = in_cell(program, module, limits=LIMITS)
    outside, why_outside = words_of(outside.result())
    stage = outcome["stages"][-1]
    if outcome["status"] != "ok":
        return [f"{outcome['reason']}\n{stage['stderr']['text'][-2000:]}"]
    inside, why = words_of(stage["stdout"]["text"])
    different, used = [], []
    for test in sorted(outside.keys() | inside.keys()):
        pair = outside.get(test, "absent"), inside.get(test, "absent")
        if pair[0] == pair[1]:
            continue
        entry = exception_for(test, *pair, why.get(test, ""))
        if entry:
            used.append((entry, test))
        else:
            reason = why.get(test) or why_outside.get(test, "")
            different.append(f"{test}: {pair[0]} outside, {pair[1]} in the cell: {reason}")
    different += [
        f"{pattern}: an exception that no longer occurs"
        for entry in EXCEPTIONS for pattern in entry["tests"]
        if applies(pattern, entry, module, outside)
        and not any(one is entry and fnmatch.fnmatch(test, pattern) for one, test in used)
    ]  # fmt: skip
    return different if inside else ["no test ran"]


@pytest.mark.parametrize("module", [m for third in thirds() for m in LIST["thirds"][third]])
def test_module_does_the_same(module):
    # Some of these tests race against the clock, as CPython's own runner knows: it runs what failed
    # a second time. A difference counts when it is there both times.
    different = compare(module) and compare(module)
    assert not different, "\n" + "\n".join(different)


def applies(pattern, entry, module, outside):
    """Whether tests of this module end bare as the exception says; on another host they may not."""
    return pattern.split(".")[1] == module and any(
        word == entry["bare"] and fnmatch.fnmatch(test, pattern) for test, word in outside.items()
    )
