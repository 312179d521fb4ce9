"""A service that listens as E2B's code interpreter, where the package in its debug mode looks for one."""

import pathlib
import socket
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.service import serving  # noqa: E402 - after the path above

PORT = 49999  # the package has no setting for it


@pytest.fixture(scope="session")
def service():
    try:
        socket.create_server(("127.0.0.1", PORT)).close()
    except OSError as error:
        pytest.fail(f"port {PORT} of loopback, which the package asks, must be free: {error}", pytrace=False)
    with serving("--e2b-port", str(PORT), "--concurrent", "4") as service:
        yield service


@pytest.fixture
def call(service):
    """One request to the port."""

    def call(method, target, body=None, headers=None):
        return service.call(method, target, body, headers, port=PORT)

    return call
