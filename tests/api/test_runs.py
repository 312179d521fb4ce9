"""Runs over HTTP: what goes in, what comes out, and what is refused."""

import base64
import io
import json
import platform
import re
import socket
import tarfile
import urllib.parse
import zipfile

import pytest

from contract import CONTRACT
from service import READY, wait_until_ready
from support.client import read_all
from support.service import out_of

PROGRAM = {"language": "python", "source": "print(1)"}
SLEEP = READY + "import time; time.sleep(600)"


# ---- What a program gets and gives ----


def test_wait_answers_with_the_outcome(service):
    run = service.run("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (run["state"], run["status"], run["attempts"]) == ("done", "runtime_error", 1)
    assert (out_of(run), out_of(run, "stderr")) == ("out\n", "err\n")
    assert run["outcome"]["stages"][-1]["exit_code"] == 3
    assert service.look(run["id"]) == run


def test_accepted_and_then_looked_at(service):
    answer = service.post("/v1/runs", PROGRAM)
    assert answer.status == 202
    run = answer.json["id"]
    assert answer.headers["Location"] == f"/v1/runs/{run}"
    ended = service.look(run, wait=True)
    assert (ended["state"], out_of(ended)) == ("done", "1\n")
    assert service.get(f"/v1/runs/{run}?wait").json == ended  # also when it is over


def test_stdin_args_and_env(service):
    source = "import os, sys; print(sys.argv[1:], os.environ['MODE'], sys.stdin.read())"
    run = service.run(source, stdin="typed \u00e9", args=["a", "", "b c"], env={"MODE": "x=y"})
    assert out_of(run) == "['a', '', 'b c'] x=y typed \u00e9\n"


@pytest.mark.parametrize(
    "given, hexadecimal",
    [
        ("a\0\u00ff", "6100c3bf"),
        ({"content": "ab"}, "6162"),
        ({"content": "ab", "encoding": "utf-8"}, "6162"),
        ({"content": "/wCA", "encoding": "base64"}, "ff0080"),
        ({"content": "", "encoding": "base64"}, ""),
        ("", ""),
        (None, ""),
    ],
)
def test_stdin_in_all_spellings(service, given, hexadecimal):
    run = service.run("import sys; print(sys.stdin.buffer.read().hex())", stdin=given)
    assert out_of(run) == hexadecimal + "\n"


def test_files_in_base64_and_in_folders(service):
    data = bytes(range(256))
    files = [
        {"path": "main.py", "content": "import lib.part as p, subprocess\nprint(p.data.hex())\n"
                                       "print(subprocess.check_output(['./tool.sh'], text=True))"},
        {"path": "lib/part.py", "content": "data = open('data.bin', 'rb').read()"},
        {"path": "data.bin", "content": base64.b64encode(data).decode(), "encoding": "base64"},
        {"path": "tool.sh", "content": "#!/bin/sh\necho tool", "executable": True},
    ]  # fmt: skip
    request = {"files": files, "entry": "main.py"}
    CONTRACT.check_schema("RunRequest", request)
    answer = service.post("/v1/runs?wait", request)
    assert answer.status == 200, answer
    assert out_of(answer.json) == data.hex() + "\ntool\n\n"
    assert answer.json["language"] == "python"


def test_a_compiled_program_has_two_stages(service):
    run = service.run('int main(void) { __builtin_puts("hi"); }', "c")
    assert [stage["stage"] for stage in run["outcome"]["stages"]] == ["compile", "run"]
    assert out_of(run) == "hi\n"
    broken = service.run("int main(void) { return", "c")
    assert (broken["state"], broken["status"]) == ("done", "compile_error")
    assert len(broken["outcome"]["stages"]) == 1 and out_of(broken, "stderr")


def test_output_that_is_not_text_comes_as_base64_too(service):
    run = service.run("import os; os.write(1, b'\\xff\\x00A')")
    stdout = run["outcome"]["stages"][-1]["stdout"]
    assert base64.b64decode(stdout["base64"]) == b"\xff\x00A"
    assert stdout["text"] == "\ufffd\x00A"


LIMITS = [
    # the request's, the outcome's
    ({"wall": 2}, {"wall_ms": 2000}),
    ({"wall": 2.5}, {"wall_ms": 2500}),
    ({"wall": "2s"}, {"wall_ms": 2000}),
    ({"wall": "250ms"}, {"wall_ms": 250}),
    ({"wall_ms": 1500}, {"wall_ms": 1500}),
    ({"cpu": "3s", "cpu_ms": None}, {"cpu_ms": 3000}),
    ({"memory": 134217728}, {"memory_bytes": 134217728}),
    ({"memory": "128M"}, {"memory_bytes": 134217728}),
    ({"memory": "128MiB"}, {"memory_bytes": 134217728}),
    ({"memory_bytes": 134217728}, {"memory_bytes": 134217728}),
    ({"processes": 7}, {"processes": 7}),
    ({"processes": "7"}, {"processes": 7}),
    ({"cpus": 0.5}, {"cpus": 0.5}),
    ({"cpus": "0.5"}, {"cpus": 0.5}),
    ({"cpus": 1}, {"cpus": 1}),
    ({"output": "1K", "box_bytes": 8388608, "tmp": "8M", "inodes": 500, "open_files": 32,
      "file_size": "1M", "stack": "4M", "artifacts": "1M"},
     {"output_bytes": 1024, "box_bytes": 8388608, "tmp_bytes": 8388608, "inodes": 500,
      "open_files": 32, "file_size_bytes": 1048576, "stack_bytes": 4194304,
      "artifacts_bytes": 1048576}),
]  # fmt: skip


@pytest.mark.parametrize("wanted, got", LIMITS, ids=lambda value: json.dumps(value)[:60])
def test_limits_in_all_spellings(service, wanted, got):
    limits = service.run("", limits=wanted)["outcome"]["stages"][-1]["limits"]
    assert {name: limits[name] for name in got} == got


def test_a_limit_holds(service):
    run = service.run("while True: pass", limits={"wall": "10s", "cpu": "200ms"})
    assert (run["status"], run["outcome"]["stages"][-1]["clock"]) == ("timeout", "cpu")


def test_a_policy_is_chosen(service):
    assert service.run("", policy="strict")["policy"] == "strict"
    assert service.run("")["policy"] == service.get("/v1/system").json["default_policy"]


def test_an_artifact_whose_path_is_no_text_is_found_by_its_bytes(service):
    source = "import os; os.mkdir(b'o\\xfft'); open(b'o\\xfft/\\xe4.bin', 'w').write('bytes'); open('t\u00e4xt', 'w')"
    run = service.run(source, artifacts=["o*/**", "t*"])
    place = f"/v1/runs/{run['id']}/artifacts"
    listed = service.get(place).json["artifacts"]
    assert sorted(run["outcome"]["artifacts"], key=str) == sorted(listed, key=str)
    named = {each.get("path_base64"): each["path"] for each in listed}
    coded = base64.b64encode(b"o\xfft/\xe4.bin").decode()
    assert named == {coded: "o\ufffdt/\ufffd.bin", None: "t\u00e4xt"}
    for path in (urllib.parse.quote(base64.b64decode(coded)), "o%FFt%2F%E4.bin"):
        answer = service.get(f"{place}/{path}")
        assert (answer.status, answer.body) == (200, b"bytes"), path
    # What it looks like is not its name, and nothing but a file's name may be such bytes.
    for path in (f"{place}/" + urllib.parse.quote("o\ufffdt/\ufffd.bin"), f"{place}/o%FFt/x", f"{place}/%00"):
        assert service.get(path).status == (400 if "%00" in path else 404), path
    for path in ("/v1/runs/%FF", "/v1/runs/%FF/artifacts/x", "/v1/runs/%FF/artifacts/%FF", "/%FF", "/v1/languages/%FF",
                 "/v1/batches/%FF", "/v1/sessions/%FF/files/x", "/docs/%FF"):  # fmt: skip
        assert service.client().call("GET", path).status == 400, path


def test_artifacts_are_kept(service):
    source = (
        "import os; os.mkdir('out'); open('out/b c.bin', 'wb').write(b'\\xff\\0')\n"
        "open('a.html', 'w').write('<script>'); open('not', 'w').write('x'); os.chmod('a.html', 0o755)"
    )
    run = service.run(source, artifacts=["*.html", "out/**"])
    expected = [
        {"path": "a.html", "bytes": 8, "executable": True},
        {"path": "out/b c.bin", "bytes": 2, "executable": False},
    ]
    assert run["outcome"]["artifacts"] == expected
    place = f"/v1/runs/{run['id']}/artifacts"
    assert service.get(place).json == {"artifacts": expected}
    answer = service.get(f"{place}/out/b%20c.bin")
    assert (answer.status, answer.body) == (200, b"\xff\0")
    page = service.get(f"{place}/a.html")
    assert page.body == b"<script>"
    # Nothing that a browser would show as a page of this service.
    assert page.type == "application/octet-stream"
    assert page.headers["Content-Disposition"] == "attachment"
    assert "sandbox" in page.headers["Content-Security-Policy"]
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    for path in ("not", "out", "..%2F..%2Fetc%2Fpasswd", "out/../a.html"):
        assert service.get(f"{place}/{path}").status == 404, path


# ---- Lists ----


def test_runs_are_listed_newest_first_page_by_page(serve):
    service = serve()
    made = [service.run(str(number))["id"] for number in range(5)]
    seen, cursor, pages = [], "", 0
    while cursor is not None:
        page = service.get(f"/v1/runs?limit=2{'&cursor=' + cursor if cursor else ''}").json
        assert all(run["outcome"] is None for run in page["runs"])
        seen += [run["id"] for run in page["runs"]]
        cursor = page["next"]
        pages += 1
        # What is added meanwhile changes nothing of the pages that follow.
        service.run("")
    assert seen == made[::-1] and pages == 3


def test_lists_are_filtered(serve):
    service = serve()
    service.run("")
    service.run("true", "bash")
    slept = service.submit(SLEEP)
    wait_until_ready(service, slept)

    def listed(query):
        return [(run["language"], run["state"]) for run in service.get(f"/v1/runs?{query}").json["runs"]]

    assert listed("language=bash") == [("bash", "done")]
    assert listed("state=running") == [("python", "running")]
    assert listed("state=done&language=python") == [("python", "done")]
    assert listed("state=lost") == listed("batch=none") == []
    assert service.post(f"/v1/runs/{slept}/cancel").status == 202
    service.wait_for_state(slept, "cancelled")


@pytest.mark.parametrize(
    "query, field",
    [("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"), ("limit=-1", "limit"),
     ("state=ended", "state"), ("cursor=zzz", "cursor")],
)  # fmt: skip
def test_a_bad_query_names_its_field(service, query, field):
    answer = service.get(f"/v1/runs?{query}")
    assert (answer.status, answer.json.get("field")) == (400, field), answer


def test_a_batch_runs_in_order_and_one_bad_one_leaves_nothing(service):
    request = {"runs": [{"language": "python", "source": f"print({n})"} for n in range(5)]}
    batch = service.post("/v1/batches", request)
    assert batch.status == 202
    ids = [run["id"] for run in batch.json["runs"]]
    for run in ids:
        service.look(run, wait=True)
    shown = service.get(f"/v1/batches/{batch.json['id']}").json
    assert [run["id"] for run in shown["runs"]] == ids
    assert (shown["ended"], shown["total"]) == (5, 5)
    assert [out_of(service.look(run)) for run in ids] == [f"{n}\n" for n in range(5)]
    listed = service.get(f"/v1/runs?batch={batch.json['id']}").json["runs"]
    assert sorted(run["id"] for run in listed) == sorted(ids)

    before = service.get("/v1/runs?limit=1").json["runs"][0]["id"]
    answer = service.post("/v1/batches", {"runs": [PROGRAM, {**PROGRAM, "source": 1}]})
    assert (answer.status, answer.json["field"]) == (400, "runs[1].source")
    assert service.get("/v1/runs?limit=1").json["runs"][0]["id"] == before
    assert re.fullmatch(r"run_[0-9a-hjkmnp-tv-z]{36}", before)
    for bad in ({"runs": []}, {"runs": 1}, {}, {"runs": [PROGRAM] * 1001},
                {"runs": [PROGRAM], "program": PROGRAM}):  # fmt: skip
        assert not CONTRACT.accepts("BatchRequest", bad)
        answer = service.post("/v1/batches", bad)
        assert (answer.status, answer.json["field"]) == (400, "runs")
    assert service.get("/v1/batches/none").status == 404


def test_one_program_is_judged_with_many_inputs(service):
    cases = [("1", "2\n"), ("2", "4"), ("3", "7"), ("x", "8")]
    request = {
        "program": {"language": "python", "source": "print(int(input()) * 2)"},
        "inputs": [{"stdin": stdin, "expected": expected} for stdin, expected in cases],
    }
    CONTRACT.check_schema("BatchRequest", request)
    batch = service.post("/v1/batches", request)
    assert batch.status == 202, batch
    runs = [service.look(run["id"], wait=True) for run in batch.json["runs"]]
    verdicts = [run["outcome"]["verdict"] for run in runs]
    assert verdicts == ["pass", "pass", "wrong_answer", "runtime_error"]
    shown = service.get(f"/v1/batches/{batch.json['id']}").json["runs"]
    assert [run["id"] for run in shown] == [run["id"] for run in batch.json["runs"]]
    asked = [service.get(f"/v1/runs/{run['id']}/request").json for run in shown]
    assert [tuple(base64.b64decode(each[name]["content"]).decode() for name in ("stdin", "expected")) for each in asked] == cases
    assert "7" in runs[2]["outcome"]["difference"] and runs[0]["outcome"]["difference"] is None
    for bad, field in [
        ({"program": request["program"]}, "inputs"),
        ({**request, "inputs": []}, "inputs"),
        ({**request, "inputs": [{"stdin": 1}]}, "inputs[0].stdin"),
        ({**request, "inputs": [{"in": ""}]}, "inputs[0].in"),
        ({**request, "program": {"source": "1"}}, "program.language"),
    ]:
        assert not CONTRACT.accepts("BatchRequest", bad)
        answer = service.post("/v1/batches", bad)
        assert (answer.status, answer.json.get("field")) == (400, field), answer


@pytest.mark.parametrize(
    "written, expected, compare, verdict",
    [
        ("print(1)", "1", "lenient", "pass"),
        ("print(1)", "1", None, "pass"),
        ("print(1)", "1", "exact", "wrong_answer"),
        ("print(1)", "1\n", "exact", "pass"),
        ("print(2)", "1", "lenient", "wrong_answer"),
        ("while True: pass", "1", "lenient", "timeout"),
    ],
)
def test_output_is_judged(service, written, expected, compare, verdict):
    run = service.run(written, expected=expected, compare=compare, limits={"cpu": "200ms"})
    assert run["outcome"]["verdict"] == verdict


def test_output_is_made_plain_or_given_as_bytes(service):
    source = "print('\\x1b[31mred\\x1b[0m')"
    plain = service.run(source, output="plain")["outcome"]["stages"][-1]["stdout"]
    assert plain["text"] == "red\n"
    coded = service.run(source, output="base64")["outcome"]["stages"][-1]["stdout"]
    assert base64.b64decode(coded["base64"]) == b"\x1b[31mred\x1b[0m\n"
    assert "base64" not in service.run(source)["outcome"]["stages"][-1]["stdout"]


def test_source_is_screened(service):
    source = "import os\nprint(os.system('true'))"
    refused = service.run(source, screening="secure-sandbox")
    assert (refused["state"], refused["status"], refused["attempts"]) == ("done", "rejected", 0)
    assert refused["outcome"]["screening"]["refused"] and refused["outcome"]["stages"] == []
    assert refused["outcome"]["screening"]["findings"][0]["path"] == "main.py"
    assert service.run(source, screening="none")["status"] == "ok"
    answer = service.post("/v1/runs", {**PROGRAM, "screening": "strange"})
    assert (answer.status, answer.json["field"]) == (400, "screening")


# ---- Archives ----


def archive(kind, files):
    made = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(made, "w") as file:
            for name, text in files.items():
                file.writestr(name, text)
    else:
        with tarfile.open(fileobj=made, mode="w:gz" if kind == "gzip" else "w") as file:
            for name, text in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(text)
                file.addfile(entry, io.BytesIO(text.encode()))
    return made.getvalue()


FILES = {
    "main.py": "import lib.part, os, sys; print(lib.part.word, sys.argv[1:], os.environ['A'], input())",
    "lib/part.py": "word = 'packed'",
}


@pytest.mark.parametrize("kind, type", [("zip", "application/zip"), ("tar", "application/x-tar"),
                                        ("gzip", "application/gzip")])  # fmt: skip
def test_an_archive_is_a_submission(service, kind, type):
    query = "wait&entry=main.py&arg=x&arg=y%20z&env=A=b&stdin=typed&limit=wall=5s&policy=strict"
    answer = service.post(f"/v1/runs?{query}", archive(kind, FILES), headers={"Content-Type": type})
    assert answer.status == 200, answer
    assert out_of(answer.json) == "packed ['x', 'y z'] b typed\n"
    assert answer.json["policy"] == "strict"
    assert answer.json["outcome"]["stages"][-1]["limits"]["wall_ms"] == 5000


def form(parts, boundary="edge"):
    body = b"".join(
        b"--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n"
        % (boundary.encode(), name.encode(), data) for name, data in parts
    )  # fmt: skip
    return body + b"--%s--\r\n" % boundary.encode(), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def test_a_form_has_the_archive_and_the_run(service):
    run = {"entry": "main.py", "args": ["x"], "env": {"A": "b"}, "stdin": "typed"}
    body, headers = form([("run", json.dumps(run).encode()), ("archive", archive("zip", FILES))])
    answer = service.post("/v1/runs?wait", body, headers=headers)
    assert answer.status == 200, answer
    assert out_of(answer.json) == "packed ['x'] b typed\n"


@pytest.mark.parametrize(
    "parts, field",
    [
        ([], "archive"),
        ([("archive", b"PK"), ("archive", b"PK")], "archive"),
        ([("archive", b"no archive")], "archive"),
        ([("archive", archive("zip", {"../x.py": ""}))], "archive"),
        ([("archive", b"PK"), ("run", b"{")], "body"),
        ([("archive", b"PK"), ("run", b"[]")], "run"),
        ([("archive", b"PK"), ("run", b'{"source":"1"}')], "run"),
        ([("archive", b"PK"), ("run", b'{"more":1}')], "run.more"),
        ([("archive", b"PK"), ("more", b"")], "more"),
    ],
)
def test_a_form_that_is_wrong_is_refused(service, parts, field):
    body, headers = form(parts)
    answer = service.post("/v1/runs", body, headers=headers)
    assert (answer.status, answer.json.get("field")) == (400, field), answer


@pytest.mark.parametrize("query, field", [("more=1", "more"), ("env=A", "env"), ("limit=wall", "limit"),
                                          ("limit=wall=x", "limit")])  # fmt: skip
def test_a_query_beside_an_archive_is_read_strictly(service, query, field):
    answer = service.post(f"/v1/runs?{query}", archive("zip", FILES), headers={"Content-Type": "application/zip"})
    assert (answer.status, answer.json.get("field")) == (400, field), answer


# ---- Ending them ----


def test_a_running_run_is_cancelled(service):
    run = service.submit(SLEEP)
    wait_until_ready(service, run)
    assert service.post(f"/v1/runs/{run}/cancel").status == 202
    ended = service.look(run, wait=True)
    assert (ended["state"], ended["status"]) == ("cancelled", "cancelled")
    assert out_of(ended) == "ready\n"
    assert service.post(f"/v1/runs/{run}/cancel").status == 409


def test_a_queued_run_is_cancelled_and_never_run(serve):
    service = serve("--concurrent", "1")
    first = service.submit(SLEEP)
    wait_until_ready(service, first)
    second, third = service.submit("print(2)"), service.submit("print(3)")
    assert service.look(second)["state"] == "queued"
    assert service.post(f"/v1/runs/{second}/cancel").status == 202
    ended = service.look(second, wait=True)
    assert (ended["state"], ended["status"], ended["attempts"]) == ("cancelled", "cancelled", 0)
    assert (ended["started_at"], ended["outcome"]) == (None, None)
    assert service.post(f"/v1/runs/{first}/cancel").status == 202
    assert out_of(service.look(third, wait=True)) == "3\n"
    assert service.look(second) == ended
    assert service.post("/v1/runs/none/cancel").status == 404


def test_a_full_queue_refuses_and_says_when_to_come_again(serve):
    service = serve("--concurrent", "1", "--queue", "2")
    runs = [service.submit(SLEEP)]
    wait_until_ready(service, runs[0])
    runs += [service.submit("") for _ in range(2)]
    answer = service.post("/v1/runs", PROGRAM)
    assert answer.status == 429 and int(answer.headers["Retry-After"]) >= 1
    service.post(f"/v1/runs/{runs[0]}/cancel")
    assert [service.look(run, wait=True)["state"] for run in runs] == ["cancelled", "done", "done"]


def test_who_waits_too_long_in_the_queue_is_told(serve):
    service = serve("--concurrent", "1", "--queue-wait", "300ms")
    first = service.submit(SLEEP)
    wait_until_ready(service, first)
    late = service.submit("")
    ended = service.look(late, wait=True)
    assert ended["state"] == "lost" and "queue" in ended["reason"]
    answer = service.post("/v1/runs?wait", PROGRAM)
    assert answer.status == 429 and answer.headers["Location"].startswith("/v1/runs/")
    assert int(answer.headers["Retry-After"]) >= 1
    service.post(f"/v1/runs/{first}/cancel")


# ---- Idempotency ----


def test_a_repeated_key_is_answered_with_the_first_run(service):
    key = {"Idempotency-Key": "once"}
    first = service.post("/v1/runs", PROGRAM, headers=key)
    again = service.post("/v1/runs", PROGRAM, headers=key)
    assert (first.status, again.status) == (202, 202)
    assert first.json["id"] == again.json["id"]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    waited = service.post("/v1/runs?wait", PROGRAM, headers=key)
    assert waited.json["id"] == first.json["id"] and waited.json["attempts"] == 1
    assert waited.headers["Idempotency-Replayed"] == "true"
    other = service.post("/v1/runs", PROGRAM, headers={"Idempotency-Key": "twice"})
    assert other.json["id"] != first.json["id"]


def test_a_key_with_another_request_is_a_conflict(service):
    key = {"Idempotency-Key": "conflict"}
    first = service.post("/v1/runs", PROGRAM, headers=key).json["id"]
    answer = service.post("/v1/runs", {**PROGRAM, "source": "print(2)"}, headers=key)
    assert answer.status == 409, answer
    assert service.post("/v1/runs", PROGRAM, headers=key).json["id"] == first


BATCHES = [
    {"runs": [PROGRAM, {**PROGRAM, "language": "klingon"}, {**PROGRAM, "source": "print(3)"}]},
    {"program": {"language": "python", "source": "print(input())"}, "inputs": [{"stdin": str(each)} for each in range(20)]},
]


@pytest.mark.parametrize("batch", BATCHES, ids=["programs", "inputs"])
def test_a_batch_is_answered_again_by_its_key(service, batch):
    key = {"Idempotency-Key": f"batch-{'runs' in batch}"}
    first = service.post("/v1/batches", batch, headers=key)
    again = service.post("/v1/batches", batch, headers=key)
    assert (first.status, again.status) == (202, 202), again
    assert "Idempotency-Replayed" not in first.headers and again.headers["Idempotency-Replayed"] == "true"
    assert again.json == first.json and again.headers["Location"] == first.headers["Location"]
    accepted = [run["id"] for run in first.json["runs"] if run["id"]]
    assert len(accepted) == (2 if "runs" in batch else 20)
    ended = [service.look(run, wait=True) for run in accepted]
    assert [run["attempts"] for run in ended] == [1] * len(accepted)
    shown = service.get(f"/v1/batches/{first.json['id']}").json
    assert [run["id"] for run in shown["runs"]] == accepted and shown["total"] == len(accepted)
    if "inputs" in batch:
        assert [out_of(run) for run in shown["runs"]] == [f"{each}\n" for each in range(20)]
    # Also when it is over, and another batch under the key is a conflict.
    assert service.post("/v1/batches", batch, headers=key).json == first.json
    assert service.post("/v1/batches", {"runs": [PROGRAM]}, headers=key).status == 409
    other = service.post("/v1/batches", batch, headers={"Idempotency-Key": key["Idempotency-Key"] + "-other"})
    assert other.json["id"] != first.json["id"]


def test_a_run_and_a_batch_of_it_are_two_requests(service):
    """Their submissions are alike, their answers are not."""
    for first, second in (("runs", "batches"), ("batches", "runs")):
        key = {"Idempotency-Key": f"first {first}"}
        bodies = {"runs": PROGRAM, "batches": {"runs": [PROGRAM]}}
        assert service.post(f"/v1/{first}", bodies[first], headers=key).status == 202
        answer = service.post(f"/v1/{second}", bodies[second], headers=key)
        assert answer.status == 409, answer


def test_a_batch_that_could_never_wait_is_refused(service):
    """More runs than one caller may have in the queue: none is taken."""
    before = service.get("/v1/runs?limit=1").json["runs"][0]["id"]
    answer = service.post("/v1/batches", {"runs": [PROGRAM] * 201})
    assert (answer.status, answer.json["field"]) == (400, "runs") and "at most 200" in answer.json["detail"]
    assert service.get("/v1/runs?limit=1").json["runs"][0]["id"] == before


def test_a_key_that_is_too_long_is_refused(service):
    good = service.post("/v1/runs", PROGRAM, headers={"Idempotency-Key": "k" * 255})
    assert good.status == 202
    answer = service.post("/v1/runs", PROGRAM, headers={"Idempotency-Key": "k" * 256})
    assert answer.status == 400, answer


# ---- What is refused ----

FILE = {"path": "a.py", "content": ""}

BAD = [
    # what is changed in PROGRAM (None: taken out), the field that is to blame, whether a schema tells
    ({"language": None}, "language", True),
    ({"language": ""}, "language", True),
    ({"language": 1}, "language", True),
    ({"language": "klingon"}, "language", False),
    ({"source": None}, "source", True),
    ({"source": ["print(1)"]}, "source", True),
    ({"files": [FILE]}, "source", True),
    ({"source": None, "files": []}, "files", True),
    ({"source": None, "files": {}}, "files", True),
    ({"source": None, "files": ["a.py"]}, "files[0]", True),
    ({"source": None, "files": [FILE, {"path": "b.py"}]}, "files[1].content", True),
    ({"source": None, "files": [{"content": ""}]}, "files[0].path", True),
    ({"source": None, "files": [{**FILE, "mode": 7}]}, "files[0].mode", True),
    ({"source": None, "files": [{**FILE, "executable": "yes"}]}, "files[0].executable", True),
    ({"source": None, "files": [{**FILE, "encoding": "utf-7"}]}, "files[0].encoding", True),
    ({"source": None, "files": [{**FILE, "content": "*", "encoding": "base64"}]},
     "files[0].content", False),
    ({"source": None, "files": [{**FILE, "path": "../a.py"}]}, "files[0].path", True),
    ({"source": None, "files": [{**FILE, "path": "/a.py"}]}, "files[0].path", True),
    ({"source": None, "files": [{**FILE, "path": ""}]}, "files[0].path", True),
    ({"source": None, "files": [{**FILE, "path": "a\0b"}]}, "files[0].path", False),
    ({"source": None, "files": [FILE, FILE]}, "files", False),
    ({"source": None, "files": [FILE, {**FILE, "path": "a.py/b"}]}, "files", False),
    ({"source": None, "files": [{**FILE, "path": f"{n}.py"} for n in range(4097)]}, "files", True),
    ({"source": None, "files": [FILE], "entry": "b.py"}, "entry", False),
    ({"source": None, "files": [FILE], "entry": "../a.py"}, "entry", False),
    ({"entry": 1}, "entry", True),
    ({"stdin": 1}, "stdin", True),
    ({"stdin": {"encoding": "base64"}}, "stdin.content", True),
    ({"stdin": {"content": "*", "encoding": "base64"}}, "stdin.content", False),
    ({"stdin": {"content": "", "encoding": "latin-1"}}, "stdin.encoding", True),
    ({"stdin": {"content": "", "more": 1}}, "stdin.more", True),
    ({"args": "a"}, "args", True),
    ({"args": [1]}, "args", True),
    ({"args": ["a", "b\0"]}, "args[1]", False),
    ({"args": ["x"] * 1025}, "args", True),
    ({"env": ["A=b"]}, "env", True),
    ({"env": {"A=": "b"}}, "env", True),
    ({"env": {"": "b"}}, "env", True),
    ({"env": {"PATH": 1}}, "env.PATH", True),
    ({"env": {"A": "\0"}}, "env.A", False),
    ({"limits": 1}, "limits", True),
    ({"limits": {"Wall": 1}}, "limits.Wall", True),
    ({"limits": {"time": 1}}, "limits.time", True),
    ({"limits": {"wall": 0}}, "limits.wall", True),
    ({"limits": {"wall": -1}}, "limits.wall", True),
    ({"limits": {"wall": "soon"}}, "limits.wall", False),
    ({"limits": {"wall": True}}, "limits.wall", True),
    ({"limits": {"wall": 1e300}}, "limits.wall", False),
    ({"limits": {"wall_ms": "1s"}}, "limits.wall_ms", True),
    ({"limits": {"wall": 1, "wall_ms": 1000}}, "limits.wall_ms", False),
    ({"limits": {"memory": 1.5}}, "limits.memory", True),
    ({"limits": {"memory": "much"}}, "limits.memory", False),
    ({"limits": {"processes": 0}}, "limits.processes", False),
    ({"limits": {"cpus": "half"}}, "limits.cpus", True),
    ({"limits": {"cpus": 0}}, "limits.cpus", True),
    ({"expected": 1}, "expected", True),
    ({"compare": "loosely"}, "compare", True),
    ({"output": "html"}, "output", True),
    ({"screening": 1}, "screening", True),
    ({"policy": "lax"}, "policy", False),
    ({"policy": 1}, "policy", True),
    ({"artifacts": "*"}, "artifacts", True),
    ({"artifacts": ["/etc/*"]}, "artifacts", True),
    ({"artifacts": [""]}, "artifacts", True),
    ({"artifacts": ["*"] * 65}, "artifacts", True),
    ({"webhook": 1}, "webhook", True),
    ({"labels": ["a"]}, "labels", True),
    ({"labels": {"Region": "eu"}}, "labels", True),
    ({"labels": {"": "eu"}}, "labels", True),
    ({"labels": {f"n{i}": "v" for i in range(9)}}, "labels", True),
    ({"labels": {"region": 1}}, "labels.region", True),
    ({"labels": {"region": ""}}, "labels.region", True),
    ({"labels": {"region": "e u"}}, "labels.region", True),
    ({"labels": {"region": "v" * 64}}, "labels.region", True),
    ({"interactive": True}, "interactive", True),
    ({"sourceCode": ""}, "sourceCode", True),
    ({"time_limit": 1}, "time_limit", True),
]  # fmt: skip


@pytest.mark.parametrize("change, field, shaped", BAD, ids=lambda value: json.dumps(value)[:60])
def test_each_error_names_its_field(service, change, field, shaped):
    request = {name: value for name, value in {**PROGRAM, **change}.items() if value is not None}
    assert CONTRACT.accepts("RunRequest", PROGRAM)
    assert CONTRACT.accepts("RunRequest", request) is not shaped
    answer = service.post("/v1/runs", request)
    assert answer.status == 400, answer
    assert answer.json.get("field") == field, answer


@pytest.mark.parametrize("limits, field", [({"memory": "17G"}, "limits.memory"),
                                           ({"wall_ms": 3600001}, "limits.wall")])  # fmt: skip
def test_a_limit_beyond_the_policy_is_refused(service, limits, field):
    answer = service.post("/v1/runs", {**PROGRAM, "limits": limits})
    assert answer.status == 403, answer
    assert answer.json.get("field") == field, answer


def test_labels_ask_for_this_machine_or_get_nobody(service):
    here = platform.machine()
    assert service.run("print(1)", labels={"arch": here})["outcome"]["status"] == "ok"
    answer = service.post("/v1/runs", {**PROGRAM, "labels": {"arch": here, "region": "mars"}})
    assert (answer.status, answer.json["field"]) == (503, "labels"), answer
    assert "region=mars" in answer.json["detail"]


NO_JSON = [
    b"", b"{", b"[]", b"1", b"null", b'"text"', b"{}{}", b"{'a':1}", b'{"a":1,}', b"\xff\xfe",
    b'{"language":"python","source":"\xff"}',
    b'{"language":"python","source":"\xed\xa0\x80"}',  # half of a surrogate pair
    b'{"language":"python","source":"print(1)","source":"print(2)"}',
    b'{"language":"python","source":"1","env":{"A":"1","\\u0041":"2"}}',
    b"[" * 100000, b'{"language":' + b"[" * 40 + b"]" * 40 + b"}",
]  # fmt: skip


@pytest.mark.parametrize("body", NO_JSON, ids=lambda body: repr(body[:50]))
def test_what_is_no_json_is_told_as_that(service, body):
    answer = service.post("/v1/runs", body, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.json.get("field")) == (400, "body"), answer


def test_depth_up_to_the_bound_is_read(service):
    # Of the right form, but where it is wrong is found by who reads the fields.
    deep = b'{"language":"python","source":"1","args":' + b"[" * 30 + b"]" * 30 + b"}"
    answer = service.post("/v1/runs", deep, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.json["field"]) == (400, "args")


@pytest.mark.parametrize("type", ["text/plain", "application/x-www-form-urlencoded",
                                  "application/xml", "application/jsonp", ""])  # fmt: skip
def test_another_content_type_is_refused(service, type):
    body = json.dumps(PROGRAM).encode()
    answer = service.post("/v1/runs", body, headers={"Content-Type": type})
    assert (answer.status, answer.json.get("field")) == (400, "content-type"), answer


@pytest.mark.parametrize("type", ["application/json", "application/json; charset=utf-8",
                                  "application/json ;charset=utf-8", "Application/JSON"])  # fmt: skip
def test_json_by_its_other_names_is_taken(service, type):
    body = json.dumps(PROGRAM).encode()
    assert service.post("/v1/runs", body, headers={"Content-Type": type}).status == 202


def test_a_body_that_is_too_large(service):
    most = 1 << 20
    filled = json.dumps({**PROGRAM, "stdin": ""})
    fits = json.dumps({**PROGRAM, "stdin": "x" * (most - len(filled))})
    assert len(fits) == most
    assert service.post("/v1/runs?wait", json.loads(fits)).status == 200
    answer = service.post("/v1/runs", fits.encode() + b" ", headers={"Content-Type": "application/json"})
    assert (answer.status, answer.json["field"]) == (413, "body")


def test_a_chunked_body_is_bounded_too(service):
    def chunks(count):
        yield json.dumps(PROGRAM).encode()
        for _ in range(count):
            yield b" " * 65536

    def post(count):
        with service.client() as client:
            client.connection.request("POST", "/v1/runs", chunks(count), {"Content-Type": "application/json"},
                                      encode_chunked=True)  # fmt: skip
            return client.connection.getresponse().status

    assert post(3) == 202
    assert post(17) == 413


@pytest.mark.parametrize(
    "method, path, allowed",
    [
        ("PUT", "/v1/runs", {"GET", "POST"}),
        ("DELETE", "/v1/runs/run_1", {"GET"}),
        ("GET", "/v1/runs/run_1/cancel", {"POST"}),
        ("POST", "/v1/languages", {"GET"}),
        ("PATCH", "/v1/batches", {"POST"}),
        ("BREW", "/healthz", {"GET"}),
    ],
)
def test_another_method_is_refused_with_those_allowed(service, method, path, allowed):
    answer = service.call(method, path)
    assert answer.status == 405
    assert set(answer.headers["Allow"].split(", ")) == allowed
    asked = service.call("OPTIONS", path)
    assert asked.status == 204 and set(asked.headers["Allow"].split(", ")) == {*allowed, "OPTIONS"}


@pytest.mark.parametrize("path", ["/nothing", "/web/nothing.js", "/r/", "/v1", "/v1/runs/", "/v1/runs/none", "/v1/runs/none/events",
                                  "/v1/runs/none/artifacts", "/v1/runs/none/artifacts/x",
                                  "/v1/RUNS", "/v2/runs", "//v1/runs", "/v1/runs/a/b/c"])  # fmt: skip
def test_what_is_not_there(service, path):
    answer = service.get(path)
    assert (answer.status, answer.type) == (404, "application/problem+json"), answer


def test_head_is_answered_without_a_body(service):
    got, head = service.get("/healthz"), service.call("HEAD", "/healthz")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == got.headers["Content-Length"]
    # A stream has no end to wait for: HEAD must not begin it.
    run = service.run("print(1)")["id"]
    request = f"HEAD /v1/runs/{run}/events HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    raw = exchange(service, request.encode())
    assert raw.startswith(b"HTTP/1.1 200") and raw.partition(b"\r\n\r\n")[2] == b"", raw


def exchange(service, data):
    """What comes back for these bytes, and no more to come, until the service closes."""
    with service.connect() as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return read_all(connection)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /healthz\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET http://x/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /%ff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
        b"POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/runs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=lambda data: repr(data[:60]),
)
def test_what_is_not_http_is_refused(service, request_bytes):
    answer = exchange(service, request_bytes)
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert b"application/problem+json" in answer and answer.count(b"HTTP/1.1") == 1
    assert service.get("/healthz").status == 200


