"""The Python client, sync and async, against a live service."""

import ast
import asyncio
import inspect
import platform
import re
import socket
import threading
import time

import pytest

import belljar
from belljar import model
from belljar.sse import EventParser
from between import Canned, CuttingProxy
from both import CLIENTS, written
from conftest import url_of
from contract import CONTRACT
from support.command import ROOT

PACKAGE = ROOT / "clients/python"
SLEEP = "print('ready', flush=True)\nimport time; time.sleep(600)"
NUMBERS = "import time\nfor n in range(100): print(n, flush=True); time.sleep(0.005)"


@pytest.fixture(params=sorted(CLIENTS))
def kind(request):
    return CLIENTS[request.param]


@pytest.fixture
def client(kind, url):
    return kind(url)


# ---- Runs ----


def test_a_run_that_succeeds(client):
    run = client.run("import sys; print(input(), sys.argv[1])", "python", stdin="hello", args=["world"])
    assert run.ok and run.ended and (run.state, run.status, run.exit_code) == ("done", "ok", 0)
    assert (run.stdout, run.stderr) == ("hello world\n", "")
    assert run.outcome.toolchain.startswith("Python 3") and run.stage.usage.wall_ms > 0
    assert run.stage.limits.memory_bytes > 0 and "seccomp" in run.stage.walls
    assert run.raw["outcome"]["stages"][0]["stdout"]["text"] == run.stdout
    assert client.get(run.id) == run and "status='ok'" in repr(run)


def test_a_run_that_times_out_is_an_outcome(client):
    run = client.run("while True: pass", "python", limits={"wall": "300ms"})
    assert run.ended and not run.ok
    assert (run.status, run.stage.clock, run.exit_code) == ("timeout", "wall", None)


def test_what_does_not_compile_is_an_outcome(client):
    run = client.run("int main(void) { return x; }", "c")
    assert (run.status, run.stage.stage) == ("compile_error", "compile")
    assert "x" in run.stderr


def test_files_environment_and_policy(client):
    main = "import os, data; print(data.text, os.environ['MODE'], open('raw', 'rb').read())"
    files = {"main.py": main, "data.py": "text = 'ä'", "raw": b"\xff\0"}
    run = client.run(files=files, entry="main.py", env={"MODE": "test"}, policy="default")
    assert run.stdout == "ä test b'\\xff\\x00'\n"
    script = [belljar.File("run.sh", "./other.sh"), belljar.File("other.sh", "#!/bin/sh\necho hi\n", executable=True)]
    assert client.run(files=script, language="bash", entry="run.sh").stdout == "hi\n"


def test_a_program_is_described_once_and_used_often(client):
    program = belljar.Program("print(int(input()) * 2)", "python", stdin="21", expected="42")
    assert client.run(program).outcome.verdict == "pass"
    program.stdin = b"20"
    assert client.run(program).outcome.verdict == "wrong_answer"
    with pytest.raises(TypeError):
        client.run(program, "python")


def test_unicode_comes_back_as_it_was(client):
    text = "a\u00e9\u20ac\U0001f600\u2028\x1b[31m"
    run = client.run(f"import sys; sys.stdout.write({text!r})", "python")
    assert run.stdout == text and run.stage.stdout.bytes == text.encode()
    run = client.run("import sys; sys.stdout.write(sys.stdin.read())", "python", stdin=text)
    assert run.stdout == text


def test_bytes_come_back_as_they_were(client):
    data = bytes(range(256)) * 3
    run = client.run("import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())", "python", stdin=data)
    assert run.stage.stdout.base64 is not None and run.stage.stdout.bytes == data
    assert run.stage.stdout.total_bytes == len(data) and not run.stage.stdout.truncated


def test_submit_and_get(client):
    id = client.submit("import time; time.sleep(0.3); print(1)", "python")
    assert not client.get(id).ended
    run = client.get(id, wait=True)
    assert (run.id, run.state, run.stdout) == (id, "done", "1\n")
    (file,) = client.request(id)["files"]
    assert file["content"] == "import time; time.sleep(0.3); print(1)"


