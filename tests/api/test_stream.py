"""A run's events: in order, once each, from any place, and whole characters."""

import socket
import threading

import pytest

from service import READY, Events
from support.client import PATIENCE
from support.service import out_of

SLEEP = READY + "import time; time.sleep(600)"


def program(source, **fields):
    return {"language": "python", "source": source, **fields}


def written(events, stream="stdout"):
    return b"".join(event.bytes for event in events if event.name == stream)


def check_numbers(events, first=1):
    assert [event.number for event in events] == list(range(first, first + len(events)))


def test_events_come_in_order_and_the_outcome_last(service):
    source = "import sys\nfor n in range(3): print(n, flush=True); print(-n, file=sys.stderr, flush=True)"
    with service.events("/v1/runs?stream", method="POST", body=program(source)) as events:
        seen = list(events)
    check_numbers(seen)
    assert [event.data.get("state") for event in seen[:2]] == ["queued", "running"]
    assert seen[0].data["id"] == events.id
    assert [event.name for event in seen].count("outcome") == 1
    assert seen[-1].data == service.look(events.id)
    assert written(seen) == b"0\n1\n2\n" and written(seen, "stderr") == b"0\n-1\n-2\n"
    # Whoever comes later sees the same.
    with service.events(f"/v1/runs/{events.id}/events") as again:
        assert [repr(event) for event in again] == [repr(event) for event in seen]


def test_output_comes_while_the_program_runs(service):
    # Only who sees the first line, and cancels, sees the end.
    run = service.submit(SLEEP)
    with service.events(f"/v1/runs/{run}/events") as events:
        seen = events.take(lambda event: event.name == "stdout")
        assert service.post(f"/v1/runs/{run}/cancel").status == 202
        seen += list(events)
    check_numbers(seen)
    assert (seen[-1].data["state"], written(seen)) == ("cancelled", b"ready\n")


def test_a_compiled_program_tells_its_stages(service):
    body = {"language": "c", "source": "int main(void) { return 0; }"}
    with service.events("/v1/runs?stream", method="POST", body=body) as events:
        seen = list(events)
    assert [event.data.get("stage") for event in seen if event.name == "status"] == [None, "compile", "run"]


@pytest.mark.parametrize("by", ["header", "query"])
def test_a_stream_is_resumed_where_it_broke(service, by):
    source = "import time\nfor n in range(100): print(n, flush=True); time.sleep(0.002)"
    run = service.submit(source)
    seen, breaks = [], 0
    while not seen or seen[-1].name != "outcome":
        last = seen[-1].number if seen else 0
        target = f"/v1/runs/{run}/events"
        if by == "query":
            stream = service.events(f"{target}?last_event_id={last}")
        else:
            stream = service.events(target, after=last)
        with stream as events:
            # Broken off after a few events, again and again.
            seen += events.take(lambda event: event.number >= last + 7 or event.name == "outcome")
        breaks += 1
    check_numbers(seen)
    assert written(seen) == b"".join(b"%d\n" % n for n in range(100))
    assert breaks > 3
    with service.events(f"/v1/runs/{run}/events", after=seen[-1].number) as events:
        assert list(events) == []


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "99999999999999999999"])
def test_a_place_that_is_none_is_refused(service, last):
    run = service.run("")["id"]
    answer = service.get(f"/v1/runs/{run}/events", headers={"Last-Event-ID": last})
    assert (answer.status, answer.json.get("field")) == (400, "last-event-id"), answer
    # Before anything is accepted, too.
    before = service.get("/v1/runs?limit=1").json["runs"][0]["id"]
    answer = service.post("/v1/runs?stream", program(""), headers={"Last-Event-ID": last})
    assert answer.status == 400
    assert service.get("/v1/runs?limit=1").json["runs"][0]["id"] == before


