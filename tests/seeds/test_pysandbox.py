"""pysandbox's executor: POST {"code": base64 of a marshalled code object}, on a port of its own."""

import base64
import marshal
import struct
import subprocess
import sys

import pytest

from support import command


def encoded(value):
    return base64.b64encode(value if isinstance(value, bytes) else marshal.dumps(value)).decode()


def program(source):
    """As its client makes it: compiled with the file name `<pysandbox>`."""
    return encoded(compile(source, "<pysandbox>", "exec"))


@pytest.fixture(params=["port", "path"])
def execute(request, executor, executor_port):
    """Sends a body, to the executor's port and to the path on the main one."""
    port, path = (executor_port, "/") if request.param == "port" else (executor.port, "/pysandbox")
    return lambda body: executor.call("POST", path, body, port=port)


pytestmark = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="makes the bytecode of Debian 12's CPython"
)


def test_the_example(execute):
    answer = execute({"code": program("print(2 + 2)")})
    assert (answer.status, answer.json) == (200, {"result": {"out": "4\n", "err": ""}})


@pytest.mark.parametrize("path", ["/", "/anything", "/v1/runs", "/a/b?c=d", "/%41", "/execute"])
def test_any_path(executor, executor_port, path):
    answer = executor.call("POST", path, {"code": program("print(1)")}, port=executor_port)
    assert (answer.status, answer.json) == (200, {"result": {"out": "1\n", "err": ""}})


def test_another_method(executor, executor_port):
    answer = executor.call("GET", "/", port=executor_port)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_both_streams_are_routed(execute):
    source = "import sys\nprint('out')\nprint('err', file=sys.stderr)\nsys.stdout.write('more')"
    assert execute({"code": program(source)}).json == {
        "result": {"out": "out\nmore", "err": "err\n"}
    }


def test_nothing_printed_is_two_empty_strings(execute):
    assert execute({"code": program("x = 1")}).json == {"result": {"out": "", "err": ""}}


def test_the_code_is_a_main_module(execute):
    source = "import sys\nprint(__name__, (lambda: 1).__code__.co_filename)"
    assert execute({"code": program(source)}).json["result"]["out"] == "__main__ <pysandbox>\n"


# ---- 400: KeyError, ValueError, TypeError, EOFError while reading ----------------------------

BAD = {
    "KeyError: no code": {},
    "KeyError: another name": {"cod": program("print(1)")},
    "ValueError: not JSON": "code",
    "ValueError: not base64": {"code": "!!!!"},
    "ValueError: base64 of a wrong length": {"code": "abc"},
    "ValueError: not marshalled": {"code": encoded(b"\xff\xfe\xfd")},
    "TypeError: not a string": {"code": 5},
    "TypeError: not an object": "[1]",
    "TypeError: null": '{"code": null}',
    "TypeError: no code object": {"code": encoded(42)},
    "EOFError: nothing": {"code": ""},
    "EOFError: cut short": {"code": encoded(marshal.dumps(compile("print(1)", "x", "exec"))[:-7])},
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_what_cannot_be_read_is_400(execute, body):
    answer = execute(body)
    assert (answer.status, answer.json["result"]) == (400, "FAIL"), answer


def test_what_is_merely_unreadable_says_no_more(execute):
    assert execute({}).json == {"result": "FAIL"}


# ---- 500: anything else ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    ["1/0", "raise ValueError('x')", "raise KeyError", "raise EOFError", "raise SystemExit(3)", "undefined", "import os\nos.abort()", "x = 'a' * 10**9"],
)
def test_what_fails_while_running_is_500(execute, source):
    answer = execute({"code": program(source)})
    assert (answer.status, answer.json) == (500, {"result": "FAIL"})


def crafted(bytecode, names=(), consts=(None,), stack=4):
    """A code object that no compiler made."""
    blank = compile("", "<pysandbox>", "exec")
    return encoded(
        blank.replace(
            co_code=bytes(bytecode), co_names=names, co_consts=consts, co_stacksize=stack
        )
    )


CRASHES = {
    "a constant far out of the tuple": crafted([151, 0, 100, 255, 83, 0]),
    "a name out of an empty tuple": crafted([151, 0, 101, 200, 83, 0]),
    "pops from an empty stack": crafted([151, 0, *[1, 0] * 200, 83, 0], stack=0),
    "numbers that are no instructions": crafted([151, 0, 255, 255, 254, 254, 253, 253]),
}


@pytest.mark.parametrize("code", CRASHES.values(), ids=CRASHES.keys())
def test_a_crash_is_the_cells(execute, executor, code):
    """Whatever the interpreter makes of it, it is one of the executor's answers, and that is all."""
    answer = execute({"code": code})
    assert answer.status in (200, 500), answer
    if answer.status == 500:
        assert answer.json == {"result": "FAIL"}
    executor.is_well()


def test_a_crash_that_is_sure_is_a_500(execute):
    answer = execute({"code": program("import ctypes\nctypes.string_at(1)")})
    assert (answer.status, answer.json) == (500, {"result": "FAIL"})


# ---- Bytecode of another CPython -------------------------------------------------------------


def of_cpython_3_8():
    """`None`, as CPython 3.8 marshalled it: the fields of a code object were others then."""
    numbers = struct.pack("<6i", 0, 0, 0, 0, 1, 64)  # three argument counts, locals, stack, flags
    instructions = b"s" + struct.pack("<i", 4) + b"d\0S\0"
    constants = b")\1N"
    empty = b")\0"
    name = b"z\1x"
    return b"\xe3" + numbers + instructions + constants + empty * 4 + name * 2 + struct.pack("<i", 1) + b"s\0\0\0\0"


def test_bytecode_of_another_version_gets_a_clear_error(execute):
    answer = execute({"code": encoded(of_cpython_3_8())})
    assert (answer.status, answer.json["result"]) == (400, "FAIL"), answer
    assert "version of CPython" in answer.json["msg"]


def test_a_program_may_end_with_the_drivers_own_code(execute):
    answer = execute({"code": program("raise SystemExit(65)")})
    assert (answer.status, answer.json) == (500, {"result": "FAIL"}), answer


# ---- Where it is read ------------------------------------------------------------------------


def test_it_is_read_in_a_cell_only(execute):
    """What unmarshalling costs is the cell's: a tuple of 2^31 elements is asked for, in vain."""
    answer = execute({"code": encoded(b"(\xff\xff\xff\x7f")})
    assert (answer.status, answer.json) == (500, {"result": "FAIL"}), answer


def test_deep_nesting_is_the_cells(execute):
    assert execute({"code": encoded(b")\1" * 5000 + b"N")}).status == 400


def test_the_cell_has_no_network(execute):
    source = "import socket\ntry:\n  socket.create_connection(('192.0.2.1', 80), 1)\nexcept OSError as e: print(e.errno)"
    assert execute({"code": program(source)}).json["result"]["out"] == "101\n"


def test_a_taken_port_ends_the_start(executor, executor_port, tmp_path):
    done = subprocess.run(
        [command.binary(), "serve", "--listen=127.0.0.1:0", f"--state-dir={tmp_path}"],
        env=command.environment({"EXECUTOR_PORT": str(executor_port)}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0 and f"127.0.0.1:{executor_port}" in done.stderr
