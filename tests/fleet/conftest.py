"""A database server for all tests of this folder, services on it, ended and waited for."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.command import scratch_folder  # noqa: E402 - after the path above
from support.postgres import Postgres  # noqa: E402
from support.service import LiveService  # noqa: E402


@pytest.fixture(scope="session")
def shared_postgres():
    with scratch_folder("belljar-fleet-") as folder, Postgres(folder / "postgres") as server:
        yield server


@pytest.fixture
def own_postgres():
    """For who stops it."""
    with scratch_folder("belljar-fleet-") as folder, Postgres(folder / "postgres") as server:
        yield server


@pytest.fixture
def serve():
    """Starts services on a database; what is there at the end is ended, and must end well."""
    made = []
    with scratch_folder("belljar-fleet-") as folder:

        def start(url, *options, **named):
            home = named.pop("home", None) or folder / str(len(made))
            service = LiveService(home, "--ledger", url, "--pool", "4", *options, **named)
            made.append(service)
            return service

        yield start
        codes = [(each, each.stop()) for each in made if each.process.poll() is None]
    wrong = [f"exit code {code}:\n{each.log[-5000:]}" for each, code in codes if code != 0]
    assert not wrong, "\n".join(wrong)
