"""Services that send webhooks; those that are there at the end are ended."""

import pathlib
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from sending import Service  # noqa: E402 - after the path above
from support.command import scratch_folder  # noqa: E402


@pytest.fixture
def serve():
    with scratch_folder("belljar-webhooks-") as folder:
        made = []

        def start(*options, after=None, **named):
            """`after`: an earlier one, whose ledger it goes on with."""
            place = after.folder if after else folder / str(len(made))
            made.append(Service(place, *options, **named))
            return made[-1]

        yield start
        for service in made:
            assert service.stop() in (0, -signal.SIGKILL), service.log
