"""NameKeeper around a program's own code: what is gone, what an import brings, and what stays as it was."""

import json
import marshal
import pathlib
import re
import subprocess
import sys

import pytest

import one
from conftest import outcome_under, printed
from support import command

WAYS = ["cold", "interpreter"]
GUARD = pathlib.Path(__file__).resolve().parents[2] / "runtimes/guards/namekeeper.py"
NAMES = ["open", "exec", "eval", "compile", "input"]
MEMBERS = {
    "function": ["__code__", "__globals__", "__closure__"],
    "frame": ["f_locals", "f_globals", "f_builtins", "f_code"],
    "generator": ["gi_frame", "gi_code"],
    "type": ["__subclasses__", "__bases__"],
}
# Prints one word per name and member: whether it is within reach, asked for in two ways.
LOOK = f"""
def function(): yield
generator = function()
try:
    1 / 0
except ZeroDivisionError as error:
    frame = error.__traceback__.tb_frame
of = {{"function": function, "generator": generator, "frame": frame, "type": int}}
for name in {NAMES}:
    print(name, name in vars(__builtins__), hasattr(__builtins__, name))
for kind, members in {MEMBERS}.items():
    for member in members:
        print(kind, member, hasattr(of[kind], member), member in vars(type(of[kind])))
"""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("guard", ["none", "namekeeper", "namekeeper-refusing"])
def test_names_and_members_are_out_of_reach(guard, way):
    lines = printed(outcome_under(guard, LOOK, way)).splitlines()
    assert len(lines) == len(NAMES) + sum(map(len, MEMBERS.values()))
    expected = "True True" if guard == "none" else "False False"  # none: the control
    assert [line for line in lines if not line.endswith(expected)] == []


@pytest.mark.parametrize("way", WAYS)
def test_an_import_brings_none(way):
    source = "import os, a.b\nimport sys as s\nprint(os, a, s, __import__('json'))\ntry:\n  from os import path\nexcept ImportError as e: print(e.name)"
    assert printed(outcome_under("namekeeper", source, way)) == "None None None None\nNone\n"


@pytest.mark.parametrize("way", WAYS)
def test_an_import_is_refused(way):
    source = "for name in 'os', 'nothing':\n  try: __import__(name)\n  except ImportError as e: print(e, e.name)\nimport json"
    stage = outcome_under("namekeeper-refusing", source, way)["stages"][-1]
    assert stage["stdout"]["text"] == "".join(f"import of '{n}' is not allowed {n}\n" for n in ("os", "nothing"))
    assert stage["exit_code"] == 1
    assert stage["stderr"]["text"].endswith("ImportError: import of 'json' is not allowed\n")


