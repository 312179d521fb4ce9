"""T138 to T150: requests that are HTTP and should not be granted, or only once, or only to some."""

import base64
import concurrent.futures
import json
import urllib.parse
import uuid

import pytest

from api_abuse.conftest import SECRET, bearer
from support.client import statuses
from support.command import wait_until
from support.service import free_port

MIB = 1 << 20


def submit(service, body, headers=None):
    return service.call("POST", "/v1/runs?wait=1", body, headers)


def refused(answer, status=400):
    """A problem of RFC 9457 that says what is wrong and nothing of the host."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == status and answer.json["detail"]
    return answer.json


# ---- JSON ------------------------------------------------------------------------------------

HELLO = '"language":"python","source":"print(1)"'
NOT_TAKEN = {
    "deep-arrays": "[" * 100_000,
    "deep-objects": '{"a":' * 100_000,
    "deep-and-closed": '{"env":' + "[" * 40 + "]" * 40 + "}",
    "many-keys": "{" + ",".join(f'"k{n}":0' for n in range(200_000)) + "}",
    "same-key-twice": "{" + HELLO + ',"language":"bash"}',
    "same-key-twice-escaped": "{" + HELLO + ',"l\\u0061nguage":"bash"}',
    "same-key-twice-within": "{" + HELLO + ',"env":{"A":"1","A":"2"}}',
    "long-number": "{" + HELLO + ',"limits":{"memory":' + "9" * 1_000_000 + "}}",
    "huge-exponent": "{" + HELLO + ',"limits":{"wall":1e999999}}',
    "nan": "{" + HELLO + ',"limits":{"wall":NaN}}',
    "infinity": "{" + HELLO + ',"limits":{"wall":-Infinity}}',
    "trailing-garbage": "{" + HELLO + "} x",
    "two-values": "{" + HELLO + "}{}",
    "byte-order-mark": b"\xef\xbb\xbf{" + HELLO.encode() + b"}",
    "utf-16": ("{" + HELLO + "}").encode("utf-16"),
    "not-utf-8": b'{"language":"python","source":"print(\'\xff\')"}',
    "overlong": b'{"language":"python","source":"\xc0\xaf"}',
    "raw-surrogate": b'{"language":"python","source":"\xed\xa0\x80"}',
    "lone-surrogate": '{"language":"python","source":"\\ud800"}',
    "comment": "{/* x */" + HELLO + "}",
    "line-comment": "{" + HELLO + "} // x",
    "trailing-comma": "{" + HELLO + ",}",
    "single-quotes": "{'language':'python','source':'1'}",
    "nothing": "",
    "null": "null",
    "string": '"x"',
    "unknown-field": "{" + HELLO + ',"root":true}',
    "unknown-field-long": "{" + HELLO + ',"' + "x" * 100_000 + '":true}',
    "raw-control-character": '{"language":"python","source":"a\nb"}',
    "cut-short": "{" + HELLO,
}


@pytest.mark.catalogue("T138")
@pytest.mark.parametrize("body", NOT_TAKEN.values(), ids=NOT_TAKEN.keys())
def test_json_that_is_not_taken(service, body):
    problem = refused(submit(service, body, {"Content-Type": "application/json"}))
    assert len(problem["detail"]) < 1000


@pytest.mark.catalogue("T138")
@pytest.mark.parametrize("type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/xml"])
def test_another_type_is_not_read_as_json(service, type):
    """What a form of another site can send without asking is never a submission."""
    refused(submit(service, "{" + HELLO + "}", {"Content-Type": type}))


@pytest.mark.catalogue("T138")
def test_odd_json_that_is_taken(service):
    body = ' \t\r\n{"language":"python","source":"print(\\u0031)\\n","limits":{"wall":-0e0},"args":null}\n'
    refused(submit(service, body.replace("-0e0", "0"), {"Content-Type": "application/json"}))
    answer = submit(service, body.replace("-0e0", "5"), {"Content-Type": "application/json; charset=utf-8"})
    assert answer.status == 200 and answer.json["outcome"]["stages"][-1]["stdout"]["text"] == "1\n"


@pytest.mark.catalogue("T138")
def test_a_nul_in_text_is_refused_where_it_is_a_name_and_kept_where_it_is_data(service):
    refused(submit(service, {"language": "python\0", "source": "1"}))
    refused(submit(service, {"language": "python", "source": "1", "args": ["a\0b"]}))
    answer = submit(
        service,
        {"language": "python", "source": "import sys\nprint(sys.stdin.buffer.read())", "stdin": "a\0b"},
    )
    assert answer.json["outcome"]["stages"][-1]["stdout"]["text"] == "b'a\\x00b'\n"


@pytest.mark.catalogue("T139")
@pytest.mark.parametrize(
    "more",
    [
        {"args": [""] * 1_000_000},
        {"args": ["x" * (2 * MIB)]},
        {"env": {f"N{n}": "" for n in range(100_000)}},
        {"env": {"A": "x" * (2 * MIB)}},
        {"artifacts": ["*"] * 100_000},
        {"limits": {f"limit{n}": 1 for n in range(100_000)}},
        {"source": None, "files": [{"path": f"f{n}", "content": ""} for n in range(5000)]},
        {"source": None, "files": []},
        {"source": None, "files": [{"path": "a.py", "content": ""}] * 2},
    ],
    ids=["args", "arg", "env", "value", "artifacts", "limits", "files", "no-file", "same-file"],
)
def test_too_many_or_too_long(service, more):
    refused(submit(service, {"language": "python", "source": "print(1)", **more}))


@pytest.mark.catalogue("T139")
def test_keys_that_hash_alike_cost_no_more(service):
    """Names of one length that differ in few bits: a table of them must stay a table."""
    names = [f"{a}{b}" for a in ("Aa", "BB", "C#") for b in map("".join, words(["Aa", "BB", "C#"], 9))]
    refused(submit(service, {"language": "python", "source": "", "env": dict.fromkeys(names, "")}))


def words(letters, length):
    made = [()]
    for _ in range(length):
        made = [each + (letter,) for each in made for letter in letters]
    return made


@pytest.mark.catalogue("T139")
def test_a_body_over_the_limit_is_not_read(service):
    before = service.gateway.resident()
    answer = service.exchange(
        b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999999\r\n\r\n"
    )
    assert statuses(answer) == [413]
    assert service.gateway.resident() - before < 8 * MIB


# ---- Names -----------------------------------------------------------------------------------


@pytest.mark.catalogue("T140")
@pytest.mark.parametrize(
    "language",
    ["", "../../bin/sh", "/bin/sh", "рython", "PYTHON", "python ", "python\n", "python.toml", "x" * MIB, "..", "*", "$(id)"],
)
def test_a_language_is_one_of_the_list(service, language):
    answer = submit(service, {"language": language, "source": "print(1)"})
    problem = refused(answer, answer.status)
    assert answer.status in (400, 404) and len(problem["detail"]) < 1000


@pytest.mark.catalogue("T140")
@pytest.mark.parametrize("policy", ["../default", "/etc/passwd", "none", "DEFAULT", "x" * MIB])
def test_a_policy_is_one_of_the_list(service, policy):
    refused(submit(service, {"language": "python", "source": "print(1)", "policy": policy}))


PATHS = {
    "absolute": "/etc/passwd",
    "parent": "../x",
    "parent-within": "a/../../x",
    "empty": "",
    "dot": ".",
    "dot-within": "a/./b",
    "nul": "a\0b",
    "long-name": "x" * 256,
    "long-path": "/".join(["x" * 100] * 41),
    "deep": "/".join("x" * 100),
    "trailing-slash": "a/",
    "two-slashes": "a//b",
}


@pytest.mark.catalogue("T148")
@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS.keys())
def test_a_file_name_that_is_refused(service, path):
    files = [{"path": "main.py", "content": "print(1)"}, {"path": path, "content": ""}]
    problem = refused(submit(service, {"language": "python", "files": files}))
    assert problem["field"].startswith("files[1]"), problem


@pytest.mark.catalogue("T148")
@pytest.mark.parametrize(
    "names", [["a", "a"], ["a", "a/b"], ["a/b", "a"], ["main.py/x"]], ids=["twice", "under", "over", "main"]
)
def test_file_names_that_clash(service, names):
    files = [{"path": name, "content": ""} for name in ["main.py", *names]]
    refused(submit(service, {"language": "python", "files": files}))


@pytest.mark.catalogue("T148")
@pytest.mark.parametrize("kind", [{"type": "symlink"}, {"target": "/etc/passwd"}, {"mode": "4755"}, {"encoding": "gzip"}])
def test_a_file_is_a_file(service, kind):
    files = [{"path": "main.py", "content": "", **kind}]
    refused(submit(service, {"language": "python", "files": files}))


@pytest.mark.catalogue("T148")
def test_strange_names_are_only_names(service):
    names = ["a b", "é", "-x", "--", "@file", "CON", "a:b", "a\\b", "$(id)", "*", "x'\"", "A", "a"]
    files = [{"path": "main.py", "content": "import os\nprint(sorted(os.listdir('.')))"}]
    files += [{"path": name, "content": ""} for name in names]
    run = submit(service, {"language": "python", "files": files, "entry": "main.py"}).json
    assert run["outcome"]["stages"][-1]["stdout"]["text"] == f"{sorted([*names, 'main.py'])}\n"


# ---- What reaches the program, and what else ---------------------------------------------------

ARGS = ["-x", "--", "--version", "@file", "-c", "-fplugin=x.so", "-o/etc/x", "a\nb", "a'b\"", "\\", "$(id)", "`id`", "*", "", " ", "é"]  # fmt: skip


@pytest.mark.catalogue("T146")
@pytest.mark.parametrize("language", ["python", "bash", "perl"])
def test_arguments_reach_the_program_byte_for_byte(service, language):
    source = {
        "python": "import sys, json\nprint(json.dumps(sys.argv[1:]))",
        "bash": 'for each in "$@"; do printf "%s\\0" "$each"; done',
        "perl": 'print join("", map { "$_\\0" } @ARGV)',
    }[language]
    text = service.run(source, language, args=ARGS)["outcome"]["stages"][-1]["stdout"]["text"]
    got = json.loads(text) if language == "python" else text.split("\0")[:-1]
    assert got == ARGS


@pytest.mark.catalogue("T146")
@pytest.mark.parametrize("name", ["-x.c", "--help.c", "@file.c", "-fplugin=x.c", "a b.c", "$(touch x).c", "-o.c"])
def test_a_source_is_never_a_flag_of_the_compiler(service, name):
    files = [{"path": name, "content": '#include <stdio.h>\nint main(void) { puts("mine"); }'}]
    answer = submit(service, {"language": "c", "files": files, "entry": name})
    if answer.status == 200:
        assert answer.json["outcome"]["stages"][-1]["stdout"]["text"] == "mine\n", answer
    else:
        refused(answer)


@pytest.mark.catalogue("T147")
@pytest.mark.parametrize(
    "env",
    [{"": "x"}, {"A=B": "x"}, {"A\0": "x"}, {"A": "x\0y"}, {f"V{n}": "" for n in range(10_000)}, {"A": 1}, ["A=1"]],
    ids=["no-name", "equals", "nul-name", "nul-value", "many", "number", "array"],
)
def test_variables_that_are_refused(service, env):
    refused(submit(service, {"language": "python", "source": "print(1)", "env": env}))


@pytest.mark.catalogue("T147")
def test_variables_reach_the_program_alone(service):
    """A compiler told by these to look elsewhere, or to run something, would fail."""
    hostile = {
        "LD_PRELOAD": "/box/evil.so",
        "GCC_EXEC_PREFIX": "/box/",
        "COMPILER_PATH": "/box",
        "CPATH": "/box/include",
        "PATH": "/box",
        "BASH_ENV": "/box/evil.sh",
        "IFS": "x",
    }
    files = [
        {"path": "main.c", "content": '#include <stdio.h>\n#include <stdlib.h>\nint main(void) { puts(getenv("CPATH")); }'},
        {"path": "include/stdio.h", "content": "#error the compiler was told to look here"},
        {"path": "evil.sh", "content": "echo evil"},
    ]
    run = submit(service, {"language": "c", "files": files, "entry": "main.c", "env": hostile}).json
    assert run["outcome"]["stages"][-1]["stdout"]["text"] == "/box/include\n", run


@pytest.mark.catalogue("T147", "T189")
def test_nothing_of_the_services_environment_reaches_a_run(service):
    source = "import os, glob\nprint(dict(os.environ))\nfor p in glob.glob('/proc/*/environ'):\n  try: print(open(p).read())\n  except OSError: pass"
    text = service.run(source)["outcome"]["stages"][-1]["stdout"]["text"]
    assert "PATH" in text and SECRET not in text and "SERVICE_SECRET" not in text


# ---- Limits ----------------------------------------------------------------------------------

LIMITS = {
    "zero-memory": {"memory": 0},
    "zero-wall": {"wall": 0},
    "zero-processes": {"processes": 0},
    "negative": {"wall": -1},
    "tiny": {"wall": 1e-9},
    "huge-float": {"wall": 1e308},
    "2^63": {"memory": 2**63},
    "2^64": {"memory": 2**64},
    "2^31-processes": {"processes": 2**31},
    "above-the-policy": {"memory": "1T"},
    "wall-above-the-policy": {"wall": "10h"},
    "words": {"wall": "for ever"},
    "unit-of-another": {"wall": "10M"},
    "array": {"wall": [1]},
    "true": {"memory": True},
    "half-a-process": {"processes": 1.5},
    "twice": {"wall": 1, "wall_ms": 1000},
    "unknown": {"gpu": 1},
    "not-an-object": [1],
}


@pytest.mark.catalogue("T143")
@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS.keys())
def test_a_limit_that_is_refused(service, limits):
    answer = submit(service, {"language": "python", "source": "print(1)", "limits": limits})
    assert answer.status in (400, 403), answer
    assert "limit" in refused(answer, answer.status)["detail"]


@pytest.mark.catalogue("T143")
def test_null_is_the_policys_limit_and_not_none(service):
    plain = service.run("print(1)")["outcome"]["stages"][-1]["limits"]
    run = service.run("print(1)", limits={"memory": None, "wall": None, "cpus": None})
    assert run["outcome"]["stages"][-1]["limits"] == plain


# ---- Keys ------------------------------------------------------------------------------------


@pytest.mark.catalogue("T141")
def test_keys(keyed):
    good = keyed.callers["alice"][1]
    assert keyed.call("GET", "/v1/runs", headers={"Authorization": f"Bearer {good}"}).status == 200
    wrong = [
        None,
        good,
        f"Basic {good}",
        f"Bearer  {good}",
        f"Bearer {good}x",
        f"Bearer {good[:-1]}",
        f"Bearer {good.upper()}",
        f"Bearer {good}, Bearer {good}",
        "Bearer " + "x" * 10_000,
        "Bearer",
        "Bearer *",
        f"Bearer {keyed.callers['alice'][0]}",
        "Basic " + base64.b64encode(f"alice:{good}".encode()).decode(),
    ]
    bodies = set()
    for value in wrong:
        headers = {} if value is None else {"Authorization": value}
        answer = keyed.call("GET", "/v1/runs", headers=headers)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer"), (value, answer)
        bodies.add(answer.json["detail"])
    assert keyed.call("GET", f"/v1/runs?key={good}&access_token={good}").status == 401
    assert keyed.call("GET", "/v1/runs", headers={"Cookie": f"key={good}"}).status == 401
    raw = f"GET /v1/runs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer x\r\nAuthorization: Bearer {good}\r\n\r\n"
    assert statuses(keyed.exchange(raw.encode())) in ([400], [401])
    # No word about which of them nearly was a key.
    assert len(bodies) <= 3, bodies
    assert good[:-1] not in keyed.log


@pytest.mark.catalogue("T141")
def test_a_key_is_for_its_scopes(keyed):
    meter, alice = bearer(keyed, "meter"), bearer(keyed, "alice")
    assert keyed.call("GET", "/metrics", headers=meter).status == 200
    assert keyed.call("GET", "/metrics", headers=alice).status == 403
    assert keyed.call("GET", "/v1/runs", headers=meter).status == 403
    assert submit(keyed, {"language": "python", "source": "1"}, meter).status == 403
    for path, body in [("/execute", {"code": "1"}), ("/run", {"code": "1"}), ("/pysandbox", {})]:
        assert keyed.call("POST", path, body).status == 401


@pytest.mark.catalogue("T141")
def test_a_revoked_key_is_over_at_once(keyed):
    identifier, secret = keyed.create_key("carol")
    headers = {"Authorization": f"Bearer {secret}"}
    assert keyed.call("GET", "/v1/runs", headers=headers).status == 200
    keyed.keys("revoke", identifier)
    assert keyed.call("GET", "/v1/runs", headers=headers).status == 401


@pytest.mark.catalogue("T144")
def test_the_run_of_another_is_not_told_apart_from_none(keyed):
    alice, bob = bearer(keyed, "alice"), bearer(keyed, "bob")
    source = "open('out.txt', 'w').write('private')\nprint('private')"
    run = submit(keyed, {"language": "python", "source": source, "artifacts": ["*.txt"]}, alice).json
    batch = keyed.call("POST", "/v1/batches", {"runs": [{"language": "python", "source": "1"}]}, alice).json
    absent = "run_" + "0" * 26
    for method, path in [
        ("GET", "/v1/runs/{}"),
        ("GET", "/v1/runs/{}?wait=1"),
        ("GET", "/v1/runs/{}/events"),
        ("POST", "/v1/runs/{}/cancel"),
        ("GET", "/v1/runs/{}/artifacts"),
        ("GET", "/v1/runs/{}/artifacts/out.txt"),
    ]:
        theirs = keyed.call(method, path.format(run["id"]), headers=bob)
        nobodys = keyed.call(method, path.format(absent), headers=bob)
        assert theirs.status == nobodys.status == 404, (path, theirs)
        assert theirs.body.replace(run["id"].encode(), b"") == nobodys.body.replace(absent.encode(), b"")
        assert b"private" not in theirs.body
        if method == "GET":
            assert keyed.call(method, path.format(run["id"]), headers=alice).status == 200, path
    assert keyed.call("GET", f"/v1/batches/{batch['id']}", headers=bob).status == 404
    assert keyed.call("GET", f"/v1/batches/{batch['id']}", headers=alice).status == 200
    assert run["id"] not in keyed.call("GET", "/v1/runs?limit=1000", headers=bob).body.decode()
    assert run["id"] in keyed.call("GET", "/v1/runs?limit=1000", headers=alice).body.decode()
    assert keyed.call("GET", f"/v1/runs?batch={batch['id']}", headers=bob).json["runs"] == []


@pytest.mark.catalogue("T144")
def test_ids_cannot_be_counted_up(service):
    ids = [service.call("POST", "/v1/runs", {"language": "python", "source": ""}).json["id"] for _ in range(50)]
    tails = [each[-16:] for each in ids]
    assert len(set(tails)) == 50 and len({tail[:4] for tail in tails}) > 40


@pytest.mark.catalogue("T144")
@pytest.mark.parametrize("cursor", ["x", "../x", "' OR 1=1 --", "%00", "9" * 3000])
def test_a_cursor_is_not_a_query(service, cursor):
    text = urllib.parse.quote(cursor)
    answer = service.call("GET", f"/v1/runs?cursor={text}&language={text}&batch={text}")
    assert answer.status in (400, 200) and (answer.status == 400 or answer.json["runs"] == [])


# ---- Once ------------------------------------------------------------------------------------


def once(service, key, source="print(1)", user=None):
    headers = {"Idempotency-Key": key, **(bearer(service, user) if user else {})}
    return submit(service, {"language": "python", "source": source}, headers)


@pytest.mark.catalogue("T145")
def test_a_key_is_used_once_however_often_at_once(service):
    key = str(uuid.uuid4())
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: once(service, key, "import os\nprint(os.urandom(8))"), range(100)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert len({answer.json["outcome"]["stages"][-1]["stdout"]["text"] for answer in answers}) == 1


@pytest.mark.catalogue("T145")
def test_another_body_under_the_same_key_is_a_conflict(service):
    key = str(uuid.uuid4())
    first = once(service, key)
    assert once(service, key).json["id"] == first.json["id"]
    other = once(service, key, "print(2)")
    assert other.status in (403, 409, 422), other
    assert "1\n" not in other.body.decode() and first.json["id"] not in other.body.decode()


@pytest.mark.catalogue("T145")
def test_a_key_is_its_callers(keyed):
    key = str(uuid.uuid4())
    alices = once(keyed, key, "print('hers')", "alice")
    bobs = once(keyed, key, "print('his')", "bob")
    assert (alices.status, bobs.status) == (200, 200)
    assert bobs.json["outcome"]["stages"][-1]["stdout"]["text"] == "his\n"


@pytest.mark.catalogue("T145")
def test_a_key_has_a_size(service):
    refused(once(service, "x" * 5000))


# ---- Rates and queues ------------------------------------------------------------------------

FORGED = ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP"]


@pytest.mark.catalogue("T149")
def test_the_rate_is_not_dodged_by_headers_or_spelling(serve):
    service = serve("--rate=5")
    answered = [service.call("GET", "/v1/runs").status for _ in range(6)]
    assert answered == [200] * 5 + [429]
    for header in FORGED:
        answer = service.call("GET", "/v1/runs", headers={header: "198.51.100.7"})
        assert answer.status == 429 and int(answer.headers["retry-after"]) >= 1
    assert statuses(service.exchange(b"GET /v1/runs HTTP/1.0\r\n\r\n")) == [429]
    assert service.call("GET", "/%76%31/runs").status == 429
    assert service.call("HEAD", "/v1/runs").status == 429
    assert service.call("POST", "/run", {"code": "print(1)"}).status == 429
    assert service.call("GET", "/healthz").status == 200


@pytest.mark.catalogue("T149")
def test_a_proxys_word_is_taken_and_a_network_is_one_caller(serve):
    """Behind a configured proxy the address is the client's; one IPv6 host has a whole /64."""
    service = serve("--rate=4", "--proxies=127.0.0.1")

    def status(address):
        return service.call("GET", "/v1/runs", headers={"X-Forwarded-For": address}).status

    assert [status("198.51.100.1") for _ in range(5)] == [200] * 4 + [429]
    assert status("198.51.100.2") == 200
    assert [status(f"2001:db8::{n:x}") for n in range(1, 6)] == [200] * 4 + [429]
    assert status("2001:db8:0:1::1") == 200
    # What the client wrote before the proxy added his address counts for nothing.
    assert status("203.0.113.9, 198.51.100.1") == 429
    assert status("::ffff:198.51.100.1") == 429


