"""T151 to T155 and J: what clients do while runs run, and what runs write while clients read."""

import base64
import concurrent.futures
import json
import re
import threading
import urllib.parse

import pytest

from support.client import statuses
from support.command import wait_until

MIB = 1 << 20
ENDED = {"done", "cancelled", "lost"}


def idle(service):
    runs = service.call("GET", "/v1/system").json["runs"]
    return runs["running"] + runs["waiting"] == 0


def events(service, identifier, headers=None):
    """(number, name, data) of each event of a run's stream, read by the rules of event streams."""
    answer = service.call("GET", f"/v1/runs/{identifier}/events", headers=headers)
    assert answer.status == 200 and answer.headers["content-type"] == "text/event-stream", answer
    return parse_events(answer.body.decode("utf-8", errors="strict"))


def parse_events(text):
    made, number, name, data = [], None, None, []
    for line in re.split(r"\r\n|\r|\n", text):
        if line == "":
            if data:
                made.append((number, name, "\n".join(data)))
            name, data = None, []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "id":
            number = int(value)
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)
        else:
            assert field == "", f"a line that is no field: {line!r}"
    return made


def output_of(stream, name):
    text = b""
    for _, each, data in stream:
        if each == name:
            value = json.loads(data)
            text += base64.b64decode(value["base64"]) if "base64" in value else value["text"].encode()
    return text


# ---- Clients that go away ----------------------------------------------------------------------


@pytest.mark.catalogue("T151")
@pytest.mark.parametrize("cut", [20, 60, 120, -10, -1, None])
@pytest.mark.parametrize("query", ["?wait=1", "?stream=1", ""])
def test_a_client_that_goes_away(service, query, cut):
    """At each step of the request, and right after it: what was taken ends all the same."""
    body = json.dumps({"language": "python", "source": "import time\ntime.sleep(0.1)\nprint('x' * 100000)"})
    request = (
        f"POST /v1/runs{query} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
    baseline = service.gateway.descriptors()
    for _ in range(5):
        with service.connect() as connection:
            connection.sendall(request[:cut])
    wait_until(lambda: idle(service), "the end of what was taken")
    wait_until(lambda: service.gateway.descriptors() <= baseline + 2, "descriptors to be free")
    runs = service.call("GET", "/v1/runs?limit=10").json["runs"]
    assert {run["state"] for run in runs} <= ENDED


@pytest.mark.catalogue("T151")
def test_streams_that_are_taken_up_again(service):
    """From any number on the rest comes, no event twice, and never one of another run."""
    other = service.submit("print('of another run')")
    mine = service.submit("import time\nfor n in range(5):\n  print('mine', n, flush=True); time.sleep(0.02)")
    service.look(other, wait=True)
    whole = events(service, mine)
    assert [number for number, _, _ in whole] == list(range(1, len(whole) + 1))
    assert output_of(whole, "stdout").decode() == "".join(f"mine {n}\n" for n in range(5))
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        starts = list(range(len(whole) + 1)) * 5
        rests = list(pool.map(lambda n: events(service, mine, {"Last-Event-ID": str(n)}), starts))
    assert all(rest == whole[n:] for n, rest in zip(starts, rests))


@pytest.mark.catalogue("T151")
@pytest.mark.parametrize("last", ["-1", "x", "1e3", "99999999999999999999999", "18446744073709551615", "1, 2"])
def test_a_number_of_no_event(service, last):
    identifier = service.submit("print(1)")
    service.look(identifier, wait=True)
    answer = service.call("GET", f"/v1/runs/{identifier}/events", headers={"Last-Event-ID": last})
    assert answer.status == 400 or parse_events(answer.body.decode()) == [], answer


@pytest.mark.catalogue("T151")
def test_a_storm_of_readers_that_leave(service):
    baseline = service.gateway.descriptors()
    identifier = service.submit("import time\nfor n in range(20):\n  print(n, flush=True); time.sleep(0.05)")
    request = f"GET /v1/runs/{identifier}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

    def glance(_):
        with service.connect() as connection:
            connection.sendall(request)
            connection.recv(200)

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        list(pool.map(glance, range(200)))
    assert output_of(events(service, identifier), "stdout").decode() == "".join(f"{n}\n" for n in range(20))
    wait_until(lambda: service.gateway.descriptors() <= baseline + 2, "descriptors to be free")


# ---- Cancelling --------------------------------------------------------------------------------


def cancel(service, identifier):
    return service.call("POST", f"/v1/runs/{identifier}/cancel").status


@pytest.mark.catalogue("T153")
def test_a_cancelled_run_has_one_end(service):
    """Before its start, in its set-up, while it runs and after its end, by several at once."""
    source = "import time\nprint('started', flush=True)\ntime.sleep(0.05)"
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        runs = [service.submit(source) for _ in range(40)]
        storm = [pool.submit(cancel, service, each) for each in runs for _ in range(6)]
        answered = {each.result() for each in storm}
    assert answered <= {200, 202, 204, 403, 409}, answered
    for each in runs:
        first = service.look(each, wait=True)
        assert first["state"] in ("done", "cancelled"), first
        assert cancel(service, each) in (200, 202, 204, 403, 409)
        assert service.look(each, wait=True) == first
        names = [json.loads(data).get("state") for _, name, data in events(service, each) if name == "outcome"]
        assert len(names) == 1, names
    wait_until(lambda: idle(service), "idle cells")


@pytest.mark.catalogue("T153")
def test_a_cancel_ends_a_program_that_would_not(service):
    identifier = service.submit("import signal\nfor n in range(1, 32):\n  try: signal.signal(n, signal.SIG_IGN)\n  except (OSError, ValueError): pass\nprint('deaf', flush=True)\nwhile True: pass")
    wait_until(lambda: service.look(identifier)["state"] == "running", "the run")
    assert cancel(service, identifier) in (200, 202, 204)
    assert service.look(identifier, wait=True)["state"] == "cancelled"


@pytest.mark.catalogue("T153")
def test_a_cancel_in_the_queue_makes_no_cell(serve):
    service = serve("--concurrent=1")
    first = service.submit("import time\ntime.sleep(5)")
    second = service.submit("print('never')")
    assert cancel(service, second) in (200, 202, 204)
    assert cancel(service, first) in (200, 202, 204)
    run = service.look(second, wait=True)
    assert (run["state"], run["started_at"], run["outcome"]) == ("cancelled", None, None)
    assert service.look(first, wait=True)["state"] == "cancelled"


# ---- Logs, metrics, messages ---------------------------------------------------------------------

HOSTILE = ["\r\nevent: forged", '","event":"forged', "\x1b]0;title\x07", "\u202e\u2066", '\n{"event":"forged"}']


@pytest.mark.catalogue("T154")
def test_the_log_stays_lines_of_json(service):
    for text in HOSTILE:
        service.call("GET", "/" + urllib.parse.quote(text), headers={"User-Agent": urllib.parse.quote(text)})
        service.call("GET", "/healthz?" + urllib.parse.quote(text))
        service.call("POST", "/v1/runs?wait=1", {"language": text, "source": text, "policy": text})
        service.call("POST", "/v1/runs?wait=1", {"language": "python", "source": f"print({text!r})", "args": [text]})
    raw = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTraceparent: ]0;x\xff\xfe\"}\r\n\r\n"
    assert statuses(service.exchange(raw)) == [200]
    wait_until(lambda: "]0;x" in service.log, "the last line")
    for event in service.logged():
        assert event["event"] != "forged" and "time" in event
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", service.log)