# Programs that need nothing of what a guard takes: they must not notice it.
PLAIN = {
    "values": {"source": "print(__name__, __file__, __doc__, __package__, __spec__, __annotations__, type(__loader__).__name__)"},
    "names": {"source": "print(sorted(globals()))"},
    "a document": {"source": "'''text'''\nprint(__doc__)"},
    "annotations": {"source": "x: int = 1\nprint(__annotations__, __builtins__.__name__)"},
    "no file of ours": {"source": "1", "artifacts": ["**"]},
    "exit code": {"source": "raise SystemExit(7)"},
    "exit text": {"source": "raise SystemExit('the end')"},
    "an error": {"source": "def f(n):\n    return 1 / n\n\n\nf(0)\n"},
    "an error in an error": {"source": "try:\n    {}['k']\nexcept KeyError as e:\n    raise ValueError('é') from e\n"},
    "a chain": {"source": "try:\n    {}['k']\nexcept KeyError:\n    1 / 0\n"},
    "a group": {"source": "raise ExceptionGroup('two', [ValueError(1), TypeError(2)])"},
    "an interrupt": {"source": "raise KeyboardInterrupt"},
    "no Python": {"source": "x = (\n"},
    "a coding": {"source": "# coding: latin-1\nprint(len('\xe9'))"},
    "a warning": {"source": "x = 1 is 1\nprint(x)"},
    "a future": {"source": "x: nothing = 1\nprint('not reached')"},
    "recursion": {"source": "def f(n): return f(n + 1)\ntry: f(0)\nexcept RecursionError as e: print(e)"},
    "a folder": {"path": "a/b/main.py", "source": "print(__file__)\n1/0"},
    "spaces": {"path": "my file.py", "source": "print(__file__)\n1/0"},
    "an end": {"source": "class D:\n  def __del__(self): print('gone')\nd = D()\nprint('end')"},
    "generators": {"source": "def g():\n  x = yield 1\n  yield x\ni = g()\nprint(next(i), i.send(2), list(map(str, range(3))))"},
    "classes": {"source": "class A:\n  x = property(lambda self: 1)\nclass B(A): pass\nprint(B().x, isinstance(B(), A), issubclass(bool, int), B.__mro__)"},
    "much output": {"source": "for i in range(3000): print(i)"},
    "closed stdout": {"source": "print.__self__.__loader__.load_module('sys').stdout.close()"},
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", PLAIN)
def test_a_program_that_needs_nothing_of_it_does_not_notice(name, way):
    program = dict(PLAIN[name])
    source = program.pop("source")
    (guarded, start), (free, _) = (one.plain(outcome_under(guard, source, way, **program)) for guard in ("namekeeper", "none"))
    assert start == way and guarded == free


DIFFERENT = {
    # Texts that the interpreter reads otherwise from a file than from memory.
    "a null byte": ("x = 1\0", ("ok", ""), ("runtime_error", "ValueError: source code string cannot contain null bytes\n")),
    "no such coding": (
        "# coding: nothing\n",
        ("runtime_error", "SyntaxError: encoding problem: nothing\n"),
        ("runtime_error", '  File "/box/main.py", line 0\nSyntaxError: unknown encoding: nothing\n'),
    ),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_differs_still_does(name):
    source, *expected = DIFFERENT[name]
    stages = [outcome_under(guard, source)["stages"][-1] for guard in ("none", "namekeeper")]
    assert [(stage["status"], stage["stderr"]["text"]) for stage in stages] == expected


def test_arguments_and_modules_are_the_programs():
    """Without the guard's own: a program that gets at sys sees what it would have seen."""
    source = "sys = print.__self__.__loader__.load_module('sys')\nprint(sys.argv, sys.orig_argv[-4:], sys.path[0], sys.modules['__main__'].__file__)"
    told = {
        (guard, way): printed(outcome_under(guard, source, way, args=["a", "-b", "c d"], path="d/main.py"))
        for guard in ("namekeeper", "none") for way in WAYS
    }  # fmt: skip
    assert len(set(told.values())) == 1, told
    assert "/box/d/main.py" in told["none", "cold"]


@pytest.mark.parametrize("way", WAYS)
def test_what_runs_at_the_end_is_guarded_too(way):
    source = """
class Last:
    def __del__(self, names=vars(__builtins__), function=lambda: 0):
        print("open" in names, "exec" in names, hasattr(function, "__code__"))
last = Last()
class Wrong(Exception):
    def __str__(self): return str("eval" in vars(__builtins__))
raise Wrong
"""
    stage = outcome_under("namekeeper", source, way)["stages"][-1]
    assert stage["stdout"]["text"].startswith("False False False"), stage
    assert "Wrong: False\n" in stage["stderr"]["text"]


def test_all_is_restored():
    """The class alone, as a session's driver has it: enter() and leave(), again and again."""
    script = f"""
import builtins, gc, json, types
scope = {{"__name__": "guard"}}
exec(compile(open({str(GUARD)!r}).read(), "guard", "exec"), scope)
def state():
    kinds = [types.FunctionType, types.FrameType, types.GeneratorType, type]
    return [dict(vars(builtins)), [dict(vars(kind)) for kind in kinds]]
def probe():
    def f(): yield
    return [f.__code__.co_name, f().gi_code.co_name, bool.__bases__, len(bool.__subclasses__()), eval("1")]
before, told, answers = state(), probe(), []
for how in ("namekeeper", "namekeeper-refusing") * 20:
    keeper = scope["NameKeeper"](how, globals())
    keeper.enter()
    keeper.enter()
    answers.append(hasattr(probe, "__code__") or "open" in vars(builtins) or builtins.__import__ is before[0]["__import__"])
    keeper.leave()
    keeper.leave()
    assert state() == before and probe() == told
print(json.dumps(answers))
"""
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) == [False] * 40


def test_the_files_name_is_taken(service):
    files = [{"path": "main.py", "content": "print(1)"}, {"path": ".belljar-guard.py", "content": "x"}]
    wanted = {"language": "python", "files": files, "entry": "main.py"}
    refused = service.call("POST", "/v1/runs?wait=1", {**wanted, "policy": "pysandbox"})
    assert (refused.status, refused.json["field"]) == (400, "files"), refused
    assert "is of Belljar's own" in refused.json["detail"]
    taken = service.call("POST", "/v1/runs?wait=1", wanted)
    assert printed(taken.json["outcome"]) == "1\n"


@pytest.mark.parametrize(("table", "words"), [
    ('why = "x"\npython = "much"', 'guard.python: must be "none", "namekeeper" or "namekeeper-refusing"'),
    ('why = "x"\npython = 1', "guard.python"),
    ('why = "x"\nruby = "namekeeper"', "guard.ruby: unknown key; there are why, python"),
    ('python = "namekeeper"', "guard: differs from the default and must say why"),
])  # fmt: skip
def test_a_policy_that_is_wrong_says_where(tmp_path, table, words):
    path = tmp_path / "policy.toml"
    path.write_text(f'name = "p"\nwhy = "w"\n[guard]\n{table}\n')
    (tmp_path / "main.py").write_text("1")
    argv = [command.binary(), "run", "--policy", str(path), str(tmp_path / "main.py")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=command.environment(), check=False)
    assert done.returncode != 0 and words in re.sub(r" \(line \d+\)", "", done.stderr)


def test_other_languages_have_no_guard(service):
    wanted = {"language": "bash", "source": "echo $((6 * 7))", "policy": "pysandbox"}
    assert printed(service.call("POST", "/v1/runs?wait=1", wanted).json["outcome"]) == "42\n"


def test_a_file_that_is_bytecode(tmp_path):
    """What the executor reads: with a guard and without, and what is no code object is said."""
    path = tmp_path / "main.marshal"
    for source, data, code, words in [
        ("print(1, __name__, '__file__' in globals())", None, 0, "1 __main__ False\n"),
        ("1/0", None, 1, ""),
        ("", b"\xff\xfe", 65, ""),
        ("", marshal.dumps(42), 65, ""),
    ]:
        path.write_bytes(data or marshal.dumps(compile(source, "<pysandbox>", "exec")))
        for policy in ("default", "pysandbox"):
            argv = [command.binary(), "run", "--json", "--language", "python", "--policy", policy, str(path)]
            done = subprocess.run(argv, capture_output=True, timeout=60, env=command.environment(), check=False)
            stage = json.loads(done.stdout)["stages"][-1]
            assert (stage["exit_code"], stage["stdout"]["text"]) == (code, words), stage
