"""`belljar pysandbox`: each port is one cell, which keeps its state and is paused in between; the executor's statuses."""

import base64
import marshal
import subprocess
import sys
import threading
import time

import pytest

from conftest import cells
from support import command
from support.service import LiveService, free_port, live_service

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="makes the bytecode of Debian 12's CPython"
)


def program(source):
    return {"code": base64.b64encode(marshal.dumps(compile(source, "<pysandbox>", "exec"))).decode()}


@pytest.fixture
def post(service, ports):
    """Sends a body to one of the cells."""
    return lambda body, cell=0, path="/", method="POST": service.call(method, path, body, port=ports[cell])


def out(answer):
    assert answer.status == 200 and answer.json["result"].keys() == {"out", "err"}, answer
    return answer.json["result"]["out"]


def test_a_cell_keeps_its_state_and_no_other_has_it(post):
    assert out(post(program("x = 20"))) == ""
    assert out(post(program("x += 1\nprint(x)"))) == "21\n"
    assert (lambda answer: (answer.status, answer.json))(post(program("print(x)"), 1)) == (500, {"result": "FAIL"})


@pytest.mark.parametrize("path", ["/", "/anything", "/v1/runs", "/a?b=c"])
def test_any_path(post, path):
    assert out(post(program("print(1)"), path=path)) == "1\n"


def test_both_streams(post):
    source = "streams = print.__self__.__loader__.load_module('sys')\nprint('o')\nprint('e', file=streams.stderr)"
    assert post(program(source)).json == {"result": {"out": "o\n", "err": "e\n"}}


def test_the_code_is_a_main_module(post):
    assert out(post(program("print(__name__)"))) == "__main__\n"


def test_namekeeper_is_around_it(post):
    source = "import os\nprint(os, 'open' in vars(__builtins__), hasattr(lambda: 0, '__code__'))"
    assert out(post(program(source))) == "None False False\n"


UNREADABLE = [{}, {"cod": "x"}, "code", {"code": "!!"}, {"code": 5}, {"code": ""}, "[1]", {"code": base64.b64encode(b"\xff").decode()},
              {"code": base64.b64encode(marshal.dumps(42)).decode()},
              {"code": base64.b64encode(marshal.dumps(compile("1", "x", "exec"))[:-7]).decode()}]  # fmt: skip


@pytest.mark.parametrize("body", UNREADABLE, ids=str)
def test_what_cannot_be_read_is_400_and_costs_no_state(post, body):
    post(program("kept = 1"))
    answer = post(body)
    assert (answer.status, answer.json["result"]) == (400, "FAIL"), answer
    assert out(post(program("print(kept)"))) == "1\n"


@pytest.mark.parametrize("source", ["1/0", "raise ValueError", "raise KeyError('k')", "raise EOFError", "undefined", "raise KeyboardInterrupt"])
def test_what_fails_is_500_and_costs_no_state(post, source):
    post(program("kept = 2"))
    answer = post(program(source))
    assert (answer.status, answer.json) == (500, {"result": "FAIL"})
    assert out(post(program("print(kept)"))) == "2\n"


@pytest.mark.parametrize("source", ["raise SystemExit", "print.__self__.__loader__.load_module('posix').abort()",
                                    "print.__self__.__loader__.load_module('posix').kill(-1, 9)", "x = 'a' * 10**10"])  # fmt: skip
def test_a_cell_goes_on_after_its_interpreter_ended(post, source):
    answer = post(program(source), 2)
    assert (answer.status, answer.json) == (500, {"result": "FAIL"})
    assert out(post(program("print(1)"), 2)) == "1\n"


def test_another_method(post):
    answer = post(None, method="GET")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_a_page_may_not_ask(service, ports):
    answer = service.call("POST", "/", program("1"), {"Origin": "http://example.com"}, port=ports[0])
    assert answer.status == 403


def test_nothing_runs_in_between(post):
    """A thread counts on only while something is executed; in an execution, the control, it does."""
    begin = """
load = __builtins__.__loader__.load_module
count = [0]
def go():
    while True:
        count[0] += 1
load("_thread").start_new_thread(go, ())
def turns(seconds):
    first, since = count[0], load("time").monotonic()
    while load("time").monotonic() - since < seconds: pass
    return count[0] - first
print(count[0])
"""
    post(program(begin), 1)
    within = int(out(post(program("print(turns(1))"), 1)))
    before = int(out(post(program("print(count[0])"), 1)))
    time.sleep(2)
    after = int(out(post(program("print(count[0])"), 1)))
    assert within > 0 and after - before < within
    post(program("raise SystemExit"), 1)


def test_many_ask_one_cell_at_once(post):
    post(program("seen = []"))
    threads = [threading.Thread(target=lambda n=n: post(program(f"seen.append({n})"))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert out(post(program("print(sorted(seen))"))) == f"{list(range(8))}\n"


def test_a_gateway_that_falls_leaves_the_cells():
    with cells(2, service=live_service) as (service, ports):
        assert out(service.call("POST", "/", program("x = 3"), port=ports[1])) == ""
        service.kill("gateway")
        service.event("gateway_ended")
        command.wait_until(lambda: len(service.logged("ready")) == 2, "the next gateway", 60)
        assert out(service.call("POST", "/", program("print(x)"), port=ports[1])) == "3\n"


@pytest.mark.parametrize(("ports", "words"), [
    ("x", "pysandbox-ports: the port must be 1 to 65535"),
    ("0", "pysandbox-ports: the port must be 1 to 65535"),
    ("1765-70000", "pysandbox-ports: the port must be 1 to 65535"),
    ("1770-1765", "pysandbox-ports: a range of ports begins with the lower one"),
    ("1765-1800", "pysandbox-ports: must be at most 32 ports"),
    ("1765,1765", "pysandbox-ports: 1765 stands there twice"),
])  # fmt: skip
def test_ports_that_are_wrong(tmp_path, ports, words):
    for argv in (["pysandbox", "--ports", ports], ["serve", "--pysandbox-ports", ports]):
        argv = [command.binary(), *argv, "--listen", "127.0.0.1:0", "--state-dir", str(tmp_path / "state")]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=command.environment(), check=False)
        assert done.returncode != 0 and words in done.stderr, done.stderr


class Pysandbox(LiveService):
    def command(self):
        words = super().command()
        words[words.index("serve")] = "pysandbox"
        return words


def test_the_command_is_the_service_with_other_defaults():
    port = free_port()
    with command.scratch_folder("pysandbox-") as folder, Pysandbox(folder, "--ports", port) as service:
        assert out(service.call("POST", "/", program("print(1)"), port=port)) == "1\n"
        # The policy is the default one's place: also what is run once is under the guard.
        run = service.call("POST", "/v1/runs?wait=1", {"language": "python", "source": "print('open' in vars(__builtins__))"})
        assert run.json["outcome"]["policy"] == "pysandbox"
        assert run.json["outcome"]["stages"][0]["stdout"]["text"] == "False\n"
        once = service.call("POST", "/pysandbox", program("import os\nprint(os, 'open' in vars(__builtins__))"))
        assert once.json == {"result": {"out": "None False\n", "err": ""}}
        # A port that is taken ends the start of another one.
        argv = [command.binary(), "pysandbox", "--ports", str(port), "--listen", "127.0.0.1:0", "--state-dir", str(folder / "other")]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=command.environment(), check=False)
        assert done.returncode != 0 and f"127.0.0.1:{port}" in done.stderr