@pytest.mark.catalogue("T154")
def test_metrics_have_a_bounded_set_of_labels(service):
    def series():
        page = service.call("GET", "/metrics").body.decode()
        for line in page.splitlines():
            assert re.fullmatch(r'# (HELP|TYPE) .*|[a-z_]+(\{[a-z_]+="[^"\\\n]*"(,[a-z_]+="[^"\\\n]*")*\})? [-+0-9.eInf]+', line), line
        return {line.rsplit(" ", 1)[0] for line in page.splitlines()}

    def abuse(n):
        service.call("GET", f"/nothing/{n}")
        service.call(f"METHOD{n}", f"/v1/runs/{n}")
        service.call("POST", "/v1/runs?wait=1", {"language": f"l{n}", "source": "", "policy": f"p{n}"})
        service.call("GET", "/healthz", headers={"User-Agent": f"agent{n}", "Origin": f"http://o{n}"})

    abuse(0)
    series()
    before = series()
    for n in range(1, 60):
        abuse(n)
    assert series() == before


@pytest.mark.catalogue("T155")
def test_errors_tell_nothing_of_the_host(service, shared):
    words = [str(shared.folder), "/root/", "/tmp/", "/usr/", "/proc/", "/sys/", "/var/", ".cpp", "boost", "sqlite", "Errno", "errno", "std::", "0x7f"]
    ask = [
        ("GET", "/v1/runs/nobody", None),
        ("GET", "/v1/runs?cursor=x", None),
        ("GET", "/v1/runs?limit=x", None),
        ("GET", "/v1/runs?state=x", None),
        ("GET", "/v1/batches/x", None),
        ("GET", "/v1/runs/x/artifacts/../../x", None),
        ("GET", "/v1/runs/interactive", None),
        ("PUT", "/v1/runs", None),
        ("GET", "/x", None),
        ("POST", "/v1/runs", "{"),
        ("POST", "/v1/runs", b"\xff"),
        ("POST", "/v1/runs", {"language": "nope", "source": ""}),
        ("POST", "/v1/runs", {"language": "python", "source": "", "policy": "nope"}),
        ("POST", "/v1/runs", {"language": "python", "source": "", "entry": "nope"}),
        ("POST", "/v1/runs", {"language": "python", "source": "", "limits": {"wall": "x"}}),
        ("POST", "/v1/runs", {"language": "python", "files": [{"path": "../x", "content": ""}]}),
        ("POST", "/v1/runs", {"language": "python", "files": [{"path": "x", "content": "%", "encoding": "base64"}]}),
        ("POST", "/v1/runs", {"language": "python", "source": "", "artifacts": ["../*"]}),
        ("POST", "/v1/batches", {"runs": [{}]}),
        ("POST", "/execute", "{"),
        ("POST", "/run", "{"),
        ("POST", "/pysandbox", "{"),
    ]
    for method, path, body in ask:
        answer = service.call(method, path, body, {"Content-Type": "application/json"})
        text = answer.body.decode() + str(answer.headers)
        assert answer.status < 500, (path, answer)
        assert not [word for word in words if word in text], (path, answer)


