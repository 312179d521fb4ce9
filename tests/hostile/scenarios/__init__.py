"""What one run of one victim cannot tell: cells beside each other, terminals, views from outside.

A scenario takes the bench and a folder, and answers with problems as lines of text; none is good.
"""

import os
import pathlib
import stat

from support import command

_SCENARIOS = {}
_VICTIMS = set()


def scenario(*victims):
    """Registers a function under its name, with the victims that it runs."""

    def register(function):
        _SCENARIOS[function.__name__] = function
        _VICTIMS.update(victims)
        return function

    return register


def play(name, bench, folder):
    return _SCENARIOS[name](bench, folder)


def names():
    return set(_SCENARIOS)


def victims():
    return set(_VICTIMS)


def check_artifacts(folder):
    """What was written for the client: plain files and folders of its own, and no odd bits."""
    problems = []
    for path in sorted(pathlib.Path(folder).rglob("*")):
        status = path.lstat()
        name = path.name.encode(errors="surrogateescape")
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            problems.append(f"artifact {name!r} is no file")
        if status.st_mode & 0o7000 or status.st_mode & 0o022:
            problems.append(f"artifact {name!r} has the mode {status.st_mode:o}")
        if status.st_uid != owner():
            problems.append(f"artifact {name!r} belongs to {status.st_uid}")
        if any(byte < 0x20 or byte == 0x7F for byte in name):
            problems.append(f"artifact {name!r} has control characters in its name")
    return problems


def owner():
    user = command.ordinary_user()
    return os.geteuid() if user is None else user.pw_uid


from hostile.scenarios import cross_cell, outside, resources, syscalls, terminal  # noqa: E402, F401
