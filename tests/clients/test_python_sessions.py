"""Sessions with the Python client, sync and async, against a live service."""

import asyncio
import threading

import pytest

import belljar
from between import Canned, CuttingProxy
from both import CLIENTS, written

NUMBERS = "import time\nfor n in range(100): print(n, flush=True); time.sleep(0.005)\nn"
SLEEP = "print('ready', flush=True)\nimport time; time.sleep(600)"
PICTURE = """
class Picture:
    def _repr_png_(self): return b'\\x89PNG'
    def _repr_json_(self): return {'a': [1]}
    def _repr_html_(self): return '<b>'
    def __repr__(self): return 'a picture'
display(Picture())
Picture()
"""


@pytest.fixture(params=sorted(CLIENTS))
def kind(request):
    return CLIENTS[request.param]


@pytest.fixture
def client(kind, url):
    return kind(url)


@pytest.fixture
def session(client):
    with client.session() as session:
        yield session


def refused(call, *arguments, **named):
    with pytest.raises(belljar.Problem) as caught:
        call(*arguments, **named)
    return caught.value


def until_ready(stream):
    next(event for event in stream if event.type == "stdout")


# ---- Executions ----


def test_what_one_execution_sets_the_next_one_has(session):
    first = session.execute("x = 20\nprint('said')\nimport sys; print('badly', file=sys.stderr)")
    assert first.ok and first.ended and (first.state, first.status) == ("done", "ok")
    assert (first.stdout.text, first.stderr.text, first.value, first.results) == ("said\n", "badly\n", None, [])
    second = session.execute("x + 1")
    assert (second.value, second.error, second.session) == ("21", None, session.id)
    assert second.usage.wall_ms > 0 and second.limits.memory_bytes > 0 and second.denied_syscalls == []
    assert session.get(second.id) == second
    assert session.look().executions == 2


def test_an_error_has_a_name_and_a_traceback(session):
    made = session.execute("def f():\n    return {}['k']\n\nf()")
    assert not made.ok and made.status == "error" and made.value is None
    assert (made.error.name, made.error.value) == ("KeyError", "'k'")
    assert "line 2, in f" in made.error.traceback


def test_results_come_by_their_types(session):
    made = session.execute(PICTURE)
    assert made.value == "a picture" and [each.main for each in made.results] == [False, True]
    assert made.get_all("image/png") == [b"\x89PNG"] * 2 and made.get_all("image/gif") == []
    main = made.results[1]
    assert (main.get("text/html"), main.get("application/json"), main.get("image/png")) == ("<b>", {"a": [1]}, b"\x89PNG")
    assert main.get("image/gif") is None and main.data["image/png"] == "iVBORw=="
    made_up = session.execute("display({'image/png': 'no base64', 'image/svg+xml': '<svg>'}, raw=True)").results[0]
    assert made_up.get("image/svg+xml") == "<svg>"
    with pytest.raises(ValueError):
        made_up.get("image/png")


def test_files_go_in_and_are_told_of(client):
    files = {"helper.py": "x = 7", "raw": b"\xff\0"}
    with client.session("python", files=files, env={"MODE": "deep"}, limits={"memory": "128M"}, ttl=600, idle="5m") as it:
        assert it.info.limits.memory_bytes == 128 << 20 and (it.info.ttl_ms, it.info.idle_ms) == (600_000, 300_000)
        made = it.execute("import helper, os; helper.x, os.environ['MODE'], open('raw', 'rb').read()")
        assert made.value == "(7, 'deep', b'\\xff\\x00')"
        (file,) = it.execute("open('plot.png', 'wb').write(bytes(9))").files
        assert (file.path, file.bytes, file.mime) == ("plot.png", 9, "image/png")


def test_a_timeout_keeps_the_state(session):
    session.execute("x = 1")
    made = session.execute("while True: pass", limits={"cpu": 0.3})
    assert (made.status, made.clock, made.error.name) == ("timeout", "cpu", "KeyboardInterrupt")
    assert session.execute("x").value == "1"


def test_an_execution_is_waited_for_later(session):
    id = session.submit("import time; time.sleep(0.5); 5")
    before = session.get(id)
    assert not before.ended and before.value is None and before.get_all("text/plain") == []
    with pytest.raises(belljar.Timeout):
        session.execute("import time; time.sleep(600)", limits={"wall": 1}, wait_timeout=0.2)
    assert session.get(id, wait=True).value == "5"


def test_an_interrupt_from_another_thread(url, session):
    assert refused(session.interrupt).status == 409
    session.execute("x = 1")
    id, made = session.submit(SLEEP), []
    waiting = threading.Thread(target=lambda: made.append(session.get(id, wait=True)))
    waiting.start()
    with belljar.Client(url).attach(session.id).events(id) as stream:
        until_ready(stream)
    session.interrupt()
    waiting.join()
    assert (made[0].status, made[0].error.name) == ("interrupted", "KeyboardInterrupt")
    assert session.execute("x").value == "1"


def test_a_task_interrupts_another(url):
    async def main():
        async with belljar.AsyncClient(url).session() as session:
            assert session.id == session.info.id and session.id in repr(session)
            async with session.stream(SLEEP) as stream:
                waiting = asyncio.ensure_future(session.get(stream.id, wait=True))
                async for event in stream:
                    if event.type == "stdout":
                        await session.interrupt()
            assert stream.execution.status == "interrupted" and await waiting == stream.execution
        assert (await session.look()).state == "ended"

    asyncio.run(main())