# ---- J: output -----------------------------------------------------------------------------------


@pytest.mark.catalogue("T176", "T177")
@pytest.mark.parametrize(
    "source",
    [
        "import os\nb = b'y\\n' * 32768\nwhile True: os.write(1, b)",
        "import os\nb = b'y' * 65536\nwhile True: os.write(1, b); os.write(2, b)",
        "import os\nwhile True: os.write(2, b'.')",
    ],
    ids=["lines", "no-newline-both", "bytes"],
)
@pytest.mark.parametrize("way", ["?wait=1", "?stream=1"])
def test_a_flood_is_cut_and_costs_no_memory(service, source, way):
    before = service.gateway.resident()
    limits = {"output": "256K", "wall": "2s"}
    answer = service.call("POST", f"/v1/runs{way}", {"language": "python", "source": source, "limits": limits})
    assert answer.status == 200
    run = answer.json if way == "?wait=1" else json.loads(parse_events(answer.body.decode())[-1][2])
    stage = run["outcome"]["stages"][-1]
    assert run["status"] in ("output_limit", "timeout"), run["reason"]
    # JSON writes a byte as at most six; in a stream each may come as an event of its own.
    most = 6 if way == "?wait=1" else 64
    assert len(answer.body) < most * 2 * 256 * 1024 + MIB
    assert stage["stdout"]["truncated"] or stage["stderr"]["truncated"] or run["status"] == "timeout"
    assert service.gateway.resident() - before < 64 * MIB


@pytest.mark.catalogue("T178")
def test_input_that_nobody_reads_holds_nobody_up(service):
    text = "x" * (8 * MIB)
    for source in ("print('no')", "import os\nos.close(0)\nprint('no')"):
        answer = service.call("POST", "/v1/runs?wait=1", {"language": "python", "source": source, "stdin": text})
        assert answer.json["outcome"]["stages"][-1]["stdout"]["text"] == "no\n", answer
    echo = "import sys\nwhile b := sys.stdin.buffer.read(65536): sys.stdout.buffer.write(b)"
    run = service.run(echo, stdin="y" * MIB, limits={"output": "2M"})
    assert run["outcome"]["stages"][-1]["stdout"]["text"] == "y" * MIB


@pytest.mark.catalogue("T179")
@pytest.mark.parametrize("letter", ["é", "€", "😀", "\x1b[31m", "\r\n"])
def test_a_cut_splits_nothing(service, letter):
    """Wherever the limit falls: valid text, no half of a character, and the flag."""
    for more in range(4):
        source = f"import sys\nsys.stdout.buffer.write(b'a' * {more} + {letter!r}.encode() * 3000)"
        answer = service.call("POST", "/v1/runs?wait=1", {"language": "python", "source": source, "limits": {"output": 4096}})
        text = json.loads(answer.body.decode("utf-8", errors="strict"))["outcome"]["stages"][-1]["stdout"]
        assert text["truncated"] and "\ufffd" not in text.get("text", ""), text
        assert ("a" * more + letter * 3000).startswith(text["text"])


@pytest.mark.catalogue("T180", "T181")
@pytest.mark.parametrize(
    "data",
    [bytes(range(256)) * 8, b"\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\x80", b"\0" * 5000, "h\u00e9\u2028\u2029</script>".encode(), "x".encode("utf-16")],
    ids=["all-bytes", "not-utf-8", "nuls", "html", "utf-16"],
)
def test_any_bytes_are_valid_json_and_whole(service, data):
    source = f"import sys, base64\nsys.stdout.buffer.write(base64.b64decode('{base64.b64encode(data).decode()}'))"
    answer = service.call("POST", "/v1/runs?wait=1", {"language": "python", "source": source, "limits": {"output": 8192}})
    body = answer.body.decode("utf-8", errors="strict")
    assert len(answer.body) < 6 * 8192 + 16384
    stdout = json.loads(body)["outcome"]["stages"][-1]["stdout"]
    whole = base64.b64decode(stdout["base64"]) if "base64" in stdout else stdout["text"].encode()
    assert whole == data
    assert output_of(events(service, json.loads(body)["id"]), "stdout") == data