def test_characters_are_never_split(service):
    # Each byte in a write of its own, and what is left at the end is no character.
    text = "a\u00e9\u20ac\U0001f600"
    source = (
        "import os, time\n"
        f"for byte in {text.encode()!r} * 3 + b'\\xe2\\x82': os.write(1, bytes([byte])); time.sleep(0.005)"
    )
    with service.events("/v1/runs?stream", method="POST", body=program(source)) as events:
        seen = [event for event in events if event.name == "stdout"]
    assert len(seen) > 3
    assert written(seen) == text.encode() * 3 + b"\xe2\x82"
    assert all("text" in event.data for event in seen[:-1])
    assert "".join(event.data["text"] for event in seen[:-1]) == text * 3
    assert "base64" in seen[-1].data


def test_both_streams_keep_their_characters_apart(service):
    source = (
        "import os, time\n"
        "for byte in '\u20ac\u20ac'.encode():\n"
        "  os.write(1, bytes([byte])); os.write(2, bytes([byte])); time.sleep(0.005)"
    )
    with service.events("/v1/runs?stream", method="POST", body=program(source)) as events:
        seen = list(events)
    assert not any("base64" in event.data for event in seen)
    assert written(seen) == written(seen, "stderr") == "\u20ac\u20ac".encode()


def test_bytes_that_are_no_text_come_as_base64(service):
    data = bytes(range(256))
    source = "import os\nfor n in range(64): os.write(1, bytes(range(256)))"
    with service.events("/v1/runs?stream", method="POST", body=program(source)) as events:
        seen = list(events)
    assert written(seen) == data * 64
    assert any("base64" in event.data for event in seen)


def test_line_ends_and_colons_stay_within_their_event(service):
    text = "a\r\n\r\nid: 9\ndata: x\n: y\r\0\u2028\x1b[31m"
    with service.events("/v1/runs?stream", method="POST", body=program(f"import sys; sys.stdout.write({text!r})")) as events:
        seen = list(events)
    check_numbers(seen)
    assert written(seen) == text.encode()


def test_a_slow_reader_holds_up_nobody(service):
    flood = "import os\nfor n in range(64): os.write(1, b'%07d\\n' % n * 8192)"
    body = program(flood, limits={"output": "8M"})
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.settimeout(PATIENCE)
    slow.connect(service.address)
    client = service.client()
    client.connection.sock = slow
    response = client.open("POST", "/v1/runs?stream", body)
    # It has read nothing of the body yet; the program ends all the same, and others are served.
    run = response.headers["X-Run-Id"]
    assert service.look(run, wait=True)["status"] == "ok"
    assert out_of(service.run("print(1)")) == "1\n"
    with Events(client, response) as events:
        seen = list(events)
    check_numbers(seen)
    assert written(seen) == b"".join(b"%07d\n" % n * 8192 for n in range(64))


def test_many_streams_of_one_run_see_the_same(service):
    run = service.submit("import time\nfor n in range(50): print(n, flush=True); time.sleep(0.002)")
    seen = [None] * 8

    def read(index):
        with service.events(f"/v1/runs/{run}/events") as events:
            seen[index] = [repr(event) for event in events]

    readers = [threading.Thread(target=read, args=(index,)) for index in range(len(seen))]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(PATIENCE)
    assert seen[0] and seen == [seen[0]] * len(seen)


def test_who_leaves_does_not_end_the_run(service):
    run = service.submit(READY + "import time; time.sleep(0.3); print('done')")
    with service.events(f"/v1/runs/{run}/events") as events:
        events.take(lambda event: event.name == "stdout")
    assert out_of(service.look(run, wait=True)) == "ready\ndone\n"


def test_events_of_a_run_of_long_ago_are_its_outcome(serve):
    service = serve()
    run = service.run("print(1)")
    service.stop()
    service = serve(folder=service.folder)
    with service.events(f"/v1/runs/{run['id']}/events") as events:
        seen = list(events)
    assert [event.name for event in seen] == ["outcome"] and seen[0].data == run