def test_the_same_idempotency_key_is_one_run(client, kind):
    key = f"order-{kind.__name__}"
    first = client.submit("print(1)", "python", idempotency_key=key)
    assert client.submit("print(1)", "python", idempotency_key=key) == first
    assert client.run("print(1)", "python", idempotency_key=key).id == first
    # Ended or not, its events are those of the one run.
    assert list(client.stream("print(1)", "python", idempotency_key=key))[-1].run.id == first
    with pytest.raises(belljar.Problem) as caught:
        client.submit("print(2)", "python", idempotency_key=key)
    assert caught.value.status == 409


def test_cancel(client):
    id = client.submit(SLEEP, "python")
    client.cancel(id)
    assert client.get(id, wait=True).state == "cancelled"
    with pytest.raises(belljar.Problem) as caught:
        client.cancel(id)
    assert caught.value.status == 409


def test_the_list_goes_over_all_pages(client):
    batch = client.batch([belljar.Program(f"print({n})", "python") for n in range(7)])
    for run in batch.runs:
        client.get(run.id, wait=True)
    listed = list(client.list(batch=batch.id, page_size=3))
    assert [run.id for run in listed] == [run.id for run in reversed(batch.runs)]
    assert {run.outcome for run in listed} == {None} and {run.status for run in listed} == {"ok"}
    assert list(client.list(batch=batch.id, state="running")) == []
    assert list(client.list(batch=batch.id, language="perl")) == []


def test_labels_ask_for_a_place(client):
    here = {"arch": platform.machine()}
    assert client.run("print(1)", "python", labels=here).outcome.status == "ok"
    with pytest.raises(belljar.Problem) as refused:
        client.submit("print(1)", "python", labels={**here, "region": "mars"})
    assert (refused.value.status, refused.value.field) == (503, "labels")


def test_artifacts(client):
    source = "import os; os.mkdir('out'); open('out/ä b.bin', 'wb').write(bytes(range(256))); open('out/#?%', 'w')"
    run = client.run(source, "python", artifacts=["out/**"])
    left = {artifact.path: artifact for artifact in run.outcome.artifacts}
    assert {path: artifact.bytes for path, artifact in left.items()} == {"out/ä b.bin": 256, "out/#?%": 0}
    assert client.artifact(run.id, "out/ä b.bin") == bytes(range(256))
    assert client.artifact(run.id, left["out/#?%"]) == b""
    assert [each.path for each in client.artifacts(run.id)] == [each.path for each in run.outcome.artifacts]
    other = client.run("open(b'odd\\xff', 'w').write('1')", "python", artifacts=["odd*"])
    (odd,) = client.artifacts(other.id)
    assert (odd.path, client.artifact(other.id, odd)) == ("odd\ufffd", b"1")
    with pytest.raises(belljar.Problem) as caught:
        client.artifact(run.id, "none")
    assert caught.value.status == 404


def test_a_batch_of_inputs(client):
    program = belljar.Program("print(int(input()) * 2)", "python")
    accepted = client.batch_of_inputs(program, [{"stdin": "1", "expected": "2"}, {"stdin": b"2", "expected": "5"}])
    assert [run.state for run in accepted.runs] == ["queued", "queued"]
    verdicts = [client.get(run.id, wait=True).outcome.verdict for run in accepted.runs]
    assert verdicts == ["pass", "wrong_answer"]
    batch = client.get_batch(accepted.id)
    assert (batch.ended, batch.total, [run.id for run in batch.runs]) == (2, 2, [run.id for run in accepted.runs])


def test_what_a_batch_rejects_is_told_for_that_run(client):
    programs = [belljar.Program("print(1)", "python"), belljar.Program("1", "klingon")]
    queued, rejected = client.batch(programs).runs
    assert (queued.state, rejected.state, rejected.id) == ("queued", "rejected", None)
    assert "klingon" in rejected.reason


# ---- Events ----


def test_a_stream_gives_the_events_and_the_outcome_last(client):
    events = list(client.stream("import sys\nprint('ä')\nprint(1, file=sys.stderr)", "python"))
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert [event.data["state"] for event in events[:2]] == ["queued", "running"]
    assert (written(events), written(events, "stderr")) == ("ä\n".encode(), b"1\n")
    assert events[-1].type == "outcome" and events[-1].run.ok and events[0].run is None
    assert [event.text for event in events if event.type == "stdout"] == ["ä\n"]
    # Whoever comes later sees the same, or what is left of it.
    id = events[-1].run.id
    assert [repr(each) for each in client.events(id)] == [repr(each) for each in events]
    assert [each.number for each in client.events(id, after=2)] == [each.number for each in events[2:]]


