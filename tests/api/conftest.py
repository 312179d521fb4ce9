"""Services for the tests, ended and waited for; their logs are shown where a test fails."""

import os
import pathlib
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from service import Service  # noqa: E402 - after the path above
from support.command import scratch_folder  # noqa: E402

LOG_END = 8000  # characters


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if not report.failed:
        return
    for name in item.fixturenames:
        service = item.funcargs.get(name)
        for each in service.made if isinstance(service, Maker) else [service]:
            if isinstance(each, Service) and each.log_file.exists():
                report.sections.append((f"log of {name}", each.log[-LOG_END:]))


class Maker:
    """Starts services; those that are there at the end are ended."""

    def __init__(self, folder):
        self.folder = folder
        self.made = []

    def __call__(self, *words, folder=None, **options):
        service = Service(folder or self.folder / str(len(self.made)), *words, **options)
        self.made.append(service)
        return service

    def stop(self):
        for service in self.made:
            service.process.terminate()
        ended = [(service, service.stop()) for service in self.made]
        wrong = [f"exit code {code}:\n{service.log[-LOG_END:]}" for service, code in ended if code != 0]
        assert not wrong, "\n".join(wrong)


@pytest.fixture
def serve():
    # Not pytest's own folder: the gateway is somebody else, who may not look into that.
    with scratch_folder("belljar-api-") as folder:
        maker = Maker(folder)
        yield maker
        maker.stop()


@pytest.fixture
def headers_folder():
    """Not in /tmp, which no cell can show."""
    with tempfile.TemporaryDirectory(prefix="belljar-headers-", dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        yield pathlib.Path(folder)


@pytest.fixture(scope="module")
def service_maker():
    with scratch_folder("belljar-api-") as folder:
        maker = Maker(folder)
        yield maker
        maker.stop()


@pytest.fixture(scope="module")
def service(service_maker):
    """One for all tests of a file: two runs at once, bodies of up to 1 MiB."""
    return service_maker("--concurrent", "2", "--max-body", "1M")