@pytest.mark.catalogue("T149")
def test_each_key_has_its_own_rate(serve):
    service = serve("--require-key", "--rate=3")
    service.callers = {user: service.create_key(user) for user in ("dora", "emil")}
    answered = [service.call("GET", "/v1/runs", headers=bearer(service, "dora")).status for _ in range(4)]
    assert answered == [200] * 3 + [429]
    assert service.call("GET", "/v1/runs", headers=bearer(service, "emil")).status == 200


@pytest.mark.catalogue("T152")
def test_the_limiter_admits_just_so_many_at_once(serve):
    service = serve("--rate=10", "--queue-wait=59s")
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answered = list(pool.map(lambda _: service.call("GET", "/v1/runs").status, range(500)))
    assert sorted(answered) == [200] * 10 + [429] * 490


SLEEPY = {"language": "python", "source": "import time\ntime.sleep(1)\nprint('slept')"}


@pytest.mark.catalogue("T150")
def test_the_queue_has_an_end(serve):
    service = serve("--concurrent=1", "--queue-per-caller=3", "--queue=5")
    answers = [service.call("POST", "/v1/runs", SLEEPY) for _ in range(8)]
    taken = [answer for answer in answers if answer.status == 202]
    turned = [answer for answer in answers if answer.status == 429]
    assert len(taken) in (3, 4) and len(taken) + len(turned) == 8, answers
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in turned)
    # A batch is taken wholly or not at all: this one does not fit now, that one never would.
    listed = len(service.call("GET", "/v1/runs").json["runs"])
    now = service.call("POST", "/v1/batches", {"runs": [SLEEPY] * 2})
    never = service.call("POST", "/v1/batches", {"runs": [SLEEPY] * 20})
    assert now.status == 429 and int(now.headers["retry-after"]) >= 1, now
    assert never.status == 400 and "at most 3" in never.json["detail"], never
    assert len(service.call("GET", "/v1/runs").json["runs"]) == listed
    for answer in taken:
        service.call("POST", f"/v1/runs/{answer.json['id']}/cancel")
    wait_until(lambda: not busy(service), "the end of what was taken")
    service.is_well()


