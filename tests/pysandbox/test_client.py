"""belljar.pysandbox: what run_cmd answers, the Purifier, ids and their cells, and the prompt."""

import pickle
import subprocess
import sys
import threading

import pytest

import belljar
from belljar import pysandbox

from conftest import TESTS
from support.service import serving

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="makes the bytecode of Debian 12's CPython"
)
FAIL = {"result": "FAIL"}


def ok(out="", err=""):
    return {"result": {"out": out, "err": err}}


@pytest.fixture
def client(url):
    with pysandbox.Client(url) as made:
        yield made


# ---- What it answers ----


def test_the_example(client):
    assert client.run_cmd("print(2 + 2)") == ok("4\n")


@pytest.mark.parametrize(("code", "answer"), [
    ("", ok()),
    ("2 + 2", ok()),  # it is no notebook
    ("print('a'); print('b', end='')", ok("a\nb")),
    ("print('é\\U0001f389')", ok("é\U0001f389\n")),
    ("load = __builtins__.__loader__.load_module\nprint('x', file=load('sys').stderr)", ok("", "x\n")),
    ("def f(n): return 1 if n < 2 else n * f(n - 1)\nprint(f(20))", ok("2432902008176640000\n")),
    ("print(__name__)", ok("__main__\n")),
    ("print(__import__('os'))", ok("None\n")),
    ("print([name for name in ('open', 'exec', 'eval', 'compile', 'input') if name in vars(__builtins__)])", ok("[]\n")),
    ("1 / 0", FAIL),
    ("raise KeyError('k')", FAIL),
    ("raise SystemExit", FAIL),
    ("open('/etc/passwd')", FAIL),
    ("(lambda: 0).__globals__", FAIL),
    ("load = __builtins__.__loader__.load_module\nload('posix').abort()", FAIL),
])  # fmt: skip
def test_answers(client, code, answer):
    assert client.run_cmd(code) == answer


def test_the_file_name(client):
    code = "async def f(): pass\nf = f()\nprint(f.cr_code.co_filename)\nf.close()"
    assert client.run_cmd(code) == ok("<pysandbox>\n")


def test_an_end_at_the_limit_is_a_failure_and_no_more(client):
    assert client.run_cmd("kept = 1") == ok()
    assert client.run_cmd("print('x' * 10 ** 7)") == FAIL
    assert client.run_cmd("print(kept)") == ok("1\n")


def test_what_is_not_python_is_a_syntax_error(client):
    with pytest.raises(SyntaxError):
        client.run_cmd("x = (")


# ---- The Purifier ----

INSECURE = [
    ("import os", "Import", 1, 0),
    ("x = 1\nif x:\n    from re import *", "ImportFrom", 3, 4),
    ("from __future__ import annotations", "ImportFrom", 1, 0),
    ("''.join(x)", "Attribute", 1, 0),
    ("x = 'é' 'b'.join(y)", "Attribute", 1, 4),
    ("x = ('é', b''.x)", "Attribute", 1, 11),
    ("(1).real", "Attribute", 1, 0),
    ("None.x", "Attribute", 1, 0),
    ("....x", "Attribute", 1, 0),
    ("''.join(x).upper().lower", "Attribute", 1, 0),  # below another attribute
    ("def f():\n  class A:\n    x = lambda: ().__class__ or ''.y", "Attribute", 3, 32),
]
SECURE = ["x.y", "f''.join(x)", "[].append", "().x", "x = 'import os'", "{}.get(1)", "f().x", "__import__('os')"]


@pytest.mark.parametrize(("code", "construct", "line", "column"), INSECURE)
def test_the_purifier_refuses(client, code, construct, line, column):
    answer = client.run_cmd(code)
    assert answer.keys() == {"result", "msg"} and answer["result"] == "FAIL"
    insecure = answer["msg"]
    assert isinstance(insecure, pysandbox.Insecure)
    assert (insecure.construct, insecure.line, insecure.column) == (construct, line, column)
    assert str(insecure) == f"{construct} found in line {line}:{column}"
    assert str(pickle.loads(pickle.dumps(insecure))) == str(insecure)


@pytest.mark.parametrize("code", [code for code, *_ in INSECURE] + SECURE)
def test_the_service_screens_the_same(service, code):
    """The rules of the same name, over another parser's tree."""
    try:
        pysandbox.Purifier().visit(pysandbox.ast.parse(code))
        expected = None
    except pysandbox.Insecure as insecure:
        expected = str(insecure)
    wanted = {"language": "python", "source": code, "screening": "pysandbox"}
    outcome = service.call("POST", "/v1/runs?wait=1", wanted).json["outcome"]
    said = outcome["reason"] if outcome["status"] == "rejected" else None
    assert said == expected, outcome


def test_what_is_refused_reaches_no_cell():
    with pysandbox.Client("http://127.0.0.1:9") as client:  # where nobody listens
        assert client.run_cmd("import os")["result"] == "FAIL"
        with pytest.raises(belljar.ConnectionLost):
            client.run_cmd("1")


# ---- Ids, and the end ----


def states(url):
    return [each.state for each in belljar.Client(url).sessions() if each.state != "ended"]


