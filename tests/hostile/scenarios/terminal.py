"""Scenarios of class J: what the command line writes where a person or a script reads."""

import base64
import errno
import fcntl
import os
import pty
import re
import select
import subprocess
import termios
import time
import tty

from hostile import oracle
from hostile.scenarios import scenario
from hostile.scenarios.resources import run_in
from support import command
from support.command import Wanted

# Whatever makes a terminal act: C0 but newline, carriage return and tab, DEL, and C1 as UTF-8.
DRIVES = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]")
INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]"
)
RESET_COLOURS = re.compile(rb"\x1b\[[0-9;]*m|\x1b\[K")

NASTY = {
    "csi": b"\x1b[2J\x1b[31m",
    "title": b"\x1b]0;owned\x07",
    "clipboard": b"\x1b]52;c;ZXZpbA==\x07",
    "link": b"\x1b]8;;http://evil\x1b\\x\x1b]8;;\x1b\\",
    "report": b"\x1b[21t\x1b[c\x1b[6n",
    "reset": b"\x1bc",
    "unterminated": b"\x1b]0;never ends",
    "dcs": b"\x1bP$q q\x1b\\",
    "apc": b"\x1b_x\x1b\\\x1b^y\x1b\\\x1bXz\x1b\\",
    "c1": b"\x9b31m\x9d0;t\x9c",
    "bell": b"\x07\x08\x7f\x00",
    "c1 as utf-8": b"\xc2\x9b31m\xc2\x9d0;t\xc2\x9c",
    "carriage": b"safe\rEVIL",
    "vertical": b"\x0b\x0c\x0e\x0f",
}
HIDDEN = {
    "bidi": "\u202egnp.exe\u202c",
    "isolate": "\u2066x\u2069",
    "zero width": "a\u200bb\u200dc\ufeffd",
    "tags": "\U000e0041\U000e0042",
    "soft hyphen": "a\u00adb",
    "separator": "a\u2028b",
}


def on_terminal(words, folder, *, keys=b"", patience=60):
    """Runs a command with a pseudo-terminal as all of its streams; the bytes that reached it."""
    leader, follower = pty.openpty()
    tty.setraw(follower, termios.TCSANOW)
    child = subprocess.Popen(
        words,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        cwd=folder,
        start_new_session=True,
        env=command.environment(),
    )
    os.close(follower)
    if keys:
        os.write(leader, keys)
    shown, deadline = b"", time.monotonic() + patience
    try:
        while time.monotonic() < deadline:
            if not select.select([leader], [], [], 0.2)[0]:
                if child.poll() is not None:
                    break
                continue
            try:
                data = os.read(leader, 65536)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                break
            if not data:
                break
            shown += data
        child.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        raise
    finally:
        os.close(leader)
    return shown, child.returncode


def _shown(folder, name, wanted, **keywords):
    place = folder / name.replace(" ", "-")
    place.mkdir()
    return on_terminal(command.as_user(wanted.argv(place, json_wanted=False)), place, **keywords)


def _hex(data):
    return data.hex()


@scenario("write_bytes.py")
def sequences_are_shown_not_obeyed(bench, folder):
    problems = []
    for name, data in NASTY.items():
        shown, _ = _shown(folder, name, Wanted("write_bytes.py", args=[_hex(data)]))
        # Belljar's own colours are allowed where they are whole; the program's are not.
        for match in DRIVES.findall(RESET_COLOURS.sub(b"", shown)):
            problems.append(f"{name}: {match!r} reached the terminal in {shown!r}")
        if name == "csi" and b"\x1b[31m" in shown:
            problems.append(f"csi: the program's colour reached the terminal: {shown!r}")
        if name == "carriage" and b"\rEVIL" in shown:
            problems.append(f"carriage: the line was overwritten: {shown!r}")
        if not shown.strip():
            problems.append(f"{name}: nothing was shown at all")
    return problems


