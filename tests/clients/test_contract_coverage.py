"""Every operation of the contract is reached by a method of each client, or is left out for a reason."""

import urllib.parse

import pytest

import belljar

from both import CLIENTS
from conftest import url_of
from contract import CONTRACT
from support.client import PATIENCE
from support.command import wait_until
from support.service import serving

PAGE = "a page for browsers"
DIALECT = "the interface of another system, for clients that speak it already"
LEFT_OUT = {
    "interact": "a WebSocket, which neither Python's library nor Node 18 has",
    "interactInSession": "likewise",
    "getDocumentation": PAGE,
    "getDocumentationFile": PAGE,
    "getPlayground": PAGE,
    "getPlaygroundFile": PAGE,
    "getRunPage": PAGE,
    "getTestsPage": PAGE,
    "getBatchPage": PAGE,
    "getNotebookPage": PAGE,
    "getHistoryPage": PAGE,
    "getComparePage": PAGE,
    "getStatusPage": PAGE,
    "executeSecureSandbox": DIALECT,
    "runSafeCodeExecutor": DIALECT,
    "runPysandbox": DIALECT,
}


def everything(client):
    """Every method once."""
    run = client.run("open('a', 'w')", "python", artifacts=["a"])
    client.get(run.id)
    list(client.list())
    list(client.events(run.id))
    list(client.stream("print(1)", "python"))
    client.request(run.id)
    client.artifacts(run.id)
    client.artifact(run.id, "a")
    program = belljar.Program("print(1)", "python")
    client.get_batch(client.batch([program]).id)
    client.batch_of_inputs(program, [{"stdin": "1"}])
    client.cancel(client.submit("import time; time.sleep(600)", "python"))
    with client.session() as session:
        assert session.id in [each.id for each in client.sessions()]
        session = client.attach(session.id)
        id = session.submit("import time; time.sleep(600)")
        wait_until(lambda: client.attach(session.id).look().state == "running", "it to be executed", PATIENCE)
        session.interrupt()
        session.get(id, wait=True)
        list(session.events(id))
        assert [each.id for each in session.executions(page_size=1)] == [id]
        session.create_context("second")
        session.restart_context("second")
        session.remove_context("second")
        session.write_file("a/b", "text")
        assert [each.path for each in session.files().files] == ["a/b"]
        assert session.read_file("a/b") == b"text"
        session.remove_file("a/b")
        assert session.pause().state == "paused"
        assert session.resume().state == "idle"
    assert any(language.name == "python" and language.hello.source for language in client.languages())
    assert all(policy.maximum.memory_bytes > 0 for policy in client.policies())
    assert any(wall.name == "seccomp" for wall in client.walls())
    assert client.system().runs.concurrent > 0
    assert client.health() and client.ready()
    assert "belljar_runs_total" in client.metrics()
    assert client.contract() == CONTRACT.text


@pytest.fixture
def alone():
    """A service that nobody else asks."""
    with serving() as service:
        yield service


def reached(service):
    """The operations that the service was asked for, by its log."""
    service.stop()
    names = set()
    for event in service.logged("request"):
        _, operation = CONTRACT.find(event["method"].lower(), urllib.parse.unquote(event["path"]).split("?")[0])
        names.add(operation["operationId"])
    return names


def check(names):
    operations = {operation["operationId"] for _, _, operation in CONTRACT.operations()}
    assert set(LEFT_OUT) <= operations and not names & set(LEFT_OUT)
    assert names | set(LEFT_OUT) == operations


@pytest.mark.parametrize("kind", sorted(CLIENTS))
def test_python(alone, kind):
    everything(CLIENTS[kind](url_of(alone.address)))
    check(reached(alone))


def test_typescript(alone, play):
    play("everything", url_of(alone.address))
    check(reached(alone))