def test_bytes_of_a_stream(client):
    events = client.stream("import os\nos.write(1, bytes(range(256)))", "python")
    assert written(events) == bytes(range(256))


@pytest.mark.parametrize("size", [450, 700, 1500])
def test_a_stream_goes_on_where_the_connection_was_cut(kind, service, size):
    with CuttingProxy(service.address, [size] * 4) as proxy:
        events = list(kind(proxy.url, retries=4).stream(NUMBERS, "python"))
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert written(events) == b"".join(b"%d\n" % n for n in range(100))
    assert events[-1].run.ok
    heads = [head.split(b"\r\n\r\n")[0] for head in proxy.requests]
    assert len(heads) == 5
    assert heads[0].startswith(b"POST /v1/runs?stream=1 ") and b"Idempotency-Key: " in heads[0]
    # A reset may throw away what had come, the first answer's head too: then the same is asked for again.
    assert all(b"/events " in head or head == heads[0] for head in heads[1:])
    assert size < 700 or any(b"Last-Event-ID: " in head for head in heads)  # fewer bytes are no whole event


def test_a_stream_whose_beginning_is_lost_is_one_run(kind, service):
    with CuttingProxy(service.address, [40]) as proxy:
        events = list(kind(proxy.url, retries=1).stream("print(1)", "python"))
    assert events[0].data["state"] == "queued" and events[-1].run.ok
    first, second = (head.split(b"Idempotency-Key: ")[1].split(b"\r\n")[0] for head in proxy.requests)
    assert first == second
    with CuttingProxy(service.address, [40]) as proxy, pytest.raises(belljar.ConnectionLost):
        list(kind(proxy.url).stream("print(1)", "python"))


def test_a_stream_that_is_always_cut_fails_in_the_end(kind, service):
    with CuttingProxy(service.address, [1200] + [20] * 9) as proxy:
        client = kind(proxy.url, reconnects=2)
        with pytest.raises(belljar.ConnectionLost):
            list(client.stream(NUMBERS, "python"))
    assert len(proxy.requests) == 3


def test_a_stream_of_a_run_whose_numbers_began_anew_ends_with_the_outcome(client):
    run = client.run("print(1)", "python")
    (only,) = client.events(run.id, after=1000)
    assert only.type == "outcome" and only.run == run


def test_a_stream_tells_who_it_is_and_can_be_left(url):
    client = belljar.Client(url)
    with client.stream(SLEEP, "python") as stream:
        for event in stream:
            if event.type == "stdout":
                break
        assert stream.last_event_id == event.number and stream.run is None
    assert not client.get(stream.id).ended
    assert list(stream) == []
    client.cancel(stream.id)
    with client.events(stream.id) as stream:
        assert [event.type for event in stream][-1] == "outcome"
    assert stream.run.state == "cancelled"


def test_an_async_stream_can_be_left_and_cancelled(url):
    async def main():
        client = belljar.AsyncClient(url)
        async with client.stream(SLEEP, "python") as stream:
            assert stream.id is not None
            async for event in stream:
                if event.type == "stdout":
                    break
        assert not (await client.get(stream.id)).ended
        # One that waits for an event is cancelled at once, and a run that is waited for.
        for waiting in (anext_of(client.events(stream.id, after=stream.last_event_id)), client.get(stream.id, wait=True)):
            task = asyncio.ensure_future(waiting)
            await asyncio.sleep(0.2)
            began = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert time.monotonic() - began < 5
        await client.cancel(stream.id)
        assert (await client.get(stream.id, wait=True)).state == "cancelled"

    async def anext_of(stream):
        async with stream:
            return await stream.__anext__()

    asyncio.run(main())


def test_async_calls_go_on_beside_each_other(url):
    async def main():
        client = belljar.AsyncClient(url)
        runs = await asyncio.gather(*(client.run(f"print({n})", "python") for n in range(20)))
        assert [run.stdout for run in runs] == [f"{n}\n" for n in range(20)]

    asyncio.run(main())


def test_threads_share_a_client(url):
    client, seen = belljar.Client(url), {}

    def work(number):
        seen[number] = client.run(f"print({number})", "python").stdout

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {number: f"{number}\n" for number in range(8)}


