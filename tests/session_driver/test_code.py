"""Code is executed as a notebook's kernel does it."""

import sys

import pytest

from driver import PYTHON


def test_it_says_that_it_is_ready(driver):
    assert driver.ready["type"] == "ready"
    major, minor, _ = driver.ready["version"].split(".")
    if PYTHON == sys.executable:
        assert (int(major), int(minor)) == sys.version_info[:2]


def test_its_file_is_gone_and_the_users_files_are_not_imported_by_it(start, tmp_path):
    hidden = tmp_path / "box0"
    driver = start()
    assert not driver.script.exists()
    assert driver.folder == hidden
    driver.ok("open('linecache.py', 'w').write('raise SystemExit')")
    driver.ok("open('ast.py', 'w').write('mine = 1')")
    assert driver.op("restart_context", context="default").status == "ok"
    assert driver.ok("import ast; ast.mine").text == "1"


def test_state_stays_and_the_last_expression_is_the_result(driver):
    assert driver.ok("x = 20").results == []
    assert driver.ok("def f(y):\n    return x + y\nf(1)").text == "21"
    assert driver.ok("_ * 2").text == "42"
    assert driver.ok("None").results == []
    assert driver.ok("").results == []
    assert driver.ok("# nothing").results == []
    assert driver.ok("if x:\n    5").results == []


@pytest.mark.parametrize("code", ["7;", "7 ; # and a comment; of it", "(7\n); # no", "'; #';", "(é:=7);", "7;\n\n"])
def test_a_semicolon_keeps_the_result_back(driver, code):
    assert driver.ok(code).results == []


@pytest.mark.parametrize("code", ["7 # ;", "';'", "(7)", "7\n# x;", "'''a\n;'''"])
def test_a_semicolon_elsewhere_does_not(driver, code):
    assert len(driver.ok(code).results) == 1


def test_windows_line_ends(driver):
    assert driver.ok("a = 1\r\nif a:\r\n    b = 2\r\na + b").text == "3"


def test_main_is_the_namespace(driver):
    driver.ok("import sys, pickle\nclass C:\n    pass\nc = C()")
    assert driver.ok("type(pickle.loads(pickle.dumps(c))) is C").text == "True"
    assert driver.ok("__name__, sys.argv, sys.path[0], '__file__' in globals()").text == "('__main__', [''], '', False)"
    assert driver.ok("import __main__; __main__.c is c and vars(__main__) is globals()").text == "True"
    assert driver.ok("__builtins__ is __import__('builtins')").text == "True"
    names = "sorted(name for name in globals() if not name.startswith('__'))"
    driver.op("create_context", context="new")
    assert driver.ok(names, "new").text == "[]"


def test_modules_beside_the_code_can_be_imported(driver):
    (driver.folder / "mine.py").write_text("value = 4\n")
    assert driver.ok("import mine; mine.value").text == "4"


def test_counts(driver):
    assert driver.ok("1").done["count"] == 1
    assert driver.run("1/0").done["count"] == 2
    assert driver.ok("1").done["count"] == 3


def test_an_error(driver):
    answer = driver.run("def f():\n    # deep\n    return 1 / 0\nprint('before')\nf()\nprint('after')")
    assert answer.status == "error"
    assert (answer.error["name"], answer.error["value"]) == ("ZeroDivisionError", "division by zero")
    lines = [line for line in answer.error["traceback"].splitlines() if not set(line) <= set(" ~^")]
    assert lines == [
        "Traceback (most recent call last):",
        '  File "<cell 1>", line 5, in <module>',
        "    f()",
        '  File "<cell 1>", line 3, in f',
        "    return 1 / 0",
        "ZeroDivisionError: division by zero",
    ]
    assert driver.stdout == "before\n"
    assert driver.stderr == ""


def test_an_error_in_a_function_of_an_earlier_cell_shows_its_source(driver):
    driver.ok("def f():\n    raise KeyError('k')  # of cell one")
    trace = driver.run("f()").error["traceback"]
    assert '"<cell 2>", line 1' in trace and '"<cell 1>", line 2' in trace and "# of cell one" in trace


def test_chained_errors_show_no_frames_of_the_driver(driver):
    code = "import belljar_display\ntry:\n    1/0\nexcept Exception as e:\n    belljar_display.Image('no.png')"
    trace = driver.run(code).error["traceback"]
    assert "During handling of the above exception" in trace and "ZeroDivisionError" in trace
    assert "belljar-session" not in trace and trace.count("<cell 1>") == 2


def test_syntax_errors(driver):
    for code, line in (("x = 1\nif x\n    y", "if x"), ("return 3", "return 3"), ("def f(:", "def f(:")):
        answer = driver.run(code)
        assert answer.error["name"] == "SyntaxError"
        trace = answer.error["traceback"].splitlines()
        assert trace[0].startswith('  File "<cell ') and trace[1].strip() == line
        assert trace[-1].startswith("SyntaxError: ")
    assert driver.run("if 1:\nx").error["name"] == "IndentationError"
    assert driver.run("print(1)\nx = = 2").status == "error"
    assert driver.stdout == "", "nothing of a cell runs that cannot be compiled"


HARD_TO_COMPILE = {
    "null": "\0", "nested": "(" * 5000, "long": "1" + "+1" * 100000, "surrogate": "\ud800", "deep": "-" * 200000 + "1"
}  # fmt: skip


@pytest.mark.parametrize("code", HARD_TO_COMPILE.values(), ids=HARD_TO_COMPILE)
def test_code_that_no_compiler_takes(driver, code):
    assert driver.run(code).status in ("ok", "error", "died")  # died: older compilers overflow
    assert driver.ok("1").text == "1"


