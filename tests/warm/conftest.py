"""What the tests of warm starts share: a live service, and the census after it."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support import census, command  # noqa: E402 - after the path above
from support.service import live_service  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def orphans():
    if not os.access(command.binary(), os.X_OK):
        pytest.fail(f"{command.binary()} is not there: ./dev build", pytrace=False)
    census.adopt_orphans()
    # The folders that the first run and the first service of a host make stay.
    with live_service("--concurrent", "1", "--pool", "1") as first:
        for _ in range(2):
            first.run("pass")


@pytest.fixture
def leaves_nothing():
    before = census.take()
    yield
    left = census.left_behind(before, patience=20.0)
    assert not left, "\n".join(left)


@pytest.fixture(scope="module")
def service():
    """Two runs at once and a pool; shared by the tests of a file."""
    with live_service("--concurrent", "2", "--pool", "4", "--rate", "0") as made:
        yield made
