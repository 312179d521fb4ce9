"""An execution over a WebSocket: what it shows comes as it is shown, and it ends with the connection."""

import pytest
import websocket

from service import READY, Session
from support.client import PATIENCE
from support.command import wait_until

SLEEP = READY + "import time; time.sleep(600)"


@pytest.fixture
def session(service):
    with service.session() as session:
        yield session


@pytest.fixture
def talk(session):
    with session.converse() as talk:
        yield talk


def state_of(session):
    return session.look()["state"]


def test_output_and_results_come_in_order_and_the_outcome_last(service, session, talk):
    talk.start("print('one', flush=True)\ndisplay('two')\n3")
    messages = []
    while (message := talk.receive()) is not None:
        messages.append(message)
    assert [each["type"] for each in messages] == ["status", "stdout", "result", "result", "outcome"]
    assert talk.shown == b"one\n" and [each["main"] for each in messages[2:4]] == [False, True]
    assert talk.run["status"] == "ok"
    assert service.get(f"{session.path}/executions/{talk.run['id']}").json == talk.run
    # The state is the session's.
    with session.converse() as again:
        again.start("_x = 4")
        assert again.finish()["status"] == "ok"
    assert session.value("_x") == "4"


def test_it_is_interrupted_on_request_and_the_state_stays(session, talk):
    session.execute("x = 1")
    talk.start(SLEEP)
    talk.expect(b"ready")
    talk.send("interrupt")
    made = talk.finish()
    assert (made["status"], made["error"]["name"]) == ("interrupted", "KeyboardInterrupt")
    assert session.value("x") == "1"


def test_what_waits_is_not_what_is_interrupted(session, talk):
    talk.start(SLEEP)
    talk.expect(b"ready")
    with session.converse() as other:
        other.start("6 * 7")
        other.send("interrupt")
        assert "not executed now" in other.expect_error()
        talk.send("interrupt")
        assert talk.finish()["status"] == "interrupted"
        assert other.finish()["status"] == "ok"


def test_it_ends_with_the_connection_and_the_session_does_not(session):
    session.execute("x = 1")
    with session.converse() as talk:
        talk.start(READY + "import time\nfor _ in range(3):\n    try: time.sleep(600)\n    except KeyboardInterrupt: pass",
                   limits={"wall": "60s"})  # fmt: skip
        talk.expect(b"ready")
        assert state_of(session) == "running"
    wait_until(lambda: state_of(session) == "idle", "the execution to end", PATIENCE)
    assert session.value("x") == "1"


@pytest.mark.parametrize("text, detail", [
    ("{", "body"),
    ('{"type":"interrupt"}', "type: the first message must be a start"),
    ('{"type":"start"}', "execution: must be an object"),
    ('{"type":"start","execution":{}}', "execution: code: must be a string"),
    ('{"type":"start","execution":{"code":"1"},"more":1}', "more: unknown field"),
    ('{"type":"start","execution":{"code":"1","context":"none"}}', "none"),
    ('{"type":"start","execution":{"code":"1","limits":{"wall":"7200s"}}}', "limits.wall"),
])  # fmt: skip
def test_a_start_that_is_refused_ends_the_conversation(session, talk, text, detail):
    talk.send_raw(text)
    message = talk.receive()
    assert message["type"] == "error" and detail in message["detail"], message
    assert talk.receive() is None
    assert session.value("6 * 7") == "42" and session.look()["executions"] == 1


@pytest.mark.parametrize("text, detail", [
    ('{"type":"stdin","text":"x"}', "type: must be start or interrupt"),
    ('{"type":"interrupt","more":1}', "more: unknown field"),
    ('{"type":"start","execution":{"code":"1"}}', "type: the start has been sent"),
])  # fmt: skip
def test_a_message_that_is_not_understood_changes_nothing(talk, text, detail):
    talk.start(SLEEP)
    talk.expect(b"ready")
    talk.send_raw(text)
    assert detail in talk.expect_error()
    talk.send("interrupt")
    assert talk.finish()["status"] == "interrupted"


def test_a_session_that_has_ended_says_so(service):
    session = service.session()
    session.quit()
    with session.converse() as talk:
        talk.start("1")
        assert "the session has ended" in talk.expect_error()


def test_nobody_else_gets_in(service_maker):
    keyed = service_maker("--require-key")
    ada, bob = (keyed.create_key(name)[1] for name in ("ada", "bob"))
    with Session(keyed, key=ada) as session:
        for key, status in ((None, 401), (bob, 404)):
            with pytest.raises(websocket.WebSocketBadStatusException) as refused:
                session.converse(header=[f"Authorization: Bearer {key}"] if key else [])
            assert refused.value.status_code == status
        with session.converse(header=[f"Authorization: Bearer {ada}"]) as talk:
            talk.start("6 * 7")
            assert talk.finish()["status"] == "ok"
