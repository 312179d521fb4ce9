"""E2B's protocol as its bytes are: the lines of an execution, what is refused and how, clients that go away."""

import json
import socket
import time

import pytest

from conftest import PORT
from support.client import PATIENCE
from support.command import wait_until
from support.service import free_port, live_service, serving


def execute(call, code, **fields):
    """The lines of an execution, parsed."""
    answer = call("POST", "/execute", {"code": code, **fields})
    assert answer.status == 200, answer
    assert answer.type == "application/x-ndjson"
    assert answer.body.endswith(b"\n")
    return [json.loads(line) for line in answer.body.decode().rstrip("\n").split("\n")]


def refused(call, status, method, target, body=None, headers=None):
    """What the answer says, which is text."""
    answer = call(method, target, body, headers)
    assert (answer.status, answer.type) == (status, "text/plain"), answer
    return answer.body.decode()


def test_health(call):
    answer = call("GET", "/health")
    assert (answer.status, answer.json) == (200, "OK")


def test_the_lines_of_an_execution(call):
    call("POST", "/contexts/default/restart")
    lines = execute(call, "import sys; print('out'); print('err', file=sys.stderr); display(1); {'a': 1}")
    kinds = [line["type"] for line in lines]
    assert sorted(kinds[:-2]) == ["result", "result", "stderr", "stdout"]
    assert lines[-2:] == [{"type": "number_of_executions", "execution_count": 1}, {"type": "end_of_execution"}]
    results = [line for line in lines if line["type"] == "result"]
    assert results == [
        {"type": "result", "is_main_result": False, "text": "1", "extra": {}},
        {"type": "result", "is_main_result": True, "text": "{'a': 1}", "extra": {}},
    ]
    (out,) = (line for line in lines if line["type"] == "stdout")
    assert out["text"] == "out\n" and out["timestamp"].endswith("Z")
    error = execute(call, "1 / 0")[0]
    assert set(error) == {"type", "name", "value", "traceback"}
    assert (error["type"], error["name"], error["value"]) == ("error", "ZeroDivisionError", "division by zero")


def test_nothing_of_the_code_steers_a_terminal(call):
    answer = call("POST", "/execute", {"code": "print('\\x9b31m'); '\\u202e'"})
    assert b"\xc2\x9b" not in answer.body and b"\xe2\x80\xae" not in answer.body
    assert json.loads(answer.body.split(b"\n")[0])["text"] == "\x9b31m\n"


def test_output_over_the_limit(call):
    lines = execute(call, "print('x' * 3_000_000)")
    assert [line["name"] for line in lines if line["type"] == "error"] == ["OutputLimitError"]
    assert sum(len(line["text"]) for line in lines if line["type"] == "stdout") == 1 << 20
    assert execute(call, "'on'")[0]["text"] == "on"


@pytest.mark.parametrize(
    "body, said",
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "object"),
        (b"{}", "code"),
        ({"code": 1}, "code"),
        ({"code": None}, "code"),
        ({"code": "1", "context_id": 1}, "context_id"),
        ({"code": "1", "context_id": "default", "language": "python"}, "only one"),
        ({"code": "1", "language": "javascript"}, "language: must be python"),
        ({"code": "1", "env_vars": []}, "env_vars"),
        ({"code": "1", "env_vars": {"A": 1}}, "env_vars.A"),
        ({"code": "1", "env_vars": {"": "x"}}, "env_vars"),
        ({"code": "1", "env_vars": {"A=B": "x"}}, "env_vars"),
        ({"code": "1", "env_vars": {"A": "\0"}}, "env_vars.A"),
        ({"code": "1", "timeout": 1}, "timeout: unknown field"),
        (b'{"code": "1", "code": "2"}', "twice"),
        (b'{"code": "\xff"}', "JSON"),
    ],
)  # fmt: skip
def test_an_execution_that_is_refused(call, body, said):
    assert said in refused(call, 400, "POST", "/execute", body)


@pytest.mark.parametrize(
    "body, said",
    [
        ({"language": "r"}, "language"),
        ({"language": 1}, "language"),
        ({"cwd": "relative"}, "cwd"),
        ({"cwd": "/\0"}, "cwd"),
        ({"cwd": "/" + "x" * 4096}, "cwd"),
        ({"cwd": "/nowhere"}, "No such file"),
        ({"cwd": "/dev/null"}, "Not a directory"),
        ({"name": "mine"}, "name: unknown field"),
    ],
)
def test_a_context_that_is_refused(call, body, said):
    before = call("GET", "/contexts").json
    assert said in refused(call, 400, "POST", "/contexts", body)
    assert call("GET", "/contexts").json == before


def test_absent_and_null_are_the_same(call):
    execute(call, "1", context_id=None, language=None, env_vars=None)
    made = call("POST", "/contexts", {"language": None, "cwd": None})
    assert made.json == {"id": made.json["id"], "language": "python", "cwd": "/box"}
    assert call("DELETE", f"/contexts/{made.json['id']}").status == 200


@pytest.mark.parametrize("target", ["/contexts/x", "/contexts/", "/contexts/a/b", "/contexts/" + "x" * 5000])
def test_contexts_that_are_not_there(call, target):
    assert "not found" in refused(call, 404, "DELETE", target)
    assert "not found" in refused(call, 404, "POST", target + "/restart")


def test_an_execution_in_a_context_that_is_not_there(call):
    assert "'x' not found" in refused(call, 404, "POST", "/execute", {"code": "1", "context_id": "x"})


