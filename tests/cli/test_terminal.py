"""What a person at a terminal sees, types and gets back: class J with a terminal."""

import os
import signal

import pytest

from shell import Terminal, belljar, run_on_terminal, start
from support import census
from support.command import binary

SEQUENCES = {
    "csi": b"\x1b[2J\x1b[31m", "osc title": b"\x1b]0;owned\x07", "osc open": b"\x1b]52;c;eA==",
    "osc 8 link": b"\x1b]8;;http://x\x1b\\x", "dcs": b"\x1bP+q\x1b\\", "apc": b"\x1b_x\x1b\\",
    "pm": b"\x1b^x\x1b\\", "sos": b"\x1bXx\x1b\\", "reset": b"\x1bc", "query": b"\x1b[c\x1b[6n",
    "c1 bytes": b"\x9b31m\x90x\x9c\x9d0;x\x9c", "c1 in utf-8": b"\xc2\x9b31m\xc2\x9d0;x\xc2\x9c",
    "backspace": b"abc\x08\x08\x08xyz", "bell": b"\x07", "shift out": b"\x0e", "null": b"\x00",
    "bidi": "\u202eabc\u2066".encode(), "zero width": "a\u200bb\ufeff".encode(),
    "tags": "\U000e0041".encode(), "overwrite": b"password:\rpasswd", "delete": b"\x7f",
    "vertical": b"\x0b\x0c",
}  # fmt: skip
# What may reach a terminal below space: line ends and tabs. The terminal makes \n into \r\n itself.
CONTROLS = set(range(0x20)) - {0x0A, 0x09} | {0x7F} | set(range(0x80, 0xA0))
INVISIBLE = "\u202e\u2066\u200b\ufeff\U000e0041"


def harmless(shown):
    text = shown.replace(b"\r\n", b"\n").decode()  # decodes: no stray byte has come through
    return not any(ord(c) in CONTROLS or c in INVISIBLE for c in text)


@pytest.fixture
def emitter(folder):
    def write(data, stream="stdout"):
        (folder / "x.py").write_text(f"import sys; sys.{stream}.buffer.write({data!r})")
        return "x.py"

    return write


@pytest.mark.catalogue("T182", "T183")
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("data", SEQUENCES.values(), ids=SEQUENCES.keys())
def test_sequences_are_shown_and_not_obeyed(emitter, data, stream):
    code, shown = run_on_terminal("run", emitter(b"<" + data + b">\n", stream))
    assert code == 0
    assert harmless(shown), shown
    assert shown.startswith(b"<") and shown.endswith(b">\r\n")
    assert b"\\" in shown


@pytest.mark.catalogue("T188")
def test_a_sequence_in_pieces_is_shown_too(folder):
    whole = b"<\x1b]0;\xc2\x9b\xe2\x80\xae\x07\xf3\xa0\x81\x81>\n"
    source = "import os\nfor byte in {!r}: os.write(1, bytes([byte]))\n"
    (folder / "x.py").write_text(source.format(whole))
    code, shown = run_on_terminal("run", "x.py")
    assert code == 0
    assert shown == rb"<\x1b]0;\u009b\u202e\x07\U000e0041>" + b"\r\n"


@pytest.mark.catalogue("T183")
def test_a_flood_of_combining_marks_is_shown(folder):
    (folder / "x.py").write_text("print('a' + '\\u0301' * 200000 + '\\t' * 1000)")
    code, shown = run_on_terminal("run", "x.py")
    assert code == 0 and len(shown) >= 400000


@pytest.mark.catalogue("T182")
def test_raw_is_what_it_says(emitter):
    data = b"\x1b[31mred\x1b[0m\x9b\n"
    code, shown = run_on_terminal("run", "--raw", emitter(data))
    assert (code, shown) == (0, data.replace(b"\n", b"\r\n"))


@pytest.mark.catalogue("T182")
def test_a_pipe_gets_the_bytes_as_they_are(emitter):
    data = b"\x1b[31mred\x1b[0m\x9b\r\n"
    assert belljar("run", emitter(data)).out == data


@pytest.mark.catalogue("T182")
def test_a_compilers_words_are_shown_harmlessly(folder):
    (folder / "x.c").write_bytes(b'#error "\x1b]0;owned\x07\xc2\x9b"\n')
    code, shown = run_on_terminal("run", "x.c")
    assert code == 123
    assert b"\x1b]" not in shown and b"\xc2\x9b" not in shown


def test_messages_are_coloured_on_a_terminal_only(folder):
    (folder / "x.py").write_text("import os; os.kill(os.getpid(), 11)")
    code, shown = run_on_terminal("run", "x.py")
    assert code == 139 and b"\x1b[1;31mbelljar:\x1b[0m signalled" in shown
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        _, shown = run_on_terminal("run", "x.py", env=env)
        assert b"\x1b" not in shown and b"belljar: signalled" in shown
    assert b"\x1b" not in belljar("run", "x.py").err


def test_a_message_begins_a_line_of_its_own(folder):
    (folder / "x.py").write_text("import os; os.write(1, b'no line end'); os.abort()")
    code, shown = run_on_terminal("run", "x.py", env={"NO_COLOR": "1"})
    assert code == 134
    assert b"no line end\r\nbelljar: signalled" in shown


def test_a_hint_for_an_option_that_came_too_late(folder):
    (folder / "x.py").write_text("")
    _, shown = run_on_terminal("run", "x.py", "--json", env={"NO_COLOR": "1"})
    assert b"'--json' goes to the program" in shown
    for words in (("run", "x.py", "--", "--json"), ("run", "--quiet", "x.py", "--json")):
        assert run_on_terminal(*words)[1] == b""