def test_an_id_is_a_cell_with_a_state(client):
    assert client.run_cmd("x = 1") == client.run_cmd("x = 2", "two") == ok()
    assert client.run_cmd("print(x)") == client.run_cmd("print(x)", 0) == ok("1\n")
    assert client.run_cmd("print(x)", idx="two") == ok("2\n")
    assert client.run_cmd("print(x)", (3, "three")) == FAIL


def test_its_cells_stand_still_after_each_use_and_are_gone_after_quit(client, url):
    before = states(url)
    for idx in range(3):
        client.run_cmd("1", idx)
    assert states(url) == before + ["idle"] * 3
    client.quit_single(1)
    assert states(url) == before + ["idle"] * 2
    with pytest.raises(KeyError):
        client.quit_single(1)
    client.quit()
    assert states(url) == before
    client.quit()  # of none
    assert client.run_cmd("print(1)", 1) == ok("1\n")  # and a new one begins


def test_a_program_that_ends_quits_its_cells(url):
    before = states(url)
    script = f"import sys; sys.path.insert(0, {str(TESTS.parent / 'clients/python')!r})\nfrom belljar import pysandbox\nclient = pysandbox.Client({url!r})\nprint(client.run_cmd('print(1)'))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"{ok(chr(49) + chr(10))}\n" and states(url) == before


def test_one_that_has_ended_begins_anew(client, url):
    client.run_cmd("x = 1")
    for each in belljar.Client(url).sessions():
        if each.state != "ended":
            belljar.Client(url).attach(each.id).quit()
    assert client.run_cmd("print('x' in globals())") == ok("False\n")


def test_one_that_dies_while_it_runs_begins_anew(client):
    assert client.run_cmd("load = __builtins__.__loader__.load_module\nload('posix').kill(-1, 9)") == FAIL
    assert client.run_cmd("print(1)") == ok("1\n")


def test_many_threads_share_one(client):
    client.run_cmd("seen = []")
    threads = [threading.Thread(target=client.run_cmd, args=(f"seen.append({n})",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.run_cmd("print(sorted(seen))") == ok(f"{list(range(8))}\n")


def test_bytecode_of_another_version_is_said(client, monkeypatch, url):
    before = states(url)
    monkeypatch.setattr(sys, "version_info", (3, 99))
    with pytest.raises(pysandbox.OtherVersion, match=r"the cell has CPython 3\.11\.\d+, this is cpython 3\.99"):
        client.run_cmd("1")
    assert states(url) == before  # the cell is not left behind


def test_a_service_that_asks_for_a_key():
    with serving("--require-key") as keyed:
        host, port = keyed.address
        _, key = keyed.create_key("ada")
        with pysandbox.Client(f"http://{host}:{port}", key) as client:
            assert client.run_cmd("print(1)") == ok("1\n")
        with pytest.raises(belljar.Problem), pysandbox.Client(f"http://{host}:{port}") as client:
            client.run_cmd("1")


# ---- Sessions take bytecode ----


def test_a_session_takes_code_objects(url):
    with belljar.Client(url).session() as session:
        made = session.execute(compile("x = 6\nprint(x)", "mine", "exec"))
        assert (made.status, made.stdout.text) == ("ok", "6\n")
        assert session.execute("x * 7").value == "42"
        assert session.execute(compile("1/0", "mine", "exec")).error.name == "ZeroDivisionError"


@pytest.mark.parametrize(("body", "status", "words"), [
    ({"code": "1", "format": "text"}, 400, "format: must be"),
    ({"code": "!", "format": "marshal"}, 400, "code: must be base64"),
    ({"code": "AAAA", "format": "marshal"}, 200, "the code cannot be read"),
])  # fmt: skip
def test_bytecode_that_is_none_is_said(service, body, status, words):
    session = service.call("POST", "/v1/sessions", {}).json["id"]
    answer = service.call("POST", f"/v1/sessions/{session}/executions?wait=1", body)
    assert answer.status == status and words in (answer.json.get("reason") or answer.json["detail"]), answer
    service.call("DELETE", f"/v1/sessions/{session}")


# ---- The prompt ----


def prompt(url, typed):
    done = subprocess.run(
        [sys.executable, "-m", "belljar.pysandbox", "--url", url], input=typed, cwd=TESTS.parent / "clients/python",
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_the_prompt(url):
    before = states(url)
    code, out, err = prompt(url, "x = 5\nprint(x)\nimport os\nx = (\n!q\nprint(6)\n")
    assert (code, err) == (0, "")
    hello, *answers, end = out.split("cmd> ")
    assert [each.rpartition(" seconds\n")[0].rpartition(" ")[0] for each in (hello, *answers)] == [
        str(ok("hello world\n")), str(ok()), str(ok("5\n")),
        "{'result': 'FAIL', 'msg': Insecure('Import found in line 1:0')}", "'(' was never closed (<unknown>, line 1)",
    ]  # fmt: skip
    assert all(float(each.split(" ")[-2]) >= 0 for each in (hello, *answers)) and end == ""
    assert states(url) == before


def test_the_prompt_ends_with_its_input(url):
    code, out, err = prompt(url, "print(1)\n")
    assert (code, err) == (0, "") and out.count("cmd> ") == 2
