"""One run over a WebSocket: typing, signals, a terminal, and every way to end it."""

import base64
import json
import time

import pytest
import websocket

from service import READY
from support.client import PATIENCE
from support.command import wait_until
from support.service import out_of

ECHO = "import sys\nfor line in sys.stdin: print('got', line.strip(), flush=True)\nprint('end')"
SLEEP = READY + "import time; time.sleep(600)"


@pytest.fixture
def talk(service):
    with service.converse() as conversation:
        yield conversation


def test_lines_are_typed_and_answered_until_the_end_of_file(service, talk):
    talk.start(ECHO)
    for word in ("one", "two", "\u00e9\u20ac"):
        talk.send("stdin", text=word + "\n")
        talk.expect(b"got " + word.encode())
    talk.send("stdin", base64=base64.b64encode(b"bytes\n").decode())
    talk.expect(b"got bytes")
    talk.send("eof")
    run = talk.finish()
    assert (run["status"], talk.shown.split(b"\n")[-2]) == ("ok", b"end")
    assert run == service.look(talk.id)


def test_stdin_of_the_start_comes_first(talk):
    talk.send("start", run={"language": "python", "source": ECHO, "stdin": "first\n"})
    talk.send("stdin", text="second\n")
    talk.send("eof")
    talk.finish()
    assert talk.shown == b"got first\ngot second\nend\n"


def test_what_is_sent_before_the_program_runs_is_kept(talk):
    talk.start(ECHO)
    talk.send("stdin", text="early\n")
    talk.send("eof")
    assert talk.finish()["status"] == "ok" and talk.shown == b"got early\nend\n"


@pytest.mark.parametrize("typed", [b"", b"early"], ids=["nothing typed", "typed"])
def test_it_is_begun_again_with_another_warden_only_where_it_has_read_nothing(serve, typed):
    """What it has read is not there a second time."""
    service = serve()
    with service.converse() as talk:
        # Tells nobody that it runs: what somebody has heard of is not begun again either.
        talk.start("import os, time; open('here', 'w').close(); time.sleep(1); print(os.read(0, 10))")
        if typed:
            talk.send("stdin", base64=base64.b64encode(typed).decode())
        wait_until(lambda: service.get("/v1/runs?state=running").json["runs"], "it to run", PATIENCE)
        time.sleep(0.5)  # within its second
        service.kill("warden")
        wait_until(lambda: service.logged("warden_ended"), "the service to see it", PATIENCE)
        if not typed:
            talk.send("stdin", text="late")
        run = talk.finish()
        assert (run["state"], talk.shown) == (("lost", b"") if typed else ("done", b"b'late'\n")), run


def test_without_a_terminal_there_is_none(talk):
    talk.start("import os, sys; print(os.isatty(0), os.isatty(1)); print('err', file=sys.stderr)")
    assert talk.finish()["status"] == "ok"
    assert (talk.shown, talk.errors) == (b"False False\n", b"err\n")


# Handlers write past Python's own buffer, which may be in use where they come in between.
SIZES = """
import os, signal, time
def show(*_):
    size = os.get_terminal_size(0)
    os.write(1, b'size %d %d\\n' % (size.lines, size.columns))
signal.signal(signal.SIGWINCH, show)
show()
while True: time.sleep(0.01)
"""


def test_a_terminal_has_the_size_that_is_asked_for_and_follows_it(talk):
    talk.start(SIZES, tty=True, rows=30, columns=100)
    talk.expect(rb"size 30 100\r\n")
    talk.send("resize", rows=40, columns=120)
    talk.expect(rb"size 40 120\r\n")
    talk.send("cancel")
    assert talk.finish()["state"] == "cancelled"


# A key that comes between a prompt and its read is seen only with the next line: so not while it reads.
KEYS = """
import os, time
print(os.isatty(0), os.isatty(1), os.isatty(2))
print('<' + input('> ') + '>')
while True: time.sleep(0.01)
"""


def test_a_terminal_echoes_and_its_keys_are_signals(talk):
    talk.start(KEYS, tty=True)
    talk.expect(rb"True True True\r\n> ")
    talk.send("stdin", text="hi\r")
    talk.expect(rb"hi\r\n<hi>\r\n")
    talk.send("stdin", text="\x03")
    run = talk.finish()
    assert run["outcome"]["stages"][-1]["signal"] == "SIGINT" and b"KeyboardInterrupt" in talk.shown, run


