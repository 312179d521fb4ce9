"""What the tests of pysandbox share: runs under a guard, and a service with a cell behind each of some ports."""

import contextlib
import os
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "warm"), str(TESTS.parent / "clients/python")]

import one  # noqa: E402 - after the path above
from support import command  # noqa: E402 - after the path above
from support.service import free_port, serving  # noqa: E402

POLICY = """
name = "guarded"
why = "To be tried."
[guard]
why = "The guard that a test wants."
python = "{guard}"
"""


@pytest.fixture(scope="session", autouse=True)
def built():
    if not os.access(command.binary(), os.X_OK):
        pytest.fail(f"{command.binary()} is not there: ./dev build", pytrace=False)


def outcome_under(guard, source, way="cold", **program):
    """The outcome of a program under a guard, begun in one of the ways of tests/warm/one.py."""
    with command.scratch_folder("guarded-") as folder:
        policy = folder / "policy.toml"
        policy.write_text(POLICY.format(guard=guard))
        outcome = one.outcome_of({"source": source, **program}, way, "--policy", str(policy))
    assert outcome["stages"][-1]["start"] == way, outcome
    return outcome


def printed(outcome):
    """What it wrote, where it ended well."""
    stage = outcome["stages"][-1]
    assert (stage["status"], stage["stderr"]["text"]) == ("ok", ""), stage
    return stage["stdout"]["text"]


@contextlib.contextmanager
def cells(count, *options, service=serving):
    """A service with so many ports, each a cell."""
    ports = []
    while len(ports) < count:
        ports = sorted({*ports, free_port()})
    with service("--pysandbox-ports", ",".join(map(str, ports)), *options) as made:
        yield made, ports


@pytest.fixture(scope="session")
def made():
    with cells(3) as both:
        yield both


@pytest.fixture(scope="session")
def service(made):
    return made[0]


@pytest.fixture(scope="session")
def ports(made):
    return made[1]


@pytest.fixture
def url(service):
    host, port = service.address
    return f"http://{host}:{port}"