def test_a_header_that_is_too_long(service):
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: %s\r\n\r\n"
    assert exchange(service, request % (b"x" * 10000)).startswith(b"HTTP/1.1 200 ")
    assert exchange(service, request % (b"x" * 20000)).startswith(b"HTTP/1.1 431 ")


def test_pages_of_other_sites_may_not_ask(serve):
    service = serve("--origins", "https://good.example")
    host = "%s:%d" % service.address

    def status(origin, host=host):
        return service.post("/v1/runs", PROGRAM, headers={"Origin": origin, "Host": host}).status

    assert status(f"http://{host}") == 202
    for origin in ("http://evil.example", "null", f"http://{host}.evil.example"):
        assert status(origin) == 403, origin
    answer = service.post("/v1/runs", PROGRAM, headers={"Origin": "https://good.example"})
    assert answer.status == 202
    assert answer.headers["Access-Control-Allow-Origin"] == "https://good.example"
    # A name that somebody else points at this address makes his page one of the same origin.
    assert status("http://evil.example:80", "evil.example:80") == 403


def test_every_answer_can_be_found_in_the_log(service):
    answer = service.get("/v1/runs/none", headers={"Traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
    (line,) = service.logged(request=answer.headers["X-Request-Id"])
    assert (line["method"], line["path"], line["status"]) == ("GET", "/v1/runs/none", 404)
    assert line["traceparent"].startswith("00-4bf92f") and answer.headers["Traceparent"] == line["traceparent"]