def test_end_of_file_on_a_terminal(talk):
    talk.start("import sys; print(repr(sys.stdin.read()))", tty=True)
    talk.send("stdin", text="a\r")
    talk.expect(rb"a\r\n")
    talk.send("stdin", text="\x04")
    assert talk.finish()["status"] == "ok" and b"'a\\n'" in talk.shown


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1", "SIGHUP"])
@pytest.mark.parametrize("tty", [False, True])
def test_a_program_handles_signals(talk, name, tty):
    source = f"""
import os, signal, time
def handle(number, frame):
    os.write(1, b'caught ' + signal.Signals(number).name.encode())
    os._exit(5)
signal.signal(signal.{name}, handle)
os.write(1, b'ready')
while True: time.sleep(0.01)
"""
    talk.start(source, tty=tty)
    talk.expect(b"ready")
    talk.send("signal", name=name)
    run = talk.finish()
    assert f"caught {name}".encode() in talk.shown, run
    assert run["state"] == "done" and run["outcome"]["stages"][-1]["exit_code"] == 5


def test_a_signal_that_is_not_handled_ends_the_program(talk):
    talk.start(SLEEP)
    talk.expect(b"ready")
    talk.send("signal", name="SIGTERM")
    run = talk.finish()
    assert (run["state"], run["status"]) == ("done", "signalled")
    assert run["outcome"]["stages"][-1]["signal"] == "SIGTERM"


def test_cancel_ends_also_what_ignores_signals(talk):
    talk.start("import signal, time\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\n" + SLEEP)
    talk.expect(b"ready")
    talk.send("cancel")
    run = talk.finish()
    assert (run["state"], run["status"]) == ("cancelled", "cancelled")


@pytest.mark.parametrize("how", ["close", "reset"])
def test_the_run_ends_with_the_connection(service, how):
    with service.converse() as talk:
        talk.start(SLEEP)
        talk.expect(b"ready")
        if how == "close":
            talk.socket.close()
    assert service.wait_for_state(talk.id, "cancelled")["status"] == "cancelled"


def test_a_run_that_waits_ends_with_the_connection_too(serve):
    service = serve("--concurrent", "1")
    with service.converse() as first, service.converse() as second:
        first.start(SLEEP)
        first.expect(b"ready")
        second.start(SLEEP)
        assert second.receive()["state"] == "queued"
        second.socket.close()
        first.send("cancel")
        first.finish()
    assert service.wait_for_state(second.id, "cancelled")["status"] == "cancelled"


def test_a_flood_of_stdin_that_nobody_reads_is_bounded(talk):
    talk.start(SLEEP)
    talk.expect(b"ready")
    for _ in range(4):
        talk.send("stdin", text="x" * 500_000)
    assert "stdin: more than" in talk.expect_error()
    talk.send("cancel")
    talk.finish()


def test_much_is_typed_to_who_reads(talk):
    talk.start("import sys, hashlib\nprint(len(sys.stdin.read()))")
    for _ in range(4):
        talk.send("stdin", text="x" * 200_000)
    talk.send("eof")
    talk.finish()
    assert talk.shown == b"800000\n"


FIRST = [
    ("{", "body"),
    ("[]", "body: must be an object"),
    ("{}", "type: the first message must be a start"),
    ('{"type":"stdin","text":"x"}', "type: the first message must be a start"),
    ('{"type":"start"}', "run: must be an object"),
    ('{"type":"start","run":[]}', "run: must be an object"),
    ('{"type":"start","run":{"language":"python"}}', "run.source: "),
    ('{"type":"start","run":{"language":"python","source":"1","more":1}}', "run.more: unknown field"),
    ('{"type":"start","run":{"language":"python","source":"1"},"more":1}', "more: unknown field"),
    ('{"type":"start","run":{"language":"python","source":"1"},"tty":1}', "tty: must be true or false"),
    ('{"type":"start","run":{"language":"python","source":"1"},"rows":0}', "rows: must be 1 to 1000"),
    ('{"type":"start","run":{"language":"python","source":"1"},"columns":1001}', "columns: must be 1 to 1000"),
    ('{"type":"start","type":"start","run":{"language":"python","source":"1"}}', "body: the name"),
    ('{"type":"start","run":{"language":"klingon","source":"1"}}', "klingon"),
]