# ---- What is refused ----


@pytest.mark.parametrize("limits, status", [({"memory": "999T"}, 400), ({"memory": "900G"}, 403), ({"memory": -1}, 400)])
def test_a_bad_limit_is_named(client, limits, status):
    with pytest.raises(belljar.Problem) as caught:
        client.run("print(1)", "python", limits=limits)
    problem = caught.value
    assert (problem.status, problem.field, problem.limit) == (status, "limits.memory", "memory")
    assert problem.title and "limits.memory" in problem.detail and problem.detail in str(problem)
    assert problem.raw["status"] == status and problem.request_id.startswith("req_")
    assert problem.retry_after is None and problem.type == "about:blank"


def test_a_bad_limit_of_a_batch_is_named(client):
    programs = [belljar.Program("1", "python"), belljar.Program("1", "python", limits={"wall": "soon"})]
    with pytest.raises(belljar.Problem) as caught:
        client.batch(programs)
    assert (caught.value.field, caught.value.limit) == ("runs[1].limits.wall", "wall")


@pytest.mark.parametrize("call", [lambda client: client.get("run_none"), lambda client: list(client.events("run_none"))])
def test_a_run_that_is_not_there(client, call):
    with pytest.raises(belljar.Problem) as caught:
        call(client)
    assert (caught.value.status, caught.value.field, caught.value.limit) == (404, None, None)


@pytest.mark.parametrize(
    "wrong, error",
    [
        ({}, ValueError),
        ({"source": "1", "files": {"a.py": "1"}}, ValueError),
        ({"source": b"1", "language": "python"}, TypeError),
        ({"source": "1", "language": "python", "stdin": 5}, TypeError),
        ({"source": "1", "language": "python", "args": "one"}, TypeError),
        ({"source": "1", "language": "python", "colour": "red"}, TypeError),
        ({"source": "1", "language": "python", "idempotency_key": "a\r\nb: c"}, ValueError),
        ({"source": "1", "language": "python", "idempotency_key": ""}, ValueError),
    ],
)
def test_wrong_arguments_never_leave(kind, wrong, error):
    with pytest.raises(error):
        kind("http://127.0.0.1:1").run(**wrong)


@pytest.mark.parametrize("id", ["", ".", ".."])
def test_a_name_that_is_none_never_leaves(kind, id):
    with pytest.raises(ValueError):
        kind("http://127.0.0.1:1").get(id)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://a", "http://", "http://a:b@c", "http://a/?x", "http://a:x"])
def test_a_url_that_is_none(kind, url):
    with pytest.raises(ValueError):
        kind(url)


def test_keys(kind, keyed):
    _, secret = keyed.create_key(f"ada-{kind.__name__}")
    assert kind(url_of(keyed.address), secret).run("print(1)", "python").stdout == "1\n"
    for key in (None, "bj_" + "0" * 64):
        with pytest.raises(belljar.Problem) as caught:
            kind(url_of(keyed.address), key).run("print(1)", "python")
        assert caught.value.status == 401
    with pytest.raises(ValueError):
        kind(url_of(keyed.address), "a\nb")


def test_too_many_requests_say_when_to_come_again(kind, keyed):
    _, secret = keyed.create_key(f"often-{kind.__name__}")
    client = kind(url_of(keyed.address), secret)
    with pytest.raises(belljar.Problem) as caught:
        for _ in range(4):
            client.submit("print(1)", "python")
    assert caught.value.status == 429 and 1 <= caught.value.retry_after <= 60


# ---- Trying again ----

RUN = b'{"id": "run_1", "state": "done", "new": {"field": [1]}}'
FULL = (429, {"Retry-After": "1"}, b'{"title": "Too many requests", "status": 429, "detail": "full"}')
GONE = (503, {}, b"<html>gone")
FINE = (200, {"Content-Type": "application/json"}, RUN)


def test_it_is_tried_again_when_the_service_asks_for_that(kind):
    with Canned(FULL, FINE) as canned:
        began = time.monotonic()
        run = kind(canned.url, retries=1).run("1", "python")
        assert time.monotonic() - began >= 1 and len(canned.requests) == 2
    # What this version does not know is kept, and what the answer lacks is None.
    assert run.raw["new"] == {"field": [1]} and run.outcome is None and run.stdout == ""


