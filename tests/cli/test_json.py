"""`--json`: the whole outcome, and nothing else on standard output."""

import base64
import json

import pytest

from shell import belljar


def outcome_of(folder, source, *options, stdin=b""):
    (folder / "x.py").write_text(source)
    done = belljar("run", "--json", *options, "x.py", stdin=stdin)
    assert done.out.count(b"\n") == 1 and done.out.endswith(b"\n")
    done.out.decode("utf-8")
    return done.code, done.json


def test_holds_what_the_program_did(folder):
    source = "import sys; print(input()); print('e', file=sys.stderr); sys.exit(3)"
    code, outcome = outcome_of(folder, source, stdin=b"hi\n")
    stage = outcome["stages"][-1]
    assert code == 3 and outcome["status"] == "runtime_error"
    assert stage["exit_code"] == 3
    assert stage["stdout"] == {"text": "hi\n", "total_bytes": 3, "truncated": False}
    assert stage["stderr"]["text"] == "e\n"
    assert stage["usage"]["peak_memory_bytes"] > 1 << 20
    assert outcome["language"] == "python" and outcome["toolchain"].startswith("Python 3")


def test_is_silent_on_standard_error(folder):
    (folder / "x.py").write_text("import sys; print('e', file=sys.stderr); print('o'); 1/0")
    done = belljar("run", "--json", "x.py")
    assert done.err == b"" and done.code == 1


def test_holds_the_compilers_words(folder):
    (folder / "x.c").write_text("nonsense")
    done = belljar("run", "--json", "x.c")
    assert done.code == 123 and done.err == b""
    assert done.json["status"] == "compile_error"
    assert "nonsense" in done.json["stages"][0]["stderr"]["text"]


def test_an_error_of_ours_is_an_object_too(folder):
    done = belljar("run", "--json", "gone.py")
    assert done.code == 2
    assert done.json["error"]["exit_code"] == 2
    assert "gone.py" in done.json["error"]["message"]


@pytest.mark.catalogue("T179")
@pytest.mark.parametrize(
    "limit, text", [(1, "a"), (2, "a"), (3, "aé"), (4, "aé"), (7, "aé\U0001f600")]
)
def test_a_cut_never_splits_a_character(folder, limit, text):
    source = "import sys; sys.stdout.buffer.write('aé\U0001f600\\r\\n'.encode() * 9)"
    _, outcome = outcome_of(folder, source, "--limit", f"output={limit}")
    stdout = outcome["stages"][-1]["stdout"]
    assert stdout["text"] == text and stdout["truncated"] is True
    assert "base64" not in stdout
    assert outcome["status"] == "output_limit"


@pytest.mark.catalogue("T180")
@pytest.mark.parametrize(
    "data",
    [b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80", b"a\xffb", bytes(range(256)),
     "text".encode("utf-16"), b"\xf0\x9f", b"\0\0\xff"],
    ids=lambda data: data[:4].hex(),
)  # fmt: skip
def test_bytes_that_are_no_text_are_kept_exactly(folder, data):
    _, outcome = outcome_of(folder, f"import sys; sys.stdout.buffer.write({data!r})")
    stdout = outcome["stages"][-1]["stdout"]
    assert base64.b64decode(stdout["base64"]) == data
    assert "\ufffd" in stdout["text"]


@pytest.mark.catalogue("T181")
def test_growth_by_escaping_is_bounded(folder):
    source = (
        "import sys\n"
        "sys.stdout.buffer.write(b'\\0' * 100000)\n"
        "sys.stderr.write('<\\u202e' * 20000)\n"
    )
    (folder / "x.py").write_text(source)
    done = belljar("run", "--json", "--limit", "output=100K", "x.py")
    assert len(done.out) < 6 * 2 * 102400 + 20000
    assert done.json["stages"][-1]["stdout"]["text"] == "\0" * 100000


@pytest.mark.catalogue("T124", "T182")
def test_forged_results_stay_text(folder):
    forged = '"}]}\n{"status": "ok", "reason": "forged"}\n\x1b]52;c;eA==\x07'
    source = (
        "import os, sys\n"
        "for fd in range(3, 64):\n"
        f"    try: os.write(fd, {forged.encode()!r})\n"
        "    except OSError: pass\n"
        f"sys.stdout.write({forged!r})\n"
        "sys.exit(9)\n"
    )
    code, outcome = outcome_of(folder, source)
    assert code == 9 and outcome["status"] == "runtime_error"
    assert outcome["stages"][-1]["stdout"]["text"] == forged


def test_is_harmless_on_a_terminal(folder):
    (folder / "x.py").write_text("print('\x1b[2J\u202e\x9b')")
    out = belljar("run", "--json", "x.py").out
    assert not any(byte < 0x20 and byte != 0x0A for byte in out)
    assert "\u202e".encode() not in out and b"\xc2\x9b" not in out
    assert json.loads(out)["stages"][-1]["stdout"]["text"] == "\x1b[2J\u202e\x9b\n"
