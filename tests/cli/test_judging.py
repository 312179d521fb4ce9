"""`run --tests`: one program against many inputs."""

import pytest

from shell import Terminal, belljar

SUM = "print(sum(map(int, input().split())))\n"


@pytest.fixture
def judge(folder):
    """Writes the program and its tests, given as {name: (input or None, output)}."""

    def write(source, tests, name="prog.py"):
        (folder / "tests").mkdir()
        (folder / name).write_text(source)
        for test, (given, wanted) in tests.items():
            if given is not None:
                (folder / "tests" / f"{test}.in").write_text(given)
            (folder / "tests" / f"{test}.out").write_text(wanted)
        return lambda *options: belljar("run", "--tests", "tests", *options, name)

    return write


def test_all_pass(judge):
    run = judge(SUM, {"10": ("1 2", "3"), "2": ("4 5\n", "9 \n\n")})
    done = run()
    assert done.code == 0 and done.err == b"", done
    lines = done.out.decode().splitlines()
    assert lines[0].split() == ["test", "verdict", "wall", "cpu", "memory"]
    assert [line.split()[:2] for line in lines[1:3]] == [["2", "pass"], ["10", "pass"]]
    assert lines[-1] == "2 of 2 passed"
    assert run("--exact").code == 1


def test_every_verdict(judge):
    source = (
        "import sys, time\n"
        "what = sys.stdin.read().strip()\n"
        "if what == 'loop':\n    while True: pass\n"
        "if what == 'sleep': time.sleep(60)\n"
        "if what == 'eat': bytearray(1 << 30)\n"
        "if what == 'fail': sys.exit(3)\n"
        "if what == 'kill':\n    import os; os.kill(os.getpid(), 11)\n"
        "if what == 'flood': print('x' * 100000)\n"
        "print(what)\n"
    )
    wanted = {
        "loop": "timeout", "sleep": "timeout", "eat": "memory_limit",
        "fail": "runtime_error", "kill": "signalled",
        "flood": "output_limit", "right": "pass", "wrong": "wrong_answer",
    }  # fmt: skip
    run = judge(source, {name: (name, name if name != "wrong" else "a\nb") for name in wanted})
    done = run("--json", "--limit", "cpu=300ms,wall=1s,memory=64M,output=10K")
    assert done.code == 1
    report = done.json
    assert (report["passed"], report["total"], report["compile"]) == (1, 8, None)
    assert {test["name"]: test["verdict"] for test in report["tests"]} == wanted
    wrong = next(test for test in report["tests"] if test["name"] == "wrong")
    assert wrong["difference"] == {"line": 1, "expected": "a", "got": "wrong"}
    assert wrong["outcome"]["stages"][-1]["usage"]["peak_memory_bytes"] > 0


def test_no_input_is_an_empty_one(judge):
    run = judge("import sys; print(repr(sys.stdin.read()))", {"1": (None, "''")})
    assert run().code == 0


def test_shows_the_first_difference_harmlessly(judge):
    run = judge("print('1\\n\\x1b]0;x\\x07')", {"1": (None, "1\n2\n")})
    done = run()
    assert done.code == 1
    assert b"line 2: expected '2', got '\\x1b]0;x" in done.out, done
    assert b"\x1b" not in done.out


def test_compiles_once(judge):
    source = '#include <stdio.h>\nint main(void) { int a; scanf("%d", &a); printf("%d", a * 2); }'
    run = judge(source, {str(i): (str(i), str(2 * i)) for i in range(5)}, "prog.c")
    report = run("--json").json
    assert report["passed"] == 5
    assert report["compile"]["stage"] == "compile"


def test_a_compile_error_is_the_only_verdict(judge):
    run = judge("nonsense", {"1": (None, "")}, "prog.c")
    done = run()
    assert (done.code, done.out) == (123, b"")
    assert b"nonsense" in done.err and b"compile_error" in done.err
    done = run("--json")
    assert done.code == 123 and done.json["tests"] == [] and done.json["total"] == 0
    assert done.json["compile"]["status"] == "compile_error"


def test_arguments_and_files_are_there_each_time(judge):
    source = "import sys; print(sys.argv[1], open('prog.py').readline()[:6]); open('left', 'x')"
    run = judge(source, {"1": (None, "a import"), "2": (None, "a import")})
    done = belljar("run", "--tests", "tests", "prog.py", "a")
    assert done.code == 0, done
    assert run().code == 1


def test_shows_a_bar_on_a_terminal_only(judge):
    run = judge(SUM, {"1": ("1", "1"), "2": ("2", "2")})
    assert b"[" not in run().err
    with Terminal("run", "--tests", "tests", "prog.py") as terminal:
        assert terminal.wait() == 0
        assert b"1/2" in terminal.shown
        assert b"\x1b[32mpass" in terminal.shown
        assert b"2 of 2 passed" in terminal.shown
    with Terminal("run", "--tests", "tests", "prog.py", env={"NO_COLOR": "1"}) as terminal:
        assert terminal.wait() == 0
        assert b"\x1b[32m" not in terminal.shown


def test_an_interrupt_ends_the_judging(judge):
    source = "import time\nprint(input(), flush=True)\ntime.sleep(60)"
    judge(source, {"1": ("a", "a"), "2": ("b", "b")})
    with Terminal("run", "--tests", "tests", "--limit", "wall=50s", "prog.py") as terminal:
        terminal.expect(rb"0/2")
        terminal.interrupt()
        assert terminal.wait() == 130
