"""Bad usage: exit code 2, and a message that names what is wrong."""

import os
from subprocess import DEVNULL

import pytest

from shell import belljar, start

WRONG = [
    (["run"], b"operand is missing"),
    (["run", "--nonsense", "x.py"], b"'--nonsense'"),
    (["run", "--limit"], b"--limit needs a value"),
    (["run", "--limit", "wall", "x.py"], b"--limit"),
    (["run", "--limit", "wall=soon", "x.py"], b"--limit: limit wall"),
    (["run", "--limit", "wall=0", "x.py"], b"--limit: limit wall"),
    (["run", "--limit", "speed=1", "x.py"], b"speed"),
    (["run", "--limit", "wall=1", "--limit", "wall=2", "x.py"], b"wall"),
    (["run", "--json=1", "x.py"], b"--json takes no value"),
    (["run", "--policy", "a", "--policy", "b", "x.py"], b"--policy was given twice"),
    (["run", "--policy", "nonsense", "x.py"], b"'nonsense'"),
    (["run", "--policy", "./gone.toml", "x.py"], b"gone.toml"),
    (["run", "--policy", "wrong.toml", "x.py"], b"wrong.toml"),
    (["run", "--require", "moat", "x.py"], b"moat"),
    (["run", "--env", "NAME", "x.py"], b"--env"),
    (["run", "--stdin", "gone.txt", "x.py"], b"gone.txt"),
    (["run", "--file", "gone.txt", "x.py"], b"gone.txt"),
    (["run", "--file", "x.py", "x.py"], b"x.py"),
    (["run", "--file", "x.py=../y", "x.py"], b"../y"),
    (["run", "--tests", "gone", "x.py"], b"gone"),
    (["run", "--tests", ".", "--stdin", "x.py", "x.py"], b"--tests and --stdin"),
    (["run", "--exact", "x.py"], b"--exact needs --tests"),
    (["run", "--tty", "x.py"], b"--tty needs a terminal"),
    (["run", "--entry", "gone.py", "x.py"], b"gone.py"),
    (["run", "gone.py"], b"gone.py"),
    (["run", "x.unknown"], b".unknown"),
    (["run", "--language", "klingon", "x.py"], b"klingon"),
    (["run", "-"], b"--language"),
    (["run", "--runtimes", "gone", "x.py"], b"gone"),
    (["languages", "python"], b"'python'"),
    (["policies", "nonsense"], b"'nonsense'"),
    (["completion", "tcsh"], b"'tcsh'"),
    (["help", "nonsense"], b"'nonsense'"),
    (["nonsense"], b"'nonsense'"),
    (["--nonsense"], b"'--nonsense'"),
]  # fmt: skip


@pytest.mark.parametrize("words, said", WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_wrong_usage(folder, words, said):
    for name in ("x.py", "x.unknown"):
        (folder / name).write_text("print('ran')")
    (folder / "wrong.toml").write_text("nonsense = 1\n")
    done = belljar(*words)
    assert (done.code, done.out) == (2, b""), done
    assert said in done.err and done.err.startswith(b"belljar: "), done
    assert done.err.count(b"\n") == 1


@pytest.mark.catalogue("T182")
def test_hostile_words_are_shown_as_text(folder):
    for words in (["\x1b[2J"], ["run", "--\x1b]0;x\x07"], ["run", "\x1b[31m\n.py"],
                  ["run", "--language", "\u202e", "-"]):  # fmt: skip
        done = belljar(*words)
        assert done.code == 2
        assert b"\x1b" not in done.err and "\u202e".encode() not in done.err
        assert done.err.count(b"\n") == 1


def test_help_of_everything():
    overview = belljar("help")
    assert overview.code == 0
    assert belljar().out == belljar("--help").out == belljar("-h").out == overview.out
    for command in ("run", "languages", "policies", "doctor", "completion", "man", "help"):
        assert f"  {command} ".encode() in overview.out
        shown = belljar("help", command)
        assert shown.code == 0 and shown.out.startswith(f"Usage: belljar {command}".encode())
        assert belljar(command, "--help").out == shown.out == belljar(command, "-h").out


def test_version():
    done = belljar("--version")
    assert done.code == 0
    assert done.out.startswith(b"belljar ") and done.out.count(b".") >= 1


def test_a_reader_that_goes_away_is_no_error():
    for words in (["help"], ["languages"], ["man"], ["completion", "bash"]):
        read, write = os.pipe()
        os.close(read)
        with start(*words, stdin=DEVNULL, stdout=write) as child:
            os.close(write)
            assert child.wait() == 141
            assert child.stderr.read() == b""


def test_output_that_cannot_be_written_is_an_error(folder):
    (folder / "x.py").write_text("print('x')")
    for words in (["help"], ["languages"], ["man"], ["run", "x.py"], ["run", "--json", "x.py"]):
        with open("/dev/full", "wb") as full, start(*words, stdin=DEVNULL, stdout=full) as child:
            said = child.stderr.read()
            assert child.wait() == 125, (words, said)
            assert b"No space left" in said
