"""The table of hostile cases: its rows as values, read from cases/*.toml, and what is not in it.

A row that breaks the grammar is an error here, before anything runs: a misspelt expectation would
otherwise be no expectation at all.
"""

import dataclasses
import pathlib
import re
import tomllib

FOLDER = pathlib.Path(__file__).resolve().parent
CASES = FOLDER / "cases"
CATALOGUE = FOLDER / "catalogue.toml"
FIRST_ID, LAST_ID = 1, 222
CLASSES = {
    "A": range(1, 46),
    "B": range(46, 73),
    "C": range(73, 92),
    "D": range(92, 105),
    "E": range(105, 119),
    "F": range(119, 131),
    "G": range(131, 156),
    "H": range(156, 165),
    "I": range(165, 176),
    "J": range(176, 190),
    "K": range(190, 208),
    "L": range(208, 223),
}
OURS = "ABCDEFGHIJL"  # the classes whose ids are counted here, where no suite reports on them itself

STATUSES = frozenset(
    """ok runtime_error signalled timeout memory_limit output_limit disk_limit compile_error
    rejected setup_error cancelled""".split()
)
WALLS = frozenset(
    """pid-namespace mount-namespace net-namespace ipc-namespace uts-namespace cgroup-namespace
    time-namespace private-root private-devices proc own-uid init-uid no-capabilities no-new-privs
    landlock landlock-scope seccomp memory-limit process-limit cpu-limit cpu-bill rlimits""".split()
)
# What a case may need besides walls; see conftest.Features.
FEATURES = frozenset({"root", "kernel-log", "node", "java", "perl", "g++", "gcc", "ipv6", "ia32"})

EXPECTATIONS = {
    "status": (str, list),
    "clock": (str, list),
    "exit_code": (int, list),
    "signal": (str, list),
    "code": int,
    "attempts": dict,
    "stdout": str,
    "stdout_match": str,
    "stdout_lacks": list,
    "stderr_match": str,
    "facts": list,
    "denied": list,
    "denied_at_least": list,
    "reason": str,
    "artifacts": list,
    "cpu_limit_kept": bool,
    "bill_covers": str,
    "kernel_log_bytes": int,
    "outcome": bool,
}
RUN_KEYS = {
    "language": str,
    "policy": str,
    "policy_text": str,
    "limits": str,
    "emulated_limits": str,  # in place of `limits` where processors are emulated, some fifteen times slower
    "args": list,
    "files": list,
    "artifact": list,
    "env": list,
    "compile_limits": str,
    "scripted": bool,
    "stdin": (str, dict),
    "options": list,
    "timeout": int,
}
CASE_KEYS = {
    **RUN_KEYS,
    "ids": list,
    "name": str,
    "what": str,
    "victim": str,
    "scenario": str,
    "needs": list,
    "tier": str,
    "repeat": int,
    "repeat_full": int,
    "beside": bool,
    "template": bool,
    "expect": dict,
    "control": dict,
    "marker": str,
    "cold_only": str,  # why a run in an interpreter that waited does otherwise
}
CONTROL_KEYS = {
    **RUN_KEYS,
    "without": list,
    "bare": bool,
    "keep": list,
    "user": bool,
    "prlimit": list,
    "builtin": str,
    "scenario": str,
    "expect": dict,
    "needs": list,
    "victim": str,
    "cold_only": str,
}


class BadTable(ValueError):
    """A row that says something the runner would not understand."""


def _check(where, table, grammar):
    for key, value in table.items():
        if key not in grammar:
            raise BadTable(f"{where}: unknown key {key!r}")
        if not isinstance(value, grammar[key]):
            raise BadTable(f"{where}: {key} has the wrong type")


def _check_expect(where, expect):
    _check(f"{where}.expect", expect, EXPECTATIONS)
    for status in as_list(expect.get("status", [])):
        if status not in STATUSES:
            raise BadTable(f"{where}: no status is called {status!r}")
    if not expect:
        raise BadTable(f"{where}: expects nothing")


def as_list(value):
    return value if isinstance(value, list) else [value]


@dataclasses.dataclass
class Case:
    """One row. `run` holds the words that shape the run; `control` is the row's own table."""

    name: str
    ids: list
    what: str
    victim: str | None
    scenario: str | None
    needs: list
    tier: str
    repeat: int
    repeat_full: int
    beside: bool
    template: bool
    run: dict
    expect: dict
    control: dict
    cold_only: str
    file: str

    def __str__(self):
        return f"{self.file}:{self.name}"