def test_the_same_idempotency_key_is_one_session_and_one_execution(client, kind):
    key = f"once-{kind.__name__}"
    named = key + "-session"
    with client.session(idempotency_key=named) as session, client.session(idempotency_key=named) as again:
        assert again.id == session.id
        first = session.execute("n = 1; n", idempotency_key=key)
        assert session.submit("n = 1; n", idempotency_key=key) == first.id
        session.quit()
        assert session.execute("n = 1; n", idempotency_key=key).id == first.id
        assert list(session.stream("n = 1; n", idempotency_key=key))[-1].execution.id == first.id
        assert refused(session.execute, "n", idempotency_key=key).status == 409


# ---- Events ----


def test_a_stream_gives_the_events_and_the_outcome_last(session):
    events = list(session.stream("print('ä')\ndisplay('shown')\n1"))
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert [event.type for event in events][:1] == ["status"] and written(events) == "ä\n".encode()
    assert [event.result.get("text/plain") for event in events if event.type == "result"] == ["'shown'", "1"]
    assert events[-1].execution.value == "1" and events[0].execution is None and events[0].result is None
    id = events[-1].execution.id
    assert session.get(id) == events[-1].execution
    assert [repr(each) for each in session.events(id, after=2)] == [repr(each) for each in events[2:]]


@pytest.mark.parametrize("size", [450, 700, 1500])
def test_a_stream_goes_on_where_the_connection_was_cut(kind, service, session, size):
    with CuttingProxy(service.address, [None, None] + [size] * 4) as proxy:
        events = list(kind(proxy.url).attach(session.id).stream(NUMBERS))
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert written(events) == b"".join(b"%d\n" % n for n in range(100))
    assert events[-1].execution.value == "99"
    _, submitted, *asked = (head.split(b"\r\n\r\n")[0] for head in proxy.requests)
    assert submitted.startswith(b"POST ") and len(asked) == 5 and all(b"/events " in head for head in asked)
    assert size < 700 or any(b"Last-Event-ID: " in head for head in asked)  # fewer bytes are no whole event
    assert session.look().executions == 1


def test_code_is_never_sent_twice(kind, service, session):
    with CuttingProxy(service.address, [None, 40]) as proxy:
        through = kind(proxy.url, retries=3).attach(session.id)
        with pytest.raises(belljar.ConnectionLost):
            list(through.stream("1"))
        assert len(proxy.requests) == 2
    with Canned((200, {}, b'{"id": "ses_1"}'), (503, {}, b"")) as canned:
        through = kind(canned.url, retries=1).attach("ses_1")
        assert refused(through.execute, "1").status == 503 and len(canned.requests) == 2
        # To quit twice is to quit.
        assert refused(through.quit).status == 503 and len(canned.requests) == 4


def test_a_stream_can_be_left(url):
    with belljar.Client(url).session() as session:
        with session.stream(SLEEP) as stream:
            until_ready(stream)
        assert stream.execution is None and not session.get(stream.id).ended
        session.interrupt()
        with session.events(stream.id, after=stream.last_event_id) as rest:
            assert [event.type for event in rest][-1] == "outcome"
        assert rest.execution.status == "interrupted"


# ---- Sessions ----


def test_contexts_share_files_and_nothing_else(session):
    assert session.create_context("second").contexts == ["default", "second"]
    session.execute("x = 1; open('shared', 'w').write('both')")
    made = session.execute("open('shared').read(), 'x' in globals()", context="second")
    assert (made.value, made.context) == ("('both', False)", "second")
    session.execute("y = 2", context="second")
    session.restart_context("second")
    assert session.execute("y", context="second").error.name == "NameError"
    session.restart_context()
    assert session.execute("x").error.name == "NameError"
    assert session.remove_context("second").contexts == ["default"]
    assert refused(session.execute, "1", context="second").status == 404
    assert refused(session.create_context, "default").status == 409
    assert refused(session.remove_context, "default").status == 400


def test_two_sessions_are_apart(client, session):
    session.execute("x = 1; open('kept', 'w')")
    with client.session() as other:
        assert other.id != session.id
        assert other.execute("import os; 'x' in globals(), os.listdir()").value == "(False, [])"
    assert session.execute("x").value == "1"


def test_a_session_that_was_quit_says_so(client):
    with client.session() as session:
        assert session.execute("1").ok
        ended = session.quit()
        assert (ended.state, ended.reason) == ("ended", "quit")
        for call in (lambda: session.execute("1"), lambda: list(session.stream("1")), session.interrupt):
            problem = refused(call)
            assert problem.status == 409 and "the session has ended: quit" in str(problem)
        assert session.quit().state == "ended"
    assert session.look().state == "ended"


def test_sessions_are_listed_and_attached_to(client, session):
    session.execute("x = 1")
    assert session.id in [each.id for each in client.sessions()]
    assert client.attach(session.id).execute("x").value == "1"
    assert refused(client.attach, "ses_none").status == 404


def test_what_the_service_has_forgotten_has_ended(kind):
    gone = (404, {}, b'{"title": "Not found", "status": 404, "detail": "gone"}')
    with Canned((201, {}, b'{"id": "ses_1"}'), gone) as canned:
        with kind(canned.url).session() as session:
            pass
        assert refused(session.quit).status == 404
    with Canned((201, {}, b'{"id": "ses_1"}'), (503, {}, b"")) as canned, pytest.raises(belljar.Problem):
        with kind(canned.url).session():
            pass


def test_a_session_that_is_refused(client):
    problem = refused(client.session, limits={"memory": "none"})
    assert (problem.status, problem.limit) == (400, "memory")
    assert refused(client.session, "cobol").status == 404


def test_wrong_arguments_never_leave(kind, session):
    for wrong in (b"1", None):
        with pytest.raises(TypeError):
            session.execute(wrong)
    with pytest.raises(ValueError):
        kind("http://127.0.0.1:1").attach("..")
    with pytest.raises(ValueError):
        session.remove_context("")