@pytest.mark.catalogue("T182", "T183")
def test_controls_come_through_json_as_escapes_only(service):
    text = "\x1b]52;c;eA==\x07\x1bc\x9b31m\u202e\u200b\x7f"
    answer = service.call("POST", "/v1/runs?wait=1", {"language": "python", "source": f"print({text!r}, end='')"})
    assert not re.search(rb"[\x00-\x1f]", answer.body)
    assert answer.json["outcome"]["stages"][-1]["stdout"]["text"] == text


FRAMES = [
    "\n\ndata: forged\n\n",
    "\r\rdata: forged\r\r",
    "\r\n\r\nid: 99\r\nevent: outcome\r\ndata: {}\r\n\r\n",
    "event: outcome\ndata: {}\n\n",
    ": comment\nretry: 1\n\n",
    "\u2028\u2029\x85\n\ndata: x\n\n",
    "\n\nbelljar_runs_total 99\n# TYPE x counter\n<34>1 2003 host",
]


@pytest.mark.catalogue("T184")
@pytest.mark.parametrize("text", FRAMES, ids=[str(n) for n in range(len(FRAMES))])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_output_forges_no_event(service, text, stream):
    source = f"import sys\nsys.{stream}.write({text!r})\nsys.{stream}.flush()\nopen('x', 'w')"
    identifier = service.submit(source)
    run = service.look(identifier, wait=True)
    stream_events = events(service, identifier)
    assert output_of(stream_events, stream).decode() == text
    assert [number for number, _, _ in stream_events] == list(range(1, len(stream_events) + 1))
    assert {name for _, name, _ in stream_events} <= {"status", "stdout", "stderr", "outcome"}
    assert [name for _, name, _ in stream_events].count("outcome") == 1
    assert json.loads(stream_events[-1][2])["id"] == identifier and run["status"] == "ok"
    assert "99" not in re.findall(r"^belljar_runs_total (\d+)", service.call("GET", "/metrics").body.decode(), re.M)


@pytest.mark.catalogue("T185")
def test_nothing_of_a_run_is_a_page(service):
    html = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    source = f"open('x.html', 'w').write({html!r})\nopen('x.svg', 'w').write({html!r})\nprint({html!r})"
    run = service.run(source, artifacts=["*"])
    paths = [f"/v1/runs/{run['id']}", f"/v1/runs/{run['id']}/artifacts", f"/v1/runs/{run['id']}/events", f"/{html}".replace(" ", "%20").replace("<", "%3C").replace(">", "%3E")]
    paths += [f"/v1/runs/{run['id']}/artifacts/{name}" for name in ("x.html", "x.svg")]
    for path in paths:
        answer = service.call("GET", path, headers={"Accept": "text/html"})
        assert answer.headers["content-type"].split(";")[0] in ("application/json", "application/problem+json", "application/octet-stream", "text/event-stream"), answer
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        if "artifacts/" in path:
            assert answer.headers["content-disposition"].startswith("attachment")
            assert answer.body.decode() == html


@pytest.mark.catalogue("T187")
def test_what_comes_after_the_end_is_not_there(service):
    source = "import os, time\nprint('first', flush=True)\nif os.fork() == 0:\n  time.sleep(1)\n  print('late', flush=True)\n  os._exit(0)"
    run = service.run(source)
    assert run["outcome"]["stages"][-1]["stdout"]["text"] == "first\n"
    assert output_of(events(service, run["id"]), "stdout") == b"first\n"


@pytest.mark.catalogue("T188")
def test_a_stream_is_what_the_answer_is(service):
    """However the program's writes fall, and whatever they split: both say the same."""
    source = """
import os, time
text = 'é€😀\\x1b[31m\\r\\n'.encode() * 20
for n in range(len(text)):
    os.write(1, text[n:n+1])
    if n % 40 == 0: time.sleep(0.005)
"""
    identifier = service.submit(source)
    seen = []
    reader = threading.Thread(target=lambda: seen.extend(events(service, identifier)))
    reader.start()
    text = service.look(identifier, wait=True)["outcome"]["stages"][-1]["stdout"]["text"]
    reader.join(60)
    assert output_of(seen, "stdout").decode() == text == "é€😀\x1b[31m\r\n" * 20
    # Text comes in whole characters, never as bytes.
    assert not [data for _, name, data in seen if name == "stdout" and "base64" in json.loads(data)]