def busy(service):
    runs = service.call("GET", "/v1/system").json["runs"]
    return runs["running"] + runs["waiting"]


@pytest.mark.catalogue("T150")
def test_a_batch_has_an_end(service):
    refused(service.call("POST", "/v1/batches", {"runs": [{"language": "python", "source": ""}] * 1001}))
    refused(service.call("POST", "/v1/batches", {"runs": []}))


@pytest.mark.catalogue("T150")
def test_one_caller_does_not_keep_another_waiting(serve):
    """Of two callers with work for one place, each has his turn: the second need not wait for all."""
    service = serve("--concurrent=1", "--require-key")
    service.callers = {user: service.create_key(user) for user in ("greedy", "modest")}
    short = {"language": "python", "source": "import time\ntime.sleep(0.1)"}
    greedy = [service.call("POST", "/v1/runs", short, bearer(service, "greedy")).json["id"] for _ in range(20)]
    submit(service, short, bearer(service, "modest"))
    waiting = [
        run
        for run in (service.call("GET", f"/v1/runs/{each}", headers=bearer(service, "greedy")).json for each in greedy)
        if run["state"] == "queued"
    ]
    assert len(waiting) >= 10, "the modest caller had to wait for the greedy one"


@pytest.mark.catalogue("T150")
def test_waiting_clients_hold_no_thread(service):
    """More of them than there are handlers, and others are answered meanwhile."""
    slow = {"language": "python", "source": "import time\ntime.sleep(1.5)"}
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        first = service.call("POST", "/v1/runs", slow).json["id"]
        polls = [pool.submit(service.call, "GET", f"/v1/runs/{first}?wait=1") for _ in range(40)]
        answered = 0
        while not all(poll.done() for poll in polls):
            answered += service.call("GET", "/healthz").status == 200
        assert answered > 3
        assert {poll.result().json["state"] for poll in polls} == {"done"}


