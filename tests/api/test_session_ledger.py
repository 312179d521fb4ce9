"""What the ledger has of sessions: each execution once, with its end, and what ended the session."""

import pytest

from service import READY, Session
from support.client import PATIENCE
from support.command import wait_until

SLEEP = READY + "import time; time.sleep(600)"
PROCESS = "import subprocess\n'imported'"


def executions(session, query="", key=None):
    answer = session.service.get(f"{session.path}/executions{query}", key=key)
    assert answer.status == 200, answer
    return answer.json


def found(session, execution):
    answer = session.service.get(f"{session.path}/executions/{execution}", key=session.key)
    assert answer.status == 200, answer
    return answer.json


def begin(service, session):
    """Has it execute something without an end; answers with the execution's id."""
    with service.events(session.path + "/executions?stream", method="POST", body={"code": SLEEP}) as events:
        events.take(lambda event: event.name == "stdout")
        return events.id


def next_gateway(service):
    before = len(service.logged("ready"))
    service.kill("gateway")
    wait_until(lambda: len(service.logged("ready")) > before, "the next gateway", PATIENCE)


# ---- What is recorded ----


def test_executions_are_found_after_their_session_has_ended(service):
    with service.session() as session:
        first = session.execute("x = 1; x")
        failed = session.execute("1/0")
        later = session.ask("x + 1", query="").json["id"]
        last = service.get(f"{session.path}/executions/{later}?wait").json
        assert last["results"][0]["data"] == {"text/plain": "2"}
        assert last["phases"]["run_ms"] > 0 <= last["phases"]["queue_ms"]
    page = executions(session)
    assert [each["id"] for each in page["executions"]] == [later, failed["id"], first["id"]]
    assert [each["status"] for each in page["executions"]] == ["ok", "error", "ok"]
    assert {each["state"] for each in page["executions"]} == {"done"} and page["next"] is None
    assert [found(session, each["id"]) for each in (first, failed, last)] == [first, failed, last]
    with service.events(f"{session.path}/executions/{first['id']}/events") as events:
        assert [event.data for event in events if event.name == "outcome"] == [first]
    # They are executions, and no runs.
    assert first["id"] not in {each["id"] for each in service.get("/v1/runs?limit=1000").json["runs"]}
    for path in ("", "/artifacts", "/events", "/request"):
        assert service.get(f"/v1/runs/{first['id']}{path}").status == 404, path
    assert service.post(f"/v1/runs/{first['id']}/cancel").status == 404
    assert service.get(f"/v1/runs/{session.id}").status == 404


def test_a_list_comes_in_pages_and_by_state(service):
    with service.session() as session, service.session() as other:
        other.execute("0")
        ids = [session.execute(str(number))["id"] for number in range(5)]
        seen, cursor = [], ""
        while cursor is not None:
            page = executions(session, f"?limit=2&cursor={cursor}")
            assert len(page["executions"]) <= 2
            seen += [each["id"] for each in page["executions"]]
            cursor = page["next"]
        assert seen == ids[::-1]
        running = begin(service, session)
        assert [each["id"] for each in executions(session, "?state=running")["executions"]] == [running]
        assert service.post(session.path + "/interrupt").status == 202
        for query, field in (("limit=0", "limit"), ("limit=1001", "limit"), ("state=ready", "state"), ("cursor=1", "cursor")):
            answer = service.get(f"{session.path}/executions?{query}")
            assert (answer.status, answer.json["field"]) == (400, field), answer
        for path in (f"{session.path}/executions/exe_1", f"{session.path}/executions/{session.id}",
                     f"{other.path}/executions/{ids[0]}", "/v1/sessions/ses_1/executions"):  # fmt: skip
            assert service.get(path).status == 404, path


def test_all_of_it_is_found_by_the_next_gateway_and_nothing_is_executed_twice(serve):
    service = serve("--pool", "0", "--session-spares", "0")
    quit, kept = service.session(), service.session()
    done = quit.execute("6 * 7")
    ended = quit.quit()
    kept.execute("count = 0")
    counted = kept.execute("count += 1; count")
    running = begin(service, kept)
    waiting = kept.ask("count += 1", query="").json["id"]
    next_gateway(service)
    assert found(quit, done["id"]) == done
    assert quit.look() == ended and ended["ended_by"] == "quit"
    assert found(kept, counted["id"]) == counted
    for execution, reason in ((running, "while this was"), (waiting, "before this was")):
        lost = found(kept, execution)
        assert lost["state"] == "lost" and reason in lost["reason"], lost
    assert [each["state"] for each in executions(kept)["executions"]] == ["lost", "lost", "done", "done"]
    assert kept.value("count") == "1"
    kept.quit()