@scenario("write_bytes.py")
def hidden_characters_are_shown(bench, folder):
    problems = []
    for name, text in HIDDEN.items():
        shown, _ = _shown(folder, name, Wanted("write_bytes.py", args=[_hex(text.encode())]))
        if INVISIBLE.search(shown.decode(errors="replace")):
            problems.append(f"{name}: stays hidden in {shown!r}")
        if b"\\u" not in shown and b"\\U" not in shown:
            problems.append(f"{name}: is not shown in {shown!r}")
    combining = Wanted("write_bytes.py", args=["61", "cc80x200000", "0a"])
    shown, code = _shown(folder, "combining", combining)
    if code != 0 or len(shown) < 400000:
        problems.append(f"200000 combining marks: exit code {code}, {len(shown)} bytes")
    return problems


@scenario("write_bytes.py")
def sequences_split_anywhere_are_shown(bench, folder):
    """A byte at a time, as the sanitiser of a stream has to take them."""
    problems = []
    for name in ("csi", "c1 as utf-8", "title"):
        words = [f"{byte:02x}" for byte in NASTY[name]]
        shown, _ = _shown(folder, name, Wanted("write_bytes.py", args=words))
        if DRIVES.search(RESET_COLOURS.sub(b"", shown)) or b"\x1b[31m" in shown:
            problems.append(f"{name}: {shown!r}")
    return problems


@scenario("write_bytes.py")
def raw_is_raw(bench, folder):
    """The control: who asks for raw bytes gets them, and so does a pipe."""
    problems = []
    data = NASTY["csi"]
    asked = Wanted("write_bytes.py", args=[_hex(data)], options=["--raw"])
    shown, _ = _shown(folder, "asked", asked)
    if data not in shown:
        problems.append(f"--raw on a terminal: {shown!r}")
    run = run_in(folder, "pipe", Wanted("write_bytes.py", args=[_hex(data)]), json_wanted=False)
    if run.out != data:
        problems.append(f"into a file: {run.out!r}")
    return problems


@scenario("controls_in_diagnostics.c", "odd_outputs.py")
def messages_are_sanitised_too(bench, folder):
    """What a compiler says, and names of files in messages of Belljar's own."""
    problems = []
    shown, code = _shown(folder, "diagnostics", Wanted("controls_in_diagnostics.c"))
    problems += [
        f"diagnostics: {match!r}" for match in DRIVES.findall(RESET_COLOURS.sub(b"", shown))
    ]
    if code != 123 or b"#error" not in shown:
        problems.append(f"diagnostics: exit code {code}: {shown!r}")
    wanted = Wanted("odd_outputs.py", artifacts=["**"], options=["--stats"])
    shown, _ = _shown(folder, "artifacts", wanted)
    problems += [f"artifacts: {match!r}" for match in DRIVES.findall(RESET_COLOURS.sub(b"", shown))]
    for word in ("\x1b[31mno-such-file.py", "no\nsuch.py", "\u202eno.py"):
        place = folder / f"absent-{len(word)}-{word[1:2].isalpha()}"
        place.mkdir()
        shown, code = on_terminal(command.as_user([command.binary(), "run", word]), place)
        if code != 2 or b"\x1b[31mno" in shown or "\u202e".encode() in shown:
            problems.append(f"a name that is not there: exit code {code}: {shown!r}")
    return problems


@scenario("write_bytes.py")
def invalid_utf8_is_kept_exactly(bench, folder):
    problems = []
    samples = {
        "overlong": b"\xc0\xaf\xe0\x80\xaf",
        "surrogate": b"\xed\xa0\x80\xed\xb0\x80",
        "beyond": b"\xf4\x90\x80\x80",
        "lone": b"\x80\xbf",
        "start": b"\xe2\x82",
        "nul": b"a\x00b",
        "utf-16": "häh".encode("utf-16"),
        "all": bytes(range(256)),
        "valid": "häh €😀".encode(),
    }
    for name, data in samples.items():
        run = run_in(folder, name, Wanted("write_bytes.py", args=[_hex(data)]))
        problems += oracle.check_always(run, bench.canaries.token, bench.least_peak)
        if run.outcome is None:
            problems.append(f"{name}: no outcome")
            continue
        stream = run.stage["stdout"]
        try:
            valid = data.decode() == stream["text"] and "base64" not in stream
        except UnicodeDecodeError:
            valid = base64.b64decode(stream.get("base64", "")) == data
            valid = valid and stream["text"] == data.decode(errors="replace")
        if not valid or stream["total_bytes"] != len(data) or stream["truncated"]:
            problems.append(f"{name}: {stream}")
    return problems


