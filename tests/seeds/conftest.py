"""The services that the rows are sent to: one for each environment."""

import contextlib
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support import command  # noqa: E402
from support.service import free_port, serving  # noqa: E402

# Else the rows would be over secure-sandbox's rate after the tenth.
OFTEN = {"RATE_LIMIT": "100000"}
SECRET = "wild-heron-7261"


class Services:
    """Started when first asked for."""

    def __init__(self, stack):
        self._stack = stack
        self._started = {}

    def of(self, env):
        key = tuple(sorted({**OFTEN, **env}.items()))
        if key not in self._started:
            variables = {**dict(key), "SERVICE_SECRET": SECRET}  # a canary: no run may see it
            self._started[key] = self._stack.enter_context(serving(env=variables))
        return self._started[key]


@pytest.fixture(scope="session")
def services():
    if not os.access(command.binary(), os.X_OK):
        pytest.fail(f"{command.binary()} is not there: ./dev build", pytrace=False)
    with contextlib.ExitStack() as stack:
        yield Services(stack)


@pytest.fixture(scope="session")
def service(services):
    return services.of({})


@pytest.fixture(scope="session")
def executor_port():
    return free_port()


@pytest.fixture(scope="session")
def executor(services, executor_port):
    """One that also listens as pysandbox's executor."""
    return services.of({"EXECUTOR_PORT": str(executor_port)})