# ---- What ends a session ----


def test_each_end_has_its_name(service):
    quit, short, idle, died = (service.session(**fields) for fields in ({}, {"ttl": 1}, {"idle": 1}, {}))
    made = died.execute("import os; os.kill(os.getppid(), 9)")
    assert made["status"] == "ended"
    quit.quit()
    for session, by, reason in ((quit, "quit", "quit"), (short, "ttl", "time to live"), (idle, "idle", "nothing was"),
                                (died, "died", made["reason"])):  # fmt: skip
        wait_until(lambda session=session: session.look()["state"] == "ended", f"{by} to come", PATIENCE)
        look = session.look()
        assert look["ended_by"] == by and reason in look["reason"], look


def test_the_end_of_a_warden_is_told_without_asking(serve):
    service = serve("--session-spares", "0")
    idle, busy = service.session(), service.session()
    done = idle.execute("6 * 7")
    running = begin(service, busy)
    service.kill("warden")
    for session in (idle, busy):
        wait_until(lambda session=session: session.look()["state"] == "ended", "its end to be told", PATIENCE)
        look = session.look()
        assert look["ended_by"] == "lost" and "warden" in look["reason"], look
    lost = found(busy, running)
    assert lost["state"] == "lost" and "warden" in lost["reason"], lost
    looks = [idle.look(), busy.look()]
    next_gateway(service)
    assert [idle.look(), busy.look()] == looks
    assert found(idle, done["id"]) == done and found(busy, running)["state"] == "lost"


def test_a_service_that_stops_ends_its_sessions_and_says_so(serve):
    service = serve()
    session = service.session()
    done = session.execute("6 * 7")
    assert service.stop() == 0
    service.start()
    look = session.look()
    assert (look["state"], look["ended_by"], look["executions"]) == ("ended", "stopped", 1)
    assert found(session, done["id"]) == done
    assert session.ask("1").status == 404


# ---- As runs are ----


def test_code_is_screened_as_a_run_is(service):
    with service.session() as session:
        refused = session.execute(PROCESS, screening="secure-sandbox")
        assert (refused["state"], refused["status"], refused["results"]) == ("done", "rejected", []), refused
        assert refused["screening"]["refused"] and refused["screening"]["findings"][0]["path"] == "main.py"
        run = service.run(PROCESS, screening="secure-sandbox")
        assert refused["screening"] == run["outcome"]["screening"] and refused["reason"] == run["reason"]
        assert session.look()["executions"] == 0
        assert found(session, refused["id"]) == refused
        warned = session.execute(PROCESS)  # the service's rules warn
        assert warned["status"] == "ok" and not warned["screening"]["refused"]
        assert "screening" not in session.execute(PROCESS, screening="none")
        answer = session.ask("1", screening="strange")
        assert (answer.status, answer.json["field"]) == (400, "screening")
        assert [each["status"] for each in executions(session)["executions"]] == ["ok", "ok", "rejected"]
    with service.session(screening="secure-sandbox") as session:
        assert session.execute(PROCESS)["status"] == "rejected"
        assert session.execute("2 + 2")["status"] == "ok"
        assert session.value(PROCESS, screening="none") == "'imported'"
    answer = service.post("/v1/sessions", {"screening": "strange"})
    assert (answer.status, answer.json["field"]) == (400, "screening")


def test_a_key_has_so_many_a_day(service_maker):
    keyed = service_maker("--require-key")
    _, secret = keyed.create_key("ada", "--per-day", "3")
    with Session(keyed, key=secret) as session:
        session.execute("x = 1")
        assert keyed.run("print(1)", key=secret)["status"] == "ok"  # out of the same day
        assert session.value("x") == "1"
        answer = session.ask("x = 2")
        assert answer.status == 429 and "used up" in answer.json["detail"], answer
        # What was refused is nowhere, and keeps nothing busy.
        assert len(executions(session, key=secret)["executions"]) == 2
        assert session.look()["state"] == "idle"


def test_nobody_else_finds_them(service_maker):
    keyed = service_maker("--require-key")
    ada, bob = (keyed.create_key(name)[1] for name in ("ada", "bob"))
    with Session(keyed, key=ada) as session:
        done = session.execute("1")
    for path in ("", "/executions", f"/executions/{done['id']}", f"/executions/{done['id']}/events"):
        assert keyed.get(session.path + path, key=bob).status == 404, path
        if not path.endswith("/events"):
            assert keyed.get(session.path + path, key=ada).status == 200, path