# ---- Pages of other sites ----------------------------------------------------------------------

READS = [("GET", "/v1/runs"), ("GET", "/metrics")]
WRITES = [("POST", "/v1/runs"), ("POST", "/v1/batches"), ("POST", "/execute"), ("POST", "/run"), ("POST", "/pysandbox")]


@pytest.mark.catalogue("T141")
@pytest.mark.parametrize("method, path", READS + WRITES)
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://localhost:1", "file://"]
)
def test_a_page_of_another_site_may_not_ask(service, method, path, origin):
    """CSRF: loopback asks for no key, and a browser sends what any page tells it to."""
    answer = service.call(method, path, {} if method == "POST" else None, {"Origin": origin})
    assert answer.status == 403 and "access-control-allow-origin" not in answer.headers


@pytest.mark.catalogue("T141")
@pytest.mark.parametrize("method, path", READS + WRITES)
@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.", "169.254.169.254", "[2001:db8::1]"])
def test_a_name_that_was_made_to_mean_loopback_is_no_loopback(service, method, path, host):
    """DNS rebinding: the page is of the same origin then, and only the host tells."""
    for headers in ({"Host": host}, {"Host": host, "Origin": f"http://{host}"}):
        answer = service.call(method, path, {} if method == "POST" else None, headers)
        assert answer.status == 403, answer