def _case(file, row):
    where = f"{file}: {row.get('name', '?')}"
    _check(where, row, CASE_KEYS)
    for key in ("name", "ids", "what", "control"):
        if key not in row:
            raise BadTable(f"{where}: {key} is missing")
    if ("victim" in row) == ("scenario" in row):
        raise BadTable(f"{where}: needs either a victim or a scenario")
    if not re.fullmatch(r"[a-z0-9-]+", row["name"]):
        raise BadTable(f"{where}: a name is of lower-case letters, digits and hyphens")
    for number in row["ids"]:
        if number != "seed" and not re.fullmatch(r"T\d{3}", number):
            raise BadTable(f"{where}: {number!r} is no id")
    if row.get("tier", "quick") not in ("quick", "full"):
        raise BadTable(f"{where}: tier is quick or full")
    for need in row.get("needs", []) + row["control"].get("needs", []):
        if need not in WALLS | FEATURES:
            raise BadTable(f"{where}: cannot need {need!r}")
    if "victim" in row:
        _check_expect(where, row.get("expect", {}))
    _check_control(where, row["control"])
    return Case(
        name=row["name"],
        ids=row["ids"],
        what=row["what"],
        victim=row.get("victim"),
        scenario=row.get("scenario"),
        needs=row.get("needs", []),
        tier=row.get("tier", "quick"),
        repeat=row.get("repeat", 1),
        repeat_full=row.get("repeat_full", row.get("repeat", 1)),
        beside=row.get("beside", False),
        template=row.get("template", False),
        run={key: row[key] for key in RUN_KEYS if key in row},
        expect=row.get("expect", {}),
        cold_only=row.get("cold_only", ""),
        control=row["control"],
        file=pathlib.Path(file).stem,
    )


def _check_control(where, control):
    where = f"{where}.control"
    _check(where, control, CONTROL_KEYS)
    for wall in control.get("without", []):
        if wall not in WALLS:
            raise BadTable(f"{where}: no wall is called {wall!r}")
    if "builtin" in control or "scenario" in control:
        return
    _check_expect(where, control.get("expect", {}))


def load(folder=CASES):
    """Every case, in the order of the files and of the rows in them. Names are unique."""
    cases = []
    for path in sorted(folder.glob("*.toml")):
        rows = tomllib.loads(path.read_text())
        if set(rows) != {"case"}:
            raise BadTable(f"{path.name}: only [[case]] tables stand here")
        cases += [_case(path.name, row) for row in rows["case"]]
    names = [case.name for case in cases]
    for name in names:
        if names.count(name) > 1:
            raise BadTable(f"two cases are called {name}")
    return cases


def all_ids():
    return [f"T{number:03}" for number in range(FIRST_ID, LAST_ID + 1)]


def class_of(identifier):
    number = int(identifier[1:])
    return next(letter for letter, numbers in CLASSES.items() if number in numbers)


@dataclasses.dataclass
class Catalogue:
    """Where each id of the catalogue is dealt with. Every id stands in exactly one of the four."""

    covered: dict  # id -> names of its cases
    elsewhere: dict  # id -> {"by": path of the tests, "why": …}
    uncovered: dict  # id -> reason
    not_applicable: dict  # id -> reason

    def applies(self):
        return sorted(
            identifier
            for identifier in [*self.covered, *self.elsewhere, *self.uncovered]
            if class_of(identifier) in OURS and "suite" not in self.elsewhere.get(identifier, {})
        )


def catalogue(cases, path=CATALOGUE):
    """Joins the cases with the file of those ids that have none, and checks that all are there."""
    data = tomllib.loads(path.read_text())
    covered = {}
    for case in cases:
        for identifier in case.ids:
            if identifier != "seed":
                covered.setdefault(identifier, []).append(case.name)
    not_applicable = dict(data["not_applicable"])
    for group in data.get("whole_classes", []):
        for letter in group["classes"]:
            for number in CLASSES[letter]:
                identifier = f"T{number:03}"
                if identifier not in [*covered, *data["elsewhere"], *data["uncovered"]]:
                    not_applicable.setdefault(identifier, group["why"])
    result = Catalogue(covered, data["elsewhere"], data["uncovered"], not_applicable)
    seen = {}
    for place in ("covered", "elsewhere", "uncovered", "not_applicable"):
        for identifier in getattr(result, place):
            if identifier in seen:
                raise BadTable(f"{identifier} stands under {seen[identifier]} and {place}")
            seen[identifier] = place
    missing = sorted(set(all_ids()) - set(seen))
    unknown = sorted(set(seen) - set(all_ids()))
    if missing or unknown:
        raise BadTable(f"missing ids: {missing}; unknown ids: {unknown}")
    return result