@scenario("write_bytes.py")
def cuts_fall_between_characters(bench, folder):
    """The limit falls into a character, an escape sequence and a line end: each cut is clean."""
    problems = []
    samples = {"euro": "€" * 40, "emoji": "😀" * 30, "escape": "\x1b[31m" * 24, "crlf": "x\r\n" * 40}
    for name, text in samples.items():
        for limit in (100, 101, 102, 103):
            wanted = Wanted("write_bytes.py", args=[_hex(text.encode())], limits=f"output={limit}")
            run = run_in(folder, f"{name}-{limit}", wanted)
            stream = run.stage.get("stdout", {})
            kept = stream.get("text", "")
            clean = text.startswith(kept) and limit - 4 < len(kept.encode()) <= limit
            if run.outcome is None or not clean or not stream["truncated"] or "base64" in stream:
                problems.append(f"{name} at {limit}: {stream or run.describe()}")
            elif stream["total_bytes"] < limit:
                problems.append(f"{name} at {limit}: {stream['total_bytes']} bytes in all")
    return problems


@scenario("write_bytes.py")
def escapes_do_not_multiply_without_bound(bench, folder):
    """A megabyte of a byte that JSON writes in six."""
    wanted = Wanted("write_bytes.py", args=["01x1000000"], limits="output=1M")
    run = command.run(wanted, folder)
    problems = oracle.check_expect(run, {"status": "ok"})
    problems += oracle.check_always(run, bench.canaries.token, bench.least_peak)
    if len(run.out) > 6_100_000 or run.text() != "\x01" * 1_000_000:
        problems.append(f"{len(run.out)} bytes of JSON for a million")
    return problems


@scenario("stream_tricks.c")
def streams_of_the_caller_stay_as_they_were(bench, folder):
    """Flags and sizes that the program sets are its own, not those of Belljar's caller."""
    ends = os.pipe()
    given = os.pipe()
    try:
        before = [fcntl.fcntl(fd, fcntl.F_GETFL) for fd in (ends[1], given[0])]
        sizes = [fcntl.fcntl(fd, 1032) for fd in (ends[1], given[0])]  # F_GETPIPE_SZ
        argv = Wanted("stream_tricks.c").argv(folder, json_wanted=False)
        child = subprocess.Popen(
            command.as_user(argv),
            stdin=given[0],
            stdout=ends[1],
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=command.environment(),
        )
        data = b""
        os.set_blocking(ends[0], False)
        while child.poll() is None or select.select([ends[0]], [], [], 0)[0]:
            if select.select([ends[0]], [], [], 0.05)[0]:
                data += os.read(ends[0], 65536)
        after = [fcntl.fcntl(fd, fcntl.F_GETFL) for fd in (ends[1], given[0])]
        sizes_after = [fcntl.fcntl(fd, 1032) for fd in (ends[1], given[0])]
    finally:
        for fd in (*ends, *given):
            os.close(fd)
    problems = []
    if before != after or sizes != sizes_after:
        problems.append(f"flags {before} became {after}, sizes {sizes} became {sizes_after}")
    if data.count(b"z") != 100_000:
        problems.append(f"{data.count(b'z')} of 100000 bytes came through")
    return problems


@scenario("terminals.c")
def a_terminal_can_be_taken_outside(bench, folder):
    """The control of the terminal case: outside a cell there is a ptmx to open."""
    from support import bare

    done = bare.run("terminals.c", folder)
    return [] if "attempt ptmx: ok" in done.out else [done.describe()]


@scenario("read_stdin.py", "ioctls.c")
def a_terminal_of_its_own(bench, folder):
    """With --tty the program's terminal is the cell's: what it types there, nobody else reads."""
    wanted = Wanted("ioctls.c", options=["--tty"])
    shown, code = _shown(folder, "tty", wanted, keys=b"")
    problems = []
    if b"attempt TIOCSTI: ENOTTY" not in shown.replace(b"\r", b""):
        problems.append(f"TIOCSTI with a terminal: {shown!r}")
    if code != 0:
        problems.append(f"exit code {code}")
    return problems