@pytest.mark.parametrize("answer", [FULL, GONE])
def test_without_retries_it_is_tried_once(kind, answer):
    with Canned(answer) as canned:
        with pytest.raises(belljar.Problem) as caught:
            kind(canned.url).get("run_1")
        assert len(canned.requests) == 1
    assert caught.value.status == answer[0] and caught.value.retry_after == (1 if answer is FULL else None)


def test_a_program_is_sent_again_only_where_it_does_no_harm(kind):
    with Canned(GONE) as canned:
        client = kind(canned.url, retries=2)
        for named, times in (({}, 1), ({"idempotency_key": "a"}, 3)):
            canned.requests.clear()
            with pytest.raises(belljar.Problem):
                client.submit("1", "python", **named)
            assert len(canned.requests) == times
        canned.requests.clear()
        with pytest.raises(belljar.Problem):
            client.get("run_1")
        assert len(canned.requests) == 3


def test_a_pause_that_is_too_long_is_an_error_at_once(kind):
    with Canned((429, {"Retry-After": "86400"}, b"{}"), FINE) as canned:
        with pytest.raises(belljar.Problem) as caught:
            kind(canned.url, retries=5).get("run_1")
    assert caught.value.retry_after == 86400


def test_a_lost_connection(kind, service):
    with CuttingProxy(service.address, [20]) as proxy:
        with pytest.raises(belljar.ConnectionLost) as caught:
            kind(proxy.url).run("print(1)", "python")
        assert caught.value.sent and isinstance(caught.value, ConnectionError)
    key = f"cut-{kind.__name__}"
    with CuttingProxy(service.address, [20]) as proxy:
        assert kind(proxy.url, retries=1).run("print(1)", "python", idempotency_key=key).stdout == "1\n"
        assert len(proxy.requests) == 2


def test_a_service_that_is_not_there(kind):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    with pytest.raises(belljar.ConnectionLost) as caught:
        kind(url_of(address)).system()
    assert not caught.value.sent


def test_a_service_that_says_nothing(kind):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = url_of(listener.getsockname())
        for wait in (lambda: kind(url, timeout=0.3).system(), lambda: kind(url).run("1", "python", wait_timeout=0.3)):
            with pytest.raises(belljar.Timeout) as caught:
                wait()
            assert isinstance(caught.value, TimeoutError)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"1", b'{"languages": 5}', b"{}"])
def test_what_is_no_service(kind, body):
    with Canned((200, {}, body)) as canned, pytest.raises(belljar.BadAnswer):
        kind(canned.url).languages()
    with Canned((200, {}, body)) as canned, pytest.raises(belljar.BadAnswer):
        list(kind(canned.url).stream("1", "python"))


def test_readiness_is_an_answer(kind, client):
    assert client.ready() is True and client.health() is True
    with Canned(GONE) as canned:
        assert kind(canned.url, retries=3).ready() is False
        assert len(canned.requests) == 1


def test_a_url_may_have_a_path(kind):
    with Canned(FINE) as canned:
        assert kind(canned.url + "/belljar/").get("run_1").id == "run_1"
        assert canned.requests[0][1] == "/belljar/v1/runs/run_1"


# ---- Events out of pieces ----


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_whole_however_they_are_cut(size):
    text = (
        ': hello\n\nid: 1\nevent: stdout\ndata: {"text":"ä: b"}\n\n'
        'id:2\r\nevent: stdout\r\ndata: {"base64":"/w=="}\r\n\r\n: still here\n\nid: 3\nevent: x\ndata: {}\n'
    ).encode()
    parser = EventParser(belljar.Event)
    events = [event for at in range(0, len(text), size) for event in parser.feed(text[at : at + size])]
    assert [(event.number, event.type, event.bytes) for event in events] == [
        (1, "stdout", "ä: b".encode()),
        (2, "stdout", b"\xff"),
    ]


@pytest.mark.parametrize("text", [b"id: x\n\n", b"id: 1\nevent: a\ndata: {\n\n", b"data: {}\n\n"])
def test_what_is_no_event(text):
    with pytest.raises(belljar.BadAnswer):
        list(EventParser(belljar.Event).feed(text))


# ---- The package ----


