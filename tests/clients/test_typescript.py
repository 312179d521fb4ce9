"""The TypeScript client against a live service; the scenarios are in clients/typescript/tests/scenarios.ts."""

import json
import re
import socket

import pytest

from between import Canned, CuttingProxy
from conftest import url_of
from node import BIOME, BUILT, SCENARIOS, SOURCE, run
from schema import FILE, made
from support.command import ROOT

# Those against the service as it is; the others need something in between, or another service.
PLAIN = (
    "success timeout bad_limit files unicode_and_bytes submit_cancel list inputs artifacts stream left "
    "wrong_arguments everything session_state session_repeated session_error session_results session_files "
    "session_timeout session_interrupt session_stream session_contexts sessions_apart"
).split()
PARTICULAR = "cut always_cut session_cut session_gone key too_many tried_again gone silent not_there no_service".split()


def test_no_scenario_is_forgotten(play):
    told = run("node", SCENARIOS.with_suffix(".js").name, cwd=play.folder).split()
    assert sorted(PLAIN + PARTICULAR) == sorted(told)


@pytest.mark.parametrize("name", PLAIN)
def test_against_the_service(play, url, name):
    play(name, url)


@pytest.mark.parametrize("size", [450, 700, 1500])
def test_a_stream_goes_on_where_the_connection_was_cut(play, service, size):
    with CuttingProxy(service.address, [size] * 4) as proxy:
        play("cut", proxy.url)
    heads = [head.split(b"\r\n\r\n")[0].lower() for head in proxy.requests]
    assert len(heads) == 5
    assert heads[0].startswith(b"post /v1/runs?stream=1 ") and b"idempotency-key: " in heads[0]
    # A reset may throw away what had come, the first answer's head too: then the same is asked for again.
    assert all(b"/events " in head or head == heads[0] for head in heads[1:])
    assert size < 700 or any(b"last-event-id: " in head for head in heads)  # fewer bytes are no whole event


def test_a_stream_whose_beginning_is_lost_is_one_run(play, service):
    with CuttingProxy(service.address, [40]) as proxy:
        play("cut", proxy.url)
    keys = set(re.findall(rb"(?i)idempotency-key: (\S+)", b"".join(proxy.requests)))
    assert len(proxy.requests) == 2 and len(keys) == 1


def test_a_stream_that_is_always_cut_fails_in_the_end(play, service):
    with CuttingProxy(service.address, [1200] + [20] * 9) as proxy:
        play("always_cut", proxy.url)
    assert len(proxy.requests) == 3


@pytest.mark.parametrize("size", [450, 700, 1500])
def test_a_stream_of_a_session_goes_on_where_the_connection_was_cut(play, service, size):
    with CuttingProxy(service.address, [size] * 4) as proxy:
        play("session_cut", proxy.url, url_of(service.address))
    heads = [head.split(b"\r\n\r\n")[0].lower() for head in proxy.requests]
    assert len(heads) == 5 and all(b"/events " in head for head in heads)
    assert size < 700 or any(b"last-event-id: " in head for head in heads)  # fewer bytes are no whole event


def test_code_is_sent_again_only_where_it_does_no_harm(play):
    with Canned((200, {}, b'{"id": "ses_1"}'), (503, {}, b"")) as canned:
        play("session_gone", canned.url)
    asked = [(method, path) for method, path, _ in canned.requests]
    code, session = ("POST", "/v1/sessions/ses_1/executions"), "/v1/sessions/ses_1"
    assert asked[1:] == [(code[0], code[1] + "?wait=1"), code, ("DELETE", session), ("DELETE", session)]


def test_keys(play, keyed):
    _, secret = keyed.create_key("ada-typescript")
    play("key", url_of(keyed.address), secret)


def test_too_many_requests_say_when_to_come_again(play, keyed):
    _, secret = keyed.create_key("often-typescript")
    play("too_many", url_of(keyed.address), secret)


def test_it_is_tried_again_when_the_service_asks_for_that(play):
    full = (429, {"Retry-After": "1"}, b'{"title": "Too many requests", "status": 429, "detail": "full"}')
    with Canned(full, (200, {}, b'{"id": "run_1", "state": "done", "new": {"field": [1]}}')) as canned:
        play("tried_again", canned.url)
    assert len(canned.requests) == 2


def test_a_program_is_sent_again_only_where_it_does_no_harm(play):
    with Canned((503, {}, b"<html>gone")) as canned:
        play("gone", canned.url)
    asked = [(path, headers.get("Idempotency-Key")) for _, path, headers in canned.requests]
    assert asked == [("/v1/runs", None), ("/readyz", None), *[("/v1/runs", "a")] * 3]


def test_a_service_that_says_nothing(play):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        play("silent", url_of(listener.getsockname()))


def test_a_service_that_is_not_there(play):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    play("not_there", url_of(address))


@pytest.mark.parametrize("body", [b"", b"<html>", b"1", b"null"])
def test_what_is_no_service(play, body):
    with Canned((200, {"Content-Type": "text/html"}, body)) as canned:
        play("no_service", canned.url)


# ---- The package ----


def test_the_types_are_the_contracts():
    assert FILE.read_text() == made(), "run python3 tests/clients/schema.py"


def test_it_is_laid_out_by_biome():
    run(BIOME, "ci", "--colors=off", ".", cwd=SOURCE)


def test_it_needs_nothing_else():
    told = json.loads((SOURCE / "package.json").read_text())
    assert "dependencies" not in told and told["type"] == "module"
    pins = told["devDependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in pins.values())
    # One compiler for all of the tree.
    web = json.loads((ROOT / "web/package.json").read_text())["devDependencies"]
    assert {name: pins[name] for name in pins if name in web} == {name: web[name] for name in web if name in pins}
    assert '"resolved"' not in (SOURCE / "package-lock.json").read_text()
    for path in (BUILT / "dist").glob("*.js"):
        assert all(name.startswith("./") for name in re.findall(r'from "([^"]+)"', path.read_text())), path