@pytest.mark.parametrize(
    "method, target, allowed",
    [
        ("GET", "/execute", "POST"),
        ("DELETE", "/contexts", "GET, POST"),
        ("GET", "/contexts/default", "DELETE"),
        ("GET", "/contexts/default/restart", "POST"),
        ("POST", "/health", "GET"),
    ],
)
def test_methods(call, method, target, allowed):
    answer = call(method, target)
    assert (answer.status, answer.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize("target", ["/", "/files?path=/box", "/process.Process/Start", "/v1/sessions", "/pysandbox"])
def test_nothing_else_is_there(call, target):
    assert "/execute" in refused(call, 404, "POST", target, {})


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://example.org"}, {"Host": "example.org"}, {"Origin": "null"}],
)  # fmt: skip
def test_pages_may_not_ask(call, headers):
    assert call("POST", "/execute", {"code": "1"}, headers).status == 403


def test_a_sixteenth_context_and_no_more(call):
    made = []
    while (answer := call("POST", "/contexts", {})).status == 200:
        made.append(answer.json["id"])
    assert (answer.status, len(made)) == (429, 15), answer
    for each in made:
        assert call("DELETE", f"/contexts/{each}").status == 200


def test_nobody_is_shown_the_session(service, call):
    execute(call, "1")
    assert service.call("GET", "/v1/sessions").json == {"sessions": []}


# ---- Clients that go away ----


def send(code):
    """Asks for an execution on a connection of its own."""
    connection = socket.create_connection(("127.0.0.1", PORT), PATIENCE)
    body = json.dumps({"code": code}).encode()
    head = f"POST /execute HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


def begin(code):
    """An execution that has begun when there is an answer."""
    connection = send(code)
    data = b""
    while b"begun" not in data:
        part = connection.recv(1 << 16)
        assert part, data
        data += part
    return connection


FOR_EVER = """
import time
left = None
try:
    print('begun', flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    left = 'interrupted'
"""


@pytest.mark.parametrize("how", ["close", "half", "reset"])
def test_a_client_that_goes_interrupts_its_execution(call, how):
    connection = begin(FOR_EVER)
    since = time.monotonic()
    if how == "half":
        connection.shutdown(socket.SHUT_WR)
    if how == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    if how != "half":
        connection.close()
    assert execute(call, "left")[0]["text"] == "interrupted"
    assert time.monotonic() - since < 10
    connection.close()


def test_one_that_catches_the_interrupt_gets_another(call):
    connection = begin("import time\nprint('begun', flush=True)\ntry: time.sleep(600)\nexcept KeyboardInterrupt: time.sleep(600)")
    connection.close()
    assert execute(call, "'on'")[0]["text"] == "on"


def test_a_quiet_execution_is_kept_and_its_lines_stay_json(call):
    lines = execute(call, "import time; time.sleep(17); 'late'")  # longer than the beat of a stream
    assert lines[0]["text"] == "late"


def still_open():
    """How many connections to the port the service has not closed: established or half closed (proc(5), tcp_states.h)."""
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return sum(row[1].endswith(f":{PORT:04X}") and row[3] in ("01", "08") for row in rows)


def test_only_so_many_wait(call):
    connections = [begin(FOR_EVER)]
    answers = []
    for _ in range(34):
        connections.append(send("begun = 'no'"))
        answers.append(connections[-1].recv(1 << 16).split(b"\r\n")[0])
    assert (answers[0], answers[-1]) == (b"HTTP/1.1 200 OK", b"HTTP/1.1 429 Too Many Requests")
    # Those that wait go first: were the one that is executed to go before the service has seen the others go, the next of
    # them would begin.
    for each in connections[1:]:
        each.close()
    wait_until(lambda: still_open() == 1, "the service to have seen them go")
    connections[0].close()
    wait_until(lambda: call("POST", "/execute", {"code": "1"}).status == 200, "there to be room")
    assert execute(call, "'begun' in globals()")[0]["text"] == "False"


# ---- The port ----


def test_a_taken_port_ends_the_start(service, tmp_path):
    with pytest.raises(AssertionError, match=f"127.0.0.1:{PORT}"), serving("--e2b-port", str(PORT)):
        pass


def test_time_is_the_policys(tmp_path):
    """Its client says when it has waited enough; where it does not, the policy does."""
    port = free_port()
    with serving("--e2b-port", str(port), "--policy", "secure-sandbox") as service:
        begun = time.monotonic()
        answer = service.call("POST", "/execute", {"code": "import time; time.sleep(5); 'slept'"}, port=port)
        assert json.loads(answer.body.split(b"\n")[0])["text"] == "slept", answer
        assert time.monotonic() - begun > 4


def test_it_ends_with_the_service():
    port = free_port()
    with serving("--e2b-port", str(port), "--pool", "0") as service:
        answer = service.call("POST", "/execute", {"code": "1"}, port=port)
        assert answer.status == 200
        (warden,) = service.wardens
        sessions = warden.children()
    assert sessions and not any(each.is_there() for each in sessions)


def test_it_survives_its_gateway():
    port = free_port()
    with live_service("--e2b-port", str(port)) as service:
        def ask(method, target, body=None):
            answer = service.call(method, target, body, port=port)
            assert answer.status == 200, answer
            return answer

        context = ask("POST", "/contexts", {}).json
        for code, name in (("x = 1", "default"), ("x = 2", context["id"])):
            ask("POST", "/execute", {"code": code, "context_id": name})
        service.kill("gateway")
        wait_until(lambda: len(service.logged("ready")) == 2, "the next gateway", PATIENCE)
        # Where the code of a context began nobody knows any more.
        assert ask("GET", "/contexts").json[1:] == [{**context, "cwd": ""}]
        for value, name in (("1", "default"), ("2", context["id"])):
            answer = ask("POST", "/execute", {"code": "x", "context_id": name})
            assert json.loads(answer.body.split(b"\n")[0])["text"] == value
