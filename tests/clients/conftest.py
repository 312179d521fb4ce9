"""Live services for the clients, and what stands between the two."""

import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "api"), str(TESTS.parent / "clients/python")]

from node import Play  # noqa: E402 - after the path above
from support.service import serving  # noqa: E402


@pytest.fixture(scope="session")
def service():
    """One for all tests: two runs at once."""
    with serving("--concurrent", "2") as service:
        yield service


@pytest.fixture(scope="session")
def keyed():
    """One that asks for a key, and lets a key make three requests at first and one in 20 seconds afterwards."""
    with serving("--require-key", "--rate", "3") as service:
        yield service


@pytest.fixture(scope="session")
def play(tmp_path_factory):
    return Play(tmp_path_factory.mktemp("scenarios"))


@pytest.fixture
def url(service):
    return url_of(service.address)


def url_of(address):
    return f"http://{address[0]}:{address[1]}"
