"""One service that all tests abuse, and the catalogue's ids that they cover."""

import contextlib
import json
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from hostile import table  # noqa: E402
from support import command  # noqa: E402
from support.service import serving  # noqa: E402

HERE = "tests/api_abuse"
SECRET = "silent-otter-5309"

covered = set()
failed = set()


def pytest_configure(config):
    config.addinivalue_line("markers", "catalogue(*ids): the hostile cases that a test covers")


def ids_of(item):
    return {name for mark in item.iter_markers("catalogue") for name in mark.args}


def pytest_collection_modifyitems(items):
    """A test of this suite that covers nothing of the catalogue is in the wrong suite."""
    for item in items:
        if pathlib.Path(item.fspath).parent == pathlib.Path(__file__).parent:
            assert ids_of(item), f"{item.nodeid} has no catalogue marker"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed or (report.skipped and report.when != "teardown"):
        failed.update(ids_of(item))
    elif report.when == "call" and report.passed:
        covered.update(ids_of(item))


def pytest_sessionfinish(session):
    results = os.environ.get("BELLJAR_TEST_RESULTS")
    if not results or not covered | failed:
        return
    index = table.catalogue(table.load())
    ours = {name for name, place in index.elsewhere.items() if place.get("suite") == "abuse"}
    uncovered = {name: why for name, why in index.uncovered.items() if table.class_of(name) in "GL"}
    good = covered - failed
    for name in ours - good:
        uncovered[name] = "failed or skipped" if name in failed else "was not run this time"
    report = {
        "suite": "abuse",
        "catalogue": {
            "applies": sorted(ours | set(uncovered)),
            "covered": sorted(good),
            "uncovered": uncovered,
        },
    }
    pathlib.Path(results, "abuse.json").write_text(json.dumps(report, indent=1))


@pytest.fixture(scope="session")
def serve():
    """Starts services: serve(option…, env=…), each once for the same words."""
    if not os.access(command.binary(), os.X_OK):
        pytest.fail(f"{command.binary()} is not there: ./dev build", pytrace=False)
    started = {}
    with contextlib.ExitStack() as stack:

        def start(*options):
            if options not in started:
                started[options] = stack.enter_context(serving(*options, env={"SERVICE_SECRET": SECRET}))
            return started[options]

        yield start


@pytest.fixture(scope="session")
def shared(serve):
    return serve()


@pytest.fixture
def service(shared):
    """After every test the service still runs programs, and has let go of what it held."""
    yield shared
    shared.is_well()


@pytest.fixture(scope="session")
def keyed(serve):
    """A service that asks for keys, with those of two users, of an admin, and one without a scope."""
    service = serve("--require-key")
    options = {"alice": [], "bob": [], "root": ["--scope=admin", "--scope=runs"], "meter": ["--scope=metrics"]}
    service.callers = {user: service.create_key(user, *words) for user, words in options.items()}
    return service


def bearer(service, user):
    return {"Authorization": f"Bearer {service.callers[user][1]}"}