@pytest.mark.catalogue("T141")
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3:1", "localhost:8000", "[::1]:80"])
def test_loopback_by_its_names_is_loopback(service, host):
    assert service.call("GET", "/v1/runs", headers={"Host": host}).status == 200
    assert service.call("GET", "/v1/runs", headers={"Host": host, "Origin": f"http://{host}"}).status == 200


@pytest.mark.catalogue("T141")
def test_a_key_is_enough_by_any_name(keyed):
    answer = keyed.call("GET", "/v1/runs", headers={**bearer(keyed, "alice"), "Host": "judge.example"})
    assert answer.status == 200


@pytest.mark.catalogue("T141")
def test_the_executors_port_is_no_way_round(serve):
    port = free_port()
    service = serve(f"--executor-port={port}")
    good = service.call("POST", "/", {}, port=port)
    assert good.status == 400
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        assert service.call("POST", "/", {}, headers, port=port).status == 403


@pytest.mark.catalogue("T141")
def test_listed_origins_may_ask_and_are_told_so(serve):
    service = serve("--origins=https://play.example")
    good = service.call("OPTIONS", "/v1/runs", headers={"Origin": "https://play.example", "Access-Control-Request-Method": "POST"})
    assert good.status == 204 and good.headers["access-control-allow-origin"] == "https://play.example"
    assert "POST" in good.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in good.headers
    answer = service.call("GET", "/v1/runs", headers={"Origin": "https://play.example"})
    assert (answer.status, answer.headers["vary"]) == (200, "Origin")
    for origin in ("https://evil.example", "https://play.example.evil.example", "*", "null"):
        other = service.call("OPTIONS", "/v1/runs", headers={"Origin": origin})
        assert "access-control-allow-origin" not in other.headers, other