def properties(schema):
    while "$ref" in schema:
        schema = CONTRACT.resolve(schema["$ref"])
    if "properties" in schema:
        return schema["properties"]
    # One of several, of which null may be one: all that any of them has.
    found = {}
    for each in schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf") or []:
        found.update(properties(each))
    return found


def compare(kind, schema, seen):
    described = properties(schema)
    seen.add(kind)
    assert set(kind.fields()) == set(described), kind
    for name, make in kind._nested.items():
        inner = described[name]
        while "$ref" in inner:
            inner = CONTRACT.resolve(inner["$ref"])
        make = make if inspect.isclass(make) else inspect.getclosurevars(make).nonlocals["kind"]
        compare(make, inner.get("items", inner), seen)


def test_the_records_have_the_contracts_fields():
    schemas = CONTRACT.document["components"]["schemas"]
    seen = set()
    for name in ("Run", "RunPage", "AcceptedBatch", "Batch", "Execution", "ExecutionPage", "SessionFiles", "Language", "Policy", "System"):
        compare(getattr(model, name), schemas[name], seen)
    compare(model.SessionInfo, schemas["Session"], seen)
    compare(model.Wall, CONTRACT.document["paths"]["/v1/walls"]["get"]["responses"]["200"]["content"]
            ["application/json"]["schema"]["properties"]["walls"]["items"], seen)  # fmt: skip
    records = {each for each in vars(model).values() if inspect.isclass(each) and issubclass(each, model.Record)}
    assert seen == records - {model.Record}


def test_a_program_has_the_contracts_fields():
    described = set(CONTRACT.document["components"]["schemas"]["RunRequest"]["properties"])
    tree = ast.parse((PACKAGE / "belljar/program.py").read_text())
    named = {
        each.name: [line.target.id for line in each.body if isinstance(line, ast.AnnAssign)]
        for each in ast.walk(tree) if isinstance(each, ast.ClassDef)
    }  # fmt: skip
    assert set(named["Program"]) == described
    assert set(named["Options"]) == described - {"source", "language"}


@pytest.mark.parametrize(
    "sync, other", [(belljar.Client, belljar.AsyncClient), (belljar.Session, belljar.AsyncSession)]
)
def test_the_two_clients_have_the_same_face(sync, other):
    def face(kind):
        return {name: inspect.signature(value) for name, value in vars(kind).items() if not name.startswith("_")}

    ours, theirs = face(sync), face(other)
    assert list(ours) == list(theirs)
    for name in ours:
        assert [str(each) for each in ours[name].parameters.values()] == [
            str(each) for each in theirs[name].parameters.values()
        ], name


def test_the_two_clients_are_made_alike():
    assert str(inspect.signature(belljar.Client)) == str(inspect.signature(belljar.AsyncClient))


def test_the_package_says_what_it_is():
    told = (PACKAGE / "pyproject.toml").read_text()
    assert f'version = "{belljar.__version__}"' in told and 'requires-python = ">=3.9"' in told
    assert (PACKAGE / "belljar/py.typed").is_file()
    for name in belljar.__all__:
        assert name == "__version__" or getattr(belljar, name).__doc__, name
    for kind in (belljar.Client, belljar.AsyncClient, belljar.Session, belljar.AsyncSession):
        assert all(value.__doc__ for name, value in vars(kind).items() if not name.startswith("_"))


@pytest.mark.parametrize("path", sorted((PACKAGE / "belljar").glob("*.py")), ids=lambda path: path.name)
def test_it_is_python_3_9_and_needs_nothing_else(path):
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    standard = set(
        "argparse ast asyncio atexit base64 dataclasses email http io json marshal os random socket ssl sys threading "
        "time types typing urllib uuid".split()
    )
    for each in ast.walk(tree):
        names = [alias.name for alias in each.names] if isinstance(each, ast.Import) else []
        if isinstance(each, ast.ImportFrom) and each.level == 0:
            names.append(each.module)
        roots = {name.split(".")[0] for name in names}
        # Only type checkers, which bring it themselves, see typing_extensions.
        assert roots <= standard | {"__future__", "typing_extensions"}, roots
    outside = re.sub(r"^if TYPE_CHECKING:\n(?:    .*\n|\n)+", "", path.read_text(), flags=re.MULTILINE)
    assert "import typing_extensions" not in outside and "from typing_extensions" not in outside