def test_a_repeated_execution_is_found_after_the_end_of_its_session(serve):
    service = serve("--pool", "0", "--session-spares", "0")
    headers = {"Idempotency-Key": "once"}
    session = service.session()

    def ask(code="6 * 7", query="?wait"):
        return service.post(session.path + "/executions" + query, {"code": code}, headers=headers)

    def assert_found():
        again = ask()
        assert (again.status, again.json) == (200, first.json), again
        assert again.headers["Idempotency-Replayed"] == "true"
        later = ask(query="")
        assert (later.status, later.json["id"]) == (202, first.json["id"]), later
        stream = session.path + "/executions?stream"
        with service.events(stream, method="POST", body={"code": "6 * 7"}, headers=headers) as events:
            assert [event.data for event in events if event.name == "outcome"] == [first.json]
        assert ask("7 * 6").status == 409
        assert len(executions(session)["executions"]) == 1

    first = ask()
    session.quit()
    assert_found()
    assert session.ask("1").status == 409  # what is new is refused
    next_gateway(service)
    assert_found()
    assert session.ask("1").status == 404
    assert service.stop() == 0
    service.start()
    assert_found()


def test_a_repeated_execution_is_found_where_its_session_is_paused_and_as_what_it_came_to(serve):
    service = serve("--pool", "0", "--session-spares", "0")
    headers = {"Idempotency-Key": "lost"}
    with service.session() as session:
        first = service.post(session.path + "/executions", {"code": SLEEP}, headers=headers).json["id"]
        wait_until(lambda: executions(session, "?state=running")["executions"], "it to begin", PATIENCE)
        next_gateway(service)
        assert service.post(session.path + "/pause").status == 200
        again = service.post(session.path + "/executions?wait", {"code": SLEEP}, headers=headers)
        assert (again.json["id"], again.json["state"]) == (first, "lost"), again
        assert service.post(session.path + "/resume").status == 200


def test_a_session_is_made_once(serve):
    service = serve("--pool", "0")
    for fields in ({"env": {"ONE": "1"}}, {}):  # with an interpreter of its own, and with one that waits
        headers = {"Idempotency-Key": f"one {fields}"}
        first, again = (Session(service, headers=headers, **fields) for _ in range(2))
        assert first.id == again.id
        assert "Idempotency-Replayed" not in first.made.headers
        assert again.made.headers["Idempotency-Replayed"] == "true"
        first.execute("x = 1")
        assert Session(service, headers=headers, **fields).made.json == first.look()
        assert service.post("/v1/sessions", {**fields, "idle": 60}, headers=headers).status == 409
        next_gateway(service)
        assert Session(service, headers=headers, **fields).id == first.id and first.value("x") == "1"
        ended = first.quit()
        assert Session(service, headers=headers, **fields).made.json == ended
        next_gateway(service)
        assert Session(service, headers=headers, **fields).made.json == ended
    # One key for two kinds of requests is a mistake.
    assert service.post("/v1/runs", {"language": "python", "source": "1"}, headers=headers).status == 409
    # A repetition makes nothing.
    assert service.get("/v1/sessions").json["sessions"] == []


def test_a_session_that_did_not_begin_leaves_its_key(serve):
    service = serve("--pool", "0", "--session-spares", "0", "--sessions-per-caller", "1")
    headers = {"Idempotency-Key": "one"}
    with service.session():
        assert service.post("/v1/sessions", {}, headers=headers).status == 429
    answer = service.post("/v1/sessions", {}, headers=headers)
    assert (answer.status, answer.json["state"]) == (201, "idle")
    assert "Idempotency-Replayed" not in answer.headers


@pytest.mark.parametrize("query", ["?wait", ""])
def test_a_repeated_request_is_executed_once(service, query):
    headers = {"Idempotency-Key": f"once{query}"}
    with service.session() as session, service.session() as other:
        session.execute("count = 0")

        def ask(code="count += 1; count", which=session):
            return service.post(which.path + "/executions" + query, {"code": code}, headers=headers)

        first, again = ask(), ask()
        assert again.json["id"] == first.json["id"]
        assert "Idempotency-Replayed" not in first.headers and again.headers["Idempotency-Replayed"] == "true"
        assert session.value("count") == "1"
        assert ask("count").status == 409
        assert ask(which=other).status == 409
        assert session.value("count") == "1"
