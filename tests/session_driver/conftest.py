"""What the tests of the session driver share."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from driver import Driver  # noqa: E402 - after the path above


@pytest.fixture
def start(tmp_path):
    """Starts drivers; each of them has to end well."""
    started = []

    def begin(**options):
        folder = tmp_path / f"box{len(started)}"
        folder.mkdir()
        started.append(Driver(folder, **options))
        return started[-1]

    yield begin
    ends = [one.close() for one in started]
    assert ends == [0] * len(started)


@pytest.fixture
def driver(start):
    return start()
