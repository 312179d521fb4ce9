"""secure-sandbox, where one exchange does not show it."""

import concurrent.futures
import json
import re

import pytest

CUT = "\n... [output truncated]"
MOST = 102_400


def execute(service, code, **more):
    answer = service.call("POST", "/execute", {"code": code, **more})
    assert answer.status == 200, answer
    return answer.json


# ---- Validation ------------------------------------------------------------------------------


def test_no_body_is_a_field_that_is_missing(service):
    answer = service.call("POST", "/execute", None, {"Content-Type": "application/json"})
    detail = {"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}
    assert (answer.status, answer.json) == (422, {"detail": [detail]})


def test_null_is_no_string(service):
    answer = service.call("POST", "/execute", '{"code": null}')
    detail = {
        "type": "string_type",
        "loc": ["body", "code"],
        "msg": "Input should be a valid string",
        "input": None,
    }
    assert (answer.status, answer.json) == (422, {"detail": [detail]})


@pytest.mark.parametrize("body", ["{", "print(1)", '{"code": "x",}', '{"code": "\\ud800"}', "NaN"])
def test_what_is_not_json_has_the_frameworks_shape(service, body):
    answer = service.call("POST", "/execute", body, {"Content-Type": "application/json"})
    assert answer.status == 422, answer
    (detail,) = answer.json["detail"]
    assert set(detail) == {"type", "loc", "msg", "input", "ctx"}
    assert (detail["type"], detail["msg"], detail["input"]) == ("json_invalid", "JSON decode error", {})
    assert detail["loc"][0] == "body" and isinstance(detail["loc"][1], int)
    assert isinstance(detail["ctx"]["error"], str)


# ---- The answer ------------------------------------------------------------------------------


def test_output_that_was_cut_before_it_was_stripped_says_so(service):
    """Escape sequences alone: what is left of a megabyte of them is nothing, and that is not all."""
    code = "print('\\x1b[31m' * {} + 'end')"
    assert execute(service, code.format(1 << 18))["stdout"] == CUT
    assert execute(service, code.format(1000))["stdout"] == "end\n"


def test_the_time_is_in_seconds_with_four_places(service):
    answer = service.call("POST", "/execute", {"code": "print(1)"})
    assert re.search(rb'"execution_time":\d+\.\d{1,4}[,}]', answer.body), answer
    seconds = answer.json["execution_time"]
    assert isinstance(seconds, float) and seconds > 0 and round(seconds, 4) == seconds


def test_a_refusal_makes_no_cell(service):
    before = service.call("GET", "/metrics").body.decode()
    assert execute(service, "import os")["returncode"] == -1
    after = service.call("GET", "/metrics").body.decode()
    runs = re.compile(r"^belljar_phase_seconds_count\{.*phase=\"build\".*\} (\d+)$", re.MULTILINE)
    assert runs.findall(before) == runs.findall(after)
    # The count does count: a program that is let through moves it.
    execute(service, "print(1)")
    assert runs.findall(service.call("GET", "/metrics").body.decode()) != runs.findall(after)


def test_nothing_of_the_services_environment_is_there(service):
    answer = execute(service, "import tempfile\nprint(dict(tempfile._os.environ))")
    assert answer["returncode"] == 0 and "PATH" in answer["stdout"]
    assert "SERVICE_SECRET" not in answer["stdout"] and "wild-heron" not in answer["stdout"]


# ---- Long output and long code ---------------------------------------------------------------


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_long_output_is_cut_and_says_so(service, stream):
    code = f"import warnings\nwarnings.sys.{stream}.write('x' * 150_000)"
    assert execute(service, code)[stream] == "x" * MOST + CUT


def test_output_of_just_the_limit_is_whole(service):
    assert execute(service, f"print('x' * {MOST}, end='')")["stdout"] == "x" * MOST


def test_one_more_is_cut(service):
    assert execute(service, f"print('x' * {MOST + 1}, end='')")["stdout"] == "x" * MOST + CUT


@pytest.mark.parametrize("letter", ["é", "€", "😀"])
def test_output_is_counted_in_characters(service, letter):
    whole = execute(service, f"print({letter!r} * {MOST}, end='')")["stdout"]
    assert whole == letter * MOST
    cut = execute(service, f"print({letter!r} * {MOST + 10}, end='')")["stdout"]
    assert cut == letter * MOST + CUT


def test_a_program_is_not_ended_by_its_long_output(service):
    answer = execute(service, "print('x' * 150_000)\nraise SystemExit(5)")
    assert answer["returncode"] == 5


def program_of(size):
    return "print(1)\n".ljust(size, "#")


@pytest.mark.parametrize("env, most", [({}, 65_536), ({"MAX_CODE_SIZE": "1000"}, 1000)])
def test_code_over_its_size_is_refused(services, env, most):
    service = services.of(env)
    assert execute(service, program_of(most))["stdout"] == "1\n"
    answer = service.call("POST", "/execute", {"code": program_of(most + 1)})
    assert answer.status == 413 and str(most) in answer.json["detail"], answer


def test_the_size_is_counted_in_bytes(services):
    service = services.of({"MAX_CODE_SIZE": "1000"})
    answer = service.call("POST", "/execute", {"code": "#" + "é" * 600})
    assert answer.status == 413, answer


# ---- The rate, and two at a time -------------------------------------------------------------


@pytest.mark.parametrize("limit", ["10", "3"])
def test_over_the_rate(services, limit):
    # 10 is the default, and is not set for that row.
    service = services.of({"RATE_LIMIT": limit})
    answers = [service.call("POST", "/execute", {"code": 1}) for _ in range(int(limit))]
    assert {answer.status for answer in answers} == {422}
    for code in (1, "print(1)"):
        answer = service.call("POST", "/execute", {"code": code})
        assert answer.status == 429, answer
        assert answer.json == {"detail": "Rate limit exceeded"}
        assert answer.headers["content-type"] == "application/json"
        assert 1 <= int(answer.headers["retry-after"]) <= 60
    # It is this dialect's and this address's limit: the rest of the service goes on.
    assert service.call("POST", "/run", {"code": "print(1)"}).json["output"] == "1\n"
    assert service.call("GET", "/healthz").status == 200


def test_the_limiter_admits_no_more_at_once(services):
    service = services.of({"RATE_LIMIT": "7"})
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: service.call("POST", "/execute", {}).status, range(60)))
    assert sorted(answers) == [422] * 7 + [429] * 53


def test_a_forged_address_is_no_other_address(services):
    service = services.of({"RATE_LIMIT": "3"})
    forged = [f"198.51.100.{n}" for n in range(8)]
    answers = [
        service.call("POST", "/execute", {}, {"X-Forwarded-For": address, "X-Real-IP": address})
        for address in forged
    ]
    assert answers[-1].status == 429


@pytest.mark.parametrize("env, most", [({}, 2), ({"MAX_CONCURRENT": "1"}, 1)])
def test_so_many_at_a_time(services, env, most):
    service = services.of(env)
    code = "import time\ntime.sleep(0.8)\nprint('done')"
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        sent = [pool.submit(execute, service, code) for _ in range(4)]
        seen = set()
        while not all(each.done() for each in sent):
            runs = service.call("GET", "/v1/system").json["runs"]
            seen.add(runs["running"])
    assert [each.result()["stdout"] for each in sent] == ["done\n"] * 4
    assert max(seen) == most


def test_the_answer_is_strict_json(service):
    code = "import warnings\nwarnings.sys.stdout.buffer.write(bytes(range(256)))"
    answer = service.call("POST", "/execute", {"code": code})
    text = answer.body.decode("utf-8", errors="strict")
    assert isinstance(json.loads(text)["stdout"], str)