@pytest.mark.parametrize("text, detail", FIRST, ids=[text[:70] for text, _ in FIRST])
def test_a_start_that_is_refused_ends_the_conversation(service, talk, text, detail):
    before = [run["id"] for run in service.get("/v1/runs?limit=1").json["runs"]]
    talk.send_raw(text)
    message = talk.receive()
    assert message["type"] == "error" and detail in message["detail"], message
    assert talk.receive() is None
    assert [run["id"] for run in service.get("/v1/runs?limit=1").json["runs"]] == before


LATER = [
    ("{", "body"),
    ("[]", "body: must be an object"),
    ("{}", "type: must be"),
    ('{"type":"shout"}', "type: must be"),
    ('{"type":"start","run":{}}', "type: the start has been sent"),
    ('{"type":"stdin"}', "base64"),
    ('{"type":"stdin","text":1}', "text: must be a string"),
    ('{"type":"stdin","base64":"*"}', "base64: is not base64"),
    ('{"type":"stdin","text":"","more":1}', "more: unknown field"),
    ('{"type":"eof","more":1}', "more: unknown field"),
    ('{"type":"cancel","more":1}', "more: unknown field"),
    ('{"type":"signal"}', "name: there is no signal"),
    ('{"type":"signal","name":"SIGNONE"}', "name: there is no signal"),
    ('{"type":"signal","name":9}', "name: must be a string"),
    ('{"type":"signal","name":"SIGKILL","more":1}', "more: unknown field"),
    ('{"type":"resize","rows":0}', "rows: must be 1 to 1000"),
]


@pytest.mark.parametrize("text, detail", LATER, ids=[text for text, _ in LATER])
def test_a_message_that_is_not_understood_changes_nothing(talk, text, detail):
    talk.start(ECHO)
    talk.send_raw(text)
    assert detail in talk.expect_error()
    talk.send("stdin", text="still\n")
    talk.expect(b"got still")
    talk.send("eof")
    assert talk.finish()["status"] == "ok"


def test_bytes_are_no_message_and_nothing_follows_the_end_of_stdin(talk):
    talk.start("import sys, time\nsys.stdin.read()\nprint('read', flush=True)\ntime.sleep(600)")
    talk.socket.send_binary(b"{}")
    assert "must be text" in talk.expect_error()
    talk.send("eof")
    talk.expect(b"read")
    talk.send("stdin", text="late\n")
    assert "stdin" in talk.expect_error()
    talk.send("cancel")
    assert talk.finish()["state"] == "cancelled"


def test_a_message_that_is_too_long_ends_the_connection(service):
    with service.converse() as talk:
        talk.start(SLEEP)
        talk.expect(b"ready")
        with pytest.raises((websocket.WebSocketException, OSError)):
            talk.socket.send(json.dumps({"type": "stdin", "text": "x" * (3 << 20)}))
            while talk.socket.recv_data()[0] != websocket.ABNF.OPCODE_CLOSE:
                pass
            raise websocket.WebSocketConnectionClosedException
    assert service.wait_for_state(talk.id, "cancelled")


def test_without_an_upgrade_it_is_told_what_this_is(service):
    answer = service.get("/v1/runs/interactive")
    assert answer.status == 426 and answer.headers["Upgrade"] == "websocket"


def test_a_page_offers_its_key_as_a_protocol(service_maker):
    keyed = service_maker("--require-key")
    _, secret = keyed.create_key("page")
    with keyed.converse(subprotocols=["belljar", f"bearer.{secret}"]) as talk:
        assert talk.socket.subprotocol == "belljar"
        talk.start("print('for ada')")
        assert out_of(talk.finish()) == "for ada\n"
    for protocols in (["belljar"], ["belljar", "bearer."], ["belljar", "bearer.bj_" + "0" * 64]):
        with pytest.raises(websocket.WebSocketBadStatusException, match="401"):
            keyed.converse(subprotocols=protocols)


def test_a_page_of_another_site_may_not_converse(service):
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        service.converse(origin="http://evil.example")
    assert refused.value.status_code == 403