def test_typed_lines_reach_the_program(folder):
    (folder / "x.py").write_text(
        "import sys\n"
        "for line in sys.stdin: print('got', line.strip(), sys.stdin.isatty(), flush=True)\n"
    )
    with Terminal("run", "--limit", "wall=50s", "x.py") as terminal:
        terminal.type(b"one\n")
        terminal.expect(rb"got one False")
        terminal.type(b"two\n\x04")
        assert terminal.wait() == 0
        assert b"got two False" in terminal.shown


def test_tty_gives_a_terminal_of_its_own(folder):
    (folder / "x.py").write_text(
        "import os, sys\n"
        "print([os.isatty(fd) for fd in range(3)], os.get_terminal_size())\n"
        "print('hello', input('name? '))\n"
        "try: print(os.ttyname(0))\n"
        "except OSError: print('no name')\n"
    )
    with Terminal("run", "--tty", "--limit", "wall=50s", "x.py", columns=97, rows=31) as terminal:
        outside = os.ttyname(terminal.slave).encode()
        terminal.expect(rb"name\? ")
        terminal.type(b"you\r")
        assert terminal.wait() == 0
        assert b"[True, True, True] os.terminal_size(columns=97, lines=31)" in terminal.shown
        assert b"hello you" in terminal.shown
        assert outside not in terminal.shown
        assert terminal.settings() == terminal.before


def test_tty_follows_the_window(folder):
    (folder / "x.py").write_text(
        "import os, signal\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGWINCH})\n"
        "print('ready', flush=True)\n"
        "signal.sigwait({signal.SIGWINCH})\n"
        "print('now', os.get_terminal_size().columns)\n"
    )
    with Terminal("run", "--tty", "--limit", "wall=50s", "x.py") as terminal:
        terminal.expect(rb"ready")
        terminal.resize(123, 40)
        assert terminal.wait() == 0
        assert b"now 123" in terminal.shown


def test_tty_hands_control_keys_to_the_program(folder):
    (folder / "x.py").write_text(
        "import time\n"
        "try:\n    print('ready', flush=True); time.sleep(50)\n"
        "except KeyboardInterrupt: print('caught'); raise SystemExit(6)\n"
    )
    with Terminal("run", "--tty", "--limit", "wall=50s", "x.py") as terminal:
        terminal.expect(rb"ready")
        terminal.interrupt()
        assert terminal.wait() == 6
        assert b"caught" in terminal.shown


@pytest.mark.catalogue("T182")
def test_tty_alone_is_not_raw(folder):
    (folder / "x.py").write_text("print('<\\x1b[31m\\x9b>')")
    code, shown = run_on_terminal("run", "--tty", "x.py")
    assert code == 0 and b"<\\x1b[31m" in shown and b"\x1b" not in shown
    code, shown = run_on_terminal("run", "--tty", "--raw", "x.py")
    assert code == 0 and b"<\x1b[31m" in shown


@pytest.mark.parametrize("ending", ["import os; os.abort()", "while True: pass"])
def test_the_terminal_is_given_back_however_the_run_ends(folder, ending):
    (folder / "x.py").write_text(f"import tty; tty.setraw(0); print('x', flush=True)\n{ending}\n")
    with Terminal("run", "--tty", "--limit", "cpu=300ms", "x.py") as terminal:
        assert terminal.wait() in (134, 124)
        assert terminal.settings() == terminal.before


def test_the_terminal_is_given_back_after_a_signal(folder):
    (folder / "x.py").write_text("import time; print('ready', flush=True); time.sleep(50)")
    with Terminal("run", "--tty", "--limit", "wall=50s", "x.py") as terminal:
        terminal.expect(rb"ready")
        terminal.child.send_signal(signal.SIGTERM)
        assert terminal.wait() == 143
        assert terminal.settings() == terminal.before


def test_an_interrupt_cancels_and_leaves_nothing(folder):
    (folder / "x.py").write_text("import time; print('ready', flush=True); time.sleep(50)")
    census.adopt_orphans()
    # Not /tmp, where every other program of this host makes files too.
    roots = census.Roots(places=("/dev/shm", "/dev/mqueue"))
    before = census.take(roots)
    with Terminal("run", "--limit", "wall=50s", "x.py", env={"NO_COLOR": "1"}) as terminal:
        terminal.expect(rb"ready")
        terminal.interrupt()
        assert terminal.wait() == 130
        assert b"belljar: cancelled" in terminal.shown
    assert not census.left_behind(before, roots)


@pytest.mark.parametrize(
    "number, code",
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGQUIT, 131)],
)
def test_a_signal_cancels(folder, number, code):
    (folder / "x.py").write_text("import time; print('ready', flush=True); time.sleep(50)")
    with start("run", "--limit", "wall=50s", "x.py") as child:
        assert child.stdout.readline() == b"ready\n"
        child.send_signal(number)
        assert child.wait() == code
        assert b"belljar: cancelled" in child.stderr.read()


def test_a_signal_ends_the_waiting_for_a_slow_reader(folder):
    (folder / "x.py").write_text("import os, time\nos.write(1, b'x' * 500000)\ntime.sleep(50)")
    with start("run", "--limit", "wall=50s", "x.py") as child:
        assert os.read(child.stdout.fileno(), 1) == b"x"  # the pipe behind it stays full
        child.send_signal(signal.SIGTERM)
        assert child.wait() == 143
        assert b"belljar: cancelled" in child.stderr.read()


def test_in_the_background_it_does_not_stop(folder):
    """Reading a terminal on which another job is in front would stop the job."""
    (folder / "x.py").write_text("print('ran')")
    script = f"set -m; {binary()} run x.py & wait $!; echo code $?"
    with Terminal(command=["bash", "-c", script]) as terminal:
        assert terminal.wait() == 0
        assert b"ran\r\n" in terminal.shown and b"code 0" in terminal.shown