def test_top_level_await(driver):
    driver.ok("import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x")
    assert driver.ok("await f(3)").text == "3"
    assert driver.ok("y = await f(4)\n[await f(z) async for z in agen()] if 0 else y").text == "4"
    driver.ok("event = asyncio.Event()\nasync def later():\n    await event.wait()\n    return 'late'")
    driver.ok("task = asyncio.ensure_future(later()); await asyncio.sleep(0)")
    assert driver.ok("event.set(); await task").text == "'late'", "the loop is the same one"
    answer = driver.run("async def g():\n    raise OSError('no')\nawait g()")
    assert answer.error["name"] == "OSError"
    assert "run_until_complete" not in answer.error["traceback"]
    assert driver.ok("asyncio.run(f(5))").text == "5", "no loop runs while code does that does not await"


def test_a_closed_loop_is_replaced(driver):
    driver.ok("import asyncio\nawait asyncio.sleep(0)\nloop = asyncio.get_running_loop()")
    driver.ok("loop.close()")
    assert driver.ok("await asyncio.sleep(0, 6)").text == "6"


def test_future_flags_persist(driver):
    driver.ok("from __future__ import annotations")
    assert driver.ok("def f(x: undefined): pass\nf.__annotations__").text == "{'x': 'undefined'}"
    driver.op("create_context", context="other")
    assert driver.ok("import sys; sys.version_info < (3, 14)", "other").text == "True"
    assert driver.run("def f(x: undefined): pass", "other").error["name"] == "NameError"


def test_stdin_is_empty(driver):
    assert driver.run("input()").error["name"] == "EOFError"
    assert driver.ok("import sys; sys.stdin.read()").text == "''"


def test_output_is_there_before_done(driver):
    driver.ok("import sys\nprint('no newline', end='')\nsys.stderr.write('err')")
    assert (driver.stdout, driver.stderr) == ("no newline", "err")
    driver.run("print('x', end=''); 1/0")
    assert driver.stdout == "x"
    driver.ok("import os; os.system('echo from a program')")
    assert driver.stdout == "from a program\n"
    driver.ok("print('y' * 1000000)")
    assert driver.stdout == "y" * 1000000 + "\n"
    driver.run("print('z', end=''); exit()")
    assert driver.stdout == "z"


def test_lines_come_while_the_code_runs(driver):
    driver.begin("print('now')\nimport os\nwhile not os.path.exists('go'):\n    pass")
    driver.wait_for("now\n")
    (driver.folder / "go").touch()
    assert driver.answer().status == "ok"


def test_warnings_show_in_each_cell(driver):
    for _ in range(2):
        driver.ok("import warnings; warnings.warn('look out')")
        assert "UserWarning: look out" in driver.stderr
    driver.ok("'\\d'")
    assert "Warning" in driver.stderr or driver.ready["version"] < "3.12"


@pytest.mark.parametrize(
    "code, exit_code",
    [
        ("exit()", 0), ("quit(4)", 4), ("import sys; sys.exit(3)", 3), ("raise SystemExit", 0),
        ("import sys; sys.exit('so long')", 1), ("import os; os._exit(7)", 7), ("import sys; sys.exit(258)", 2),
        ("async def f():\n    raise SystemExit(5)\nawait f()", 5),
        ("import sys; sys.stdout.close(); sys.exit(0)", 0),
        ("import atexit, os; atexit.register(lambda: os._exit(9)); exit()", 9),
    ],
)  # fmt: skip
def test_an_exit_ends_the_process_of_the_context(driver, code, exit_code):
    driver.ok("x = 1")
    answer = driver.run(code)
    assert (answer.status, answer.done["exit_code"], answer.done["signal"]) == ("exited", exit_code, None)
    assert answer.done["count"] == 2 and answer.error is None
    if "so long" in code:
        assert driver.stderr == "so long\n"
    assert driver.run("x").error["name"] == "NameError"
    assert driver.ok("2").done["count"] == 2, "a new process counts anew"


def test_a_signal_is_how_it_died(driver):
    for name in ("SIGSEGV", "SIGKILL", "SIGTERM", "SIGUSR1"):
        answer = driver.run(f"import os, signal; print('last'); os.kill(os.getpid(), signal.{name})")
        assert (answer.status, answer.done["signal"], answer.done["exit_code"]) == ("died", name, None)
        assert driver.stdout == "last\n"
    assert driver.run("import os; os.kill(os.getpid(), 40)").done["signal"] == "SIG40"


def test_results_before_a_death_arrive(driver):
    answer = driver.run("import os\nfor i in range(20): display(i)\nos._exit(1)")
    assert [data["text/plain"] for data in answer.shown] == [str(i) for i in range(20)]
    assert answer.status == "exited"


def test_exceptions_of_threads_go_to_stderr(driver):
    driver.ok("import threading\nt = threading.Thread(target=lambda: 1/0)\nt.start(); t.join()")
    assert "ZeroDivisionError" in driver.stderr


def test_a_thread_goes_on_between_executions(driver):
    driver.ok(
        "import threading, os\ndef wait():\n    while not os.path.exists('go'): pass\n"
        "    print('late'); display('shown late')\nt = threading.Thread(target=wait); t.start()"
    )
    (driver.folder / "go").touch()
    driver.wait_for("'shown late'\n")
    assert driver.stdout == "late\n'shown late'\n", "what nobody waits for is printed"
    driver.ok("t.join()")


def test_exception_groups_and_notes(driver):
    if driver.run("ExceptionGroup").status == "error":
        pytest.skip("this Python has none")
    answer = driver.run("e = ValueError('a')\ne.add_note('noted')\nraise ExceptionGroup('g', [e, KeyError('b')])")
    assert answer.error["name"] == "ExceptionGroup"
    assert "noted" in answer.error["traceback"] and "KeyError" in answer.error["traceback"]
