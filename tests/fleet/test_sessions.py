"""Sessions of a fleet: at one worker, found from any gateway, with an honest end."""

import base64
import json
import marshal
import pathlib
import signal

import pytest
from support.client import PATIENCE
from support.command import wait_until
from support.service import free_port
from test_dispatch import LONG, events_in, fleet  # noqa: F401 - a fixture
from test_ledger import belljar


class Session:
    """One session, asked through whichever gateway."""

    def __init__(self, gateway, key=None, **fields):
        self.key = key
        answer = gateway.call("POST", "/v1/sessions", {"language": "python", **fields}, key=key)
        assert answer.status == 201, answer
        self.id = answer.json["id"]
        self.path = f"/v1/sessions/{self.id}"
        self.worker = answer.json["worker"]

    def call(self, gateway, method, path="", body=None, **named):
        return gateway.call(method, self.path + path, body, key=named.pop("key", self.key), **named)

    def execute(self, gateway, code, **fields):
        answer = self.call(gateway, "POST", "/executions?wait", {"code": code, **fields})
        assert answer.status == 200, answer
        return answer.json

    def submit(self, gateway, code, **fields):
        answer = self.call(gateway, "POST", "/executions", {"code": code, **fields})
        assert answer.status == 202, answer
        return answer.json["id"]

    def value(self, gateway, code, **fields):
        made = self.execute(gateway, code, **fields)
        assert made["status"] == "ok", made
        return made["results"][0]["data"]["text/plain"]

    def look(self, gateway, execution=None):
        answer = self.call(gateway, "GET", f"/executions/{execution}" if execution else "")
        assert answer.status == 200, answer
        return answer.json

    def quit(self, gateway):
        answer = self.call(gateway, "DELETE")
        assert (answer.status, answer.json["state"], answer.json["ended_by"]) == (200, "ended", "quit"), answer


def running(session, gateway, execution):
    wait_until(lambda: session.look(gateway, execution)["state"] == "running", "it to be executed", PATIENCE)


def worker_of(fleet, session):  # noqa: F811
    (found,) = [each for each in fleet.workers if each.logged("ready")[0]["worker"] == session.worker]
    return found


def is_there(marker):
    """Whether a process of this machine has it in its command line."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if marker.encode() in words and b"pytest" not in words:
            return True
    return False


NAP = "import time; print('begun', flush=True); time.sleep({}); print('napped')"


@pytest.fixture
def two(fleet):  # noqa: F811
    """Two gateways and two workers that know each other."""
    gateways = fleet.gateway(), fleet.gateway()
    for _ in range(2):
        fleet.worker()
    for each in gateways:
        fleet.with_room(each, 2)
    return fleet, *gateways


# ---- Where it is -----------------------------------------------------------------------------


def test_what_one_gateway_set_is_there_through_the_other_and_nowhere_else(two):
    _, first, second = two
    session, other = Session(first), Session(second)
    assert session.value(first, "x = 41; x") == "41"
    assert session.value(second, "x + 1") == "42"
    assert other.execute(first, "x")["status"] == "error"
    assert session.look(second) == session.look(first)
    listed = {each["id"] for each in second.call("GET", "/v1/sessions").json["sessions"]}
    assert {session.id, other.id} <= listed
    # The room is shared between the workers.
    assert session.worker != other.worker
    session.quit(second)
    assert session.look(first)["ended_by"] == "quit"
    answer = session.call(first, "POST", "/executions?wait", {"code": "1"})
    assert (answer.status, "has ended" in answer.json["detail"]) == (409, True), answer
    assert other.value(first, "1 + 1") == "2"


def test_nobody_else_finds_it_at_any_gateway(two, shared_postgres):
    fleet_, first, second = two
    keys = [
        belljar("keys", "create", "--for", who, "--ledger", fleet_.url).split()[1] for who in ("ada", "eve")
    ]  # fmt: skip
    session = Session(first, key=keys[0])
    assert session.value(second, "6 * 7") == "42"
    execution = session.execute(first, "1")["id"]
    for gateway in (first, second):
        for key in (keys[1], None):
            for method, path, body in (
                ("GET", "", None), ("DELETE", "", None), ("POST", "/executions?wait", {"code": "1"}),
                ("GET", f"/executions/{execution}", None), ("GET", "/executions", None), ("POST", "/interrupt", None),
                ("POST", "/pause", None), ("POST", "/resume", None), ("GET", "/files", None), ("GET", "/files/a", None),
                ("POST", "/contexts", {"name": "c"}), ("POST", "/contexts/default/restart", None),
            ):  # fmt: skip
                answer = session.call(gateway, method, path, body, key=key)
                assert answer.status == 404, (method, path, answer)
        assert gateway.call("GET", "/v1/sessions", key=keys[1]).json["sessions"] == []
    assert session.value(second, "'still'") == "'still'"


def test_files_contexts_pause_and_interrupt_through_the_other_gateway(two):
    _, first, second = two
    session = Session(first, files=[{"path": "given", "content": "from the start"}])
    text = bytes(range(256)) * 4000  # larger than a message
    put = session.call(first, "PUT", "/files/folder/large.bin", text, headers={"Content-Type": "application/octet-stream"})
    assert (put.status, put.json["bytes"]) == (200, len(text)), put
    assert session.call(second, "GET", "/files/folder/large.bin").body == text
    assert session.value(second, "len(open('folder/large.bin', 'rb').read())") == str(len(text))
    assert session.value(second, "open('given').read()") == "'from the start'"
    names = {each["path"] for each in session.call(second, "GET", "/files").json["files"]}
    assert names == {"given", "folder/large.bin"}
    assert session.call(second, "DELETE", "/files/given").status == 200
    assert session.call(first, "GET", "/files/given").status == 404

    assert session.call(second, "POST", "/contexts", {"name": "side"}).status == 201
    assert session.value(first, "y = 5; y", context="side") == "5"
    assert session.execute(second, "y")["status"] == "error"
    assert session.call(first, "POST", "/executions?wait", {"code": "1", "context": "none"}).status == 404
    assert session.call(first, "POST", "/contexts/side/restart").status == 200
    assert session.execute(second, "y", context="side")["status"] == "error"

    assert session.call(first, "POST", "/pause").json["state"] == "paused"
    assert session.call(second, "POST", "/executions?wait", {"code": "1"}).status == 409
    assert session.call(second, "POST", "/resume").json["state"] == "idle"

    execution = session.submit(first, NAP.format(600))
    running(session, second, execution)
    wait_until(lambda: session.call(second, "POST", "/interrupt").status == 202, "it to be interrupted", PATIENCE)
    wait_until(lambda: session.look(second, execution)["state"] == "done", "its end", PATIENCE)
    assert session.look(first, execution)["status"] == "interrupted"
    assert session.value(first, "'kept'") == "'kept'"


def test_a_stream_is_the_same_at_both_gateways(two):
    _, first, second = two
    session = Session(first)
    code = "import time\nfor i in range(6):\n  print(i, flush=True); time.sleep(.3)\ni"
    execution = session.submit(first, code)
    path = f"{session.path}/executions/{execution}/events"
    elsewhere = events_in(second, path)
    assert elsewhere == events_in(first, path)
    assert "".join(data["text"] for _, name, data in elsewhere if name == "stdout") == "".join(f"{i}\n" for i in range(6))
    assert [name for _, name, _ in elsewhere if name == "result"] == ["result"]
    assert elsewhere[-1][2]["status"] == "ok"
    assert events_in(second, path, after=3) == elsewhere[3:]


def test_results_and_outputs_that_are_larger_than_a_message_come_whole(two):
    _, first, second = two
    session = Session(first, limits={"output": "8M"})
    made = session.execute(second, "print('x' * 3_000_000); 'y' * 1_000_000", limits={"output": "8M"})
    assert len(made["stdout"]["text"]) == 3_000_001, made["stdout"]["total_bytes"]
    assert len(made["results"][0]["data"]["text/plain"]) == 1_000_002
    large = session.value(first, "x = 1\n" + "# " + "z" * 800_000 + "\nx + 1")
    assert large == "2"
    assert session.look(second, made["id"]) == session.look(first, made["id"])


def test_e2bs_port_has_one_sandbox_for_all_gateways(fleet):  # noqa: F811
    ports = free_port(), free_port()
    gateways = [fleet.gateway("--e2b-port", port) for port in ports]
    fleet.worker()
    for each in gateways:
        fleet.with_room(each, 1)

    def execute(place, code):
        answer = gateways[place].call("POST", "/execute", {"code": code}, port=ports[place])
        assert answer.status == 200, answer
        return [json.loads(line) for line in answer.body.decode().splitlines()]

    execute(0, "x = 20")
    (result,) = [each for each in execute(1, "x + 1") if each["type"] == "result"]
    assert result["text"] == "21", result


def test_pysandboxs_cells_go_on_at_another_gateway(fleet):  # noqa: F811
    port = free_port()

    def post(service, source):
        code = base64.b64encode(marshal.dumps(compile(source, "<pysandbox>", "exec"))).decode()
        answer = service.call("POST", "/", {"code": code}, port=port)
        assert answer.status == 200, answer
        return answer.json["result"]["out"]

    first = fleet.gateway("--pysandbox-ports", port)
    fleet.worker()
    fleet.with_room(first, 1)
    assert post(first, "x = 41") == ""
    assert first.stop() == 0
    second = fleet.gateway("--pysandbox-ports", port)
    fleet.with_room(second, 1)
    assert post(second, "print(x + 1)") == "42\n"


def test_the_command_shows_how_many_a_worker_holds(two):
    fleet_, first, _ = two
    session = Session(first)
    shown = json.loads(belljar("fleet", "--fleet", fleet_.nats.url, "--json"))["workers"]
    assert {each["id"]: each["sessions"] for each in shown}[session.worker] == 1
    assert sum(each["sessions"] for each in shown) == 1
    session.quit(first)
    shown = json.loads(belljar("fleet", "--fleet", fleet_.nats.url, "--json"))["workers"]
    assert [each["sessions"] for each in shown] == [0, 0]


# ---- Limits ----------------------------------------------------------------------------------


def test_the_number_of_a_callers_sessions_holds_for_the_whole_fleet(fleet):  # noqa: F811
    first, second = (fleet.gateway("--sessions-per-caller", "2") for _ in range(2))
    for _ in range(2):
        fleet.worker()
    for each in (first, second):
        fleet.with_room(each, 2)
    one, two_ = Session(first), Session(second)

    def is_refused(gateway):
        answer = gateway.call("POST", "/v1/sessions", {"language": "python"})
        if answer.status == 201:
            assert gateway.call("DELETE", f"/v1/sessions/{answer.json['id']}").status == 200
        return answer.status == 429

    for gateway in (first, second):
        wait_until(lambda gateway=gateway: is_refused(gateway), "the other's to be known", PATIENCE)
    one.quit(first)
    wait_until(lambda: not is_refused(second), "room", PATIENCE)
    two_.quit(first)


def test_a_request_that_is_repeated_at_the_other_gateway_is_done_once(two):
    _, first, second = two
    headers = {"Idempotency-Key": "once"}
    made = [
        each.call("POST", "/v1/sessions", {"language": "python"}, headers=headers) for each in (first, second)
    ]  # fmt: skip
    assert [each.status for each in made] == [201, 201], made
    assert made[0].json["id"] == made[1].json["id"]
    path = f"/v1/sessions/{made[0].json['id']}"
    code = {"code": "n = globals().get('n', 0) + 1; n"}
    headers = {"Idempotency-Key": "another"}
    done = [each.call("POST", f"{path}/executions?wait", code, headers=headers) for each in (first, second, first)]
    assert [each.json["id"] for each in done] == [done[0].json["id"]] * 3
    assert first.call("POST", f"{path}/executions?wait", {"code": "n"}).json["results"][0]["data"] == {"text/plain": "1"}


# ---- What dies -------------------------------------------------------------------------------


def test_a_gateway_that_falls_loses_neither_the_session_nor_the_end(two):
    _, first, second = two
    session = Session(first)
    session.execute(first, "x = 1")
    execution = session.submit(first, "import time; time.sleep(3); x += 1; print('napped'); x")
    running(session, second, execution)
    first.process.kill()
    first.process.wait(PATIENCE)
    wait_until(lambda: session.look(second, execution)["state"] == "done", "its end to be recorded", LONG)
    made = session.look(second, execution)
    assert (made["stdout"]["text"], made["results"][0]["data"]["text/plain"]) == ("napped\n", "2")
    assert session.value(second, "x + 1") == "3"
    # The next one finds it, and what was executed is executed once.
    first.start()
    assert session.value(first, "x") == "2"
    ids = [each["id"] for each in session.call(first, "GET", "/executions").json["executions"]]
    assert len(ids) == len(set(ids)) and execution in ids
    session.quit(first)
    assert session.look(second)["ended_by"] == "quit"


def test_a_session_whose_worker_died_is_lost_and_nothing_is_executed_again(two):
    fleet_, first, second = two
    session, other = Session(first), Session(first)
    assert session.worker != other.worker
    marker = "27.18281828"
    session.execute(second, f"import subprocess; p = subprocess.Popen(['sleep', '{marker}'])")
    assert is_there(marker)
    execution = session.submit(second, NAP.format(600))
    running(session, first, execution)
    dead = worker_of(fleet_, session)
    dead.kill()
    for gateway in (first, second):
        # Until it is missed nobody says anything about it.
        wait_until(lambda gateway=gateway: session.call(gateway, "GET").status == 200, "it to be missed", LONG)
        wait_until(lambda gateway=gateway: session.look(gateway)["state"] == "ended", "its end", LONG)
        ended = session.look(gateway)
        assert (ended["ended_by"], "worker" in ended["reason"]) == ("lost", True), ended
        wait_until(lambda gateway=gateway: session.look(gateway, execution)["state"] == "lost", "its end", LONG)
        answer = session.call(gateway, "POST", "/executions?wait", {"code": "1"})
        assert (answer.status, "has ended" in answer.json["detail"]) == (409, True), answer
        # The other one's worker lives, and so does it.
        assert other.value(gateway, "1 + 1") == "2"
    states = [each["state"] for each in session.call(first, "GET", "/executions").json["executions"]]
    assert sorted(states) == ["done", "lost"]
    assert not is_there(marker)


def test_a_worker_that_is_stopped_ends_its_sessions_and_says_so(two):
    fleet_, first, second = two
    session = Session(first)
    marker = "31.41592653"
    session.execute(first, f"import subprocess; p = subprocess.Popen(['sleep', '{marker}'])")
    assert is_there(marker)
    execution = session.submit(first, NAP.format(2))
    running(session, second, execution)
    stopped = worker_of(fleet_, session)
    assert stopped.stop() == 0, stopped.log
    wait_until(lambda: session.look(second)["state"] == "ended", "its end to be told", PATIENCE)
    ended = session.look(second)
    assert (ended["ended_by"], ended["reason"]) == ("stopped", "its worker was stopped"), ended
    # What was executed was finished first.
    assert session.look(first, execution)["stdout"]["text"] == "begun\nnapped\n"
    assert not is_there(marker)
    assert Session(second).worker != session.worker


def test_while_nats_is_away_sessions_stay_and_requests_are_turned_away(fleet):  # noqa: F811
    gateway = fleet.gateway()
    fleet.worker()
    fleet.with_room(gateway, 1)
    session = Session(gateway)
    session.execute(gateway, "x = 1")
    execution = session.submit(gateway, "import time; time.sleep(2); x += 1; x")
    running(session, gateway, execution)
    fleet.nats.stop(signal.SIGKILL)
    wait_until(lambda: gateway.call("GET", "/readyz").status == 503, "it to be noticed", PATIENCE)
    answer = session.call(gateway, "POST", "/executions?wait", {"code": "1"})
    assert answer.status == 503, answer
    assert session.call(gateway, "GET").status == 503
    fleet.nats.start()
    wait_until(lambda: session.call(gateway, "GET").status == 200, "it to come back", PATIENCE)
    wait_until(lambda: session.look(gateway, execution)["state"] == "done", "its end to be recorded", LONG)
    assert session.value(gateway, "x") == "2"
    session.quit(gateway)
