"""Floods, deadlocks and tricks with the standard streams: class J without a terminal."""

import fcntl
import os

import pytest

from shell import belljar, start
from support.command import MemoryWatch

F_GETPIPE_SZ = 1032


def run(folder, source, *options, stdin=b""):
    (folder / "x.py").write_text(source)
    return belljar("run", *options, "x.py", stdin=stdin)


@pytest.mark.catalogue("T176")
@pytest.mark.parametrize("streams", ["1", "2", "12"])
def test_a_flood_is_cut_and_ended(folder, streams):
    write = "; ".join(f"os.write({fd}, data)" for fd in streams)
    (folder / "x.py").write_text(f"import os; data = b'y\\n' * 32768\nwhile True: {write}")
    with start("run", "--limit", "output=1M,wall=30s", "x.py") as child:
        watch = MemoryWatch(child.pid)
        watch.start()
        out, err = child.communicate()
        peak = watch.finish()
    assert child.returncode == 120
    assert len(out) <= 1 << 20 and len(err) <= (1 << 20) + 1000
    assert max(len(out), len(err)) >= 1 << 20
    assert peak < 64 << 20


@pytest.mark.catalogue("T176")
def test_a_drained_flood_is_counted(folder):
    (folder / "p.toml").write_text('why = "a test"\n[output]\nwhy = "a test"\non_limit = "drain"\n')
    (folder / "x.py").write_text("import os\nfor _ in range(1000): os.write(1, b'x' * 10000)")
    done = belljar("run", "--json", "--policy", "p.toml", "--limit", "output=1K", "x.py")
    stdout = done.json["stages"][-1]["stdout"]
    assert done.json["status"] == "ok"
    assert (stdout["total_bytes"], len(stdout["text"]), stdout["truncated"]) == (
        10**7,
        1024,
        True,
    )


@pytest.mark.catalogue("T177")
def test_single_bytes_and_no_line_ends(folder):
    source = "import os\nfor _ in range(50000): os.write(1, b'x')"
    assert run(folder, source).out == b"x" * 50000


@pytest.mark.catalogue("T178")
def test_input_that_nobody_reads_blocks_nothing(folder):
    assert run(folder, "print('done')", stdin=b"x" * (8 << 20)).out == b"done\n"
    done = run(folder, "import os; os.close(0); print('done')",
               stdin=b"x" * (8 << 20))  # fmt: skip
    assert (done.code, done.out) == (0, b"done\n")


@pytest.mark.catalogue("T178")
def test_output_that_waits_for_input_is_no_deadlock(folder):
    source = "import sys\nfor line in sys.stdin: sys.stdout.write(line)"
    data = b"x" * 99 + b"\n"
    done = run(folder, source, stdin=data * 9000)
    assert done.out == data * 9000


@pytest.mark.catalogue("T178")
def test_input_that_never_ends_is_bounded_by_the_wall_clock(folder):
    (folder / "x.py").write_text("import sys; sys.stdin.read()")
    read, held = os.pipe()
    with start("run", "--limit", "wall=300ms", "x.py", stdin=read) as child:
        assert child.wait() == 124
    os.close(read)
    os.close(held)


@pytest.mark.catalogue("T186")
def test_tricks_with_the_streams_stay_inside(folder):
    source = (
        "import fcntl, os, struct, termios\n"
        "for fd in range(3):\n"
        "    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK | os.O_APPEND)\n"
        "    for size in (1, 4096, 1 << 20):\n"
        "        try: fcntl.fcntl(fd, 1031, size)\n"
        "        except OSError: pass\n"
        "    try: fcntl.ioctl(fd, termios.TIOCSTI, b'x')\n"
        "    except OSError: pass\n"
        "print('ok')\n"
    )
    (folder / "x.py").write_text(source)
    read_in, write_in = os.pipe()
    read_out, write_out = os.pipe()
    size = fcntl.fcntl(write_out, F_GETPIPE_SZ)
    with start("run", "x.py", stdin=read_in, stdout=write_out) as child:
        os.close(write_in)
        assert child.wait() == 0
    assert os.get_blocking(read_in) and os.get_blocking(write_out)
    assert fcntl.fcntl(write_out, F_GETPIPE_SZ) == size
    os.close(write_out)
    assert os.read(read_out, 100) == b"ok\n"
    os.close(read_in)
    os.close(read_out)


@pytest.mark.catalogue("T187")
def test_output_after_the_end_is_cut_at_the_death(folder):
    source = (
        "import os, time\n"
        "print('first', flush=True)\n"
        "if os.fork() == 0:\n"
        "    time.sleep(60)\n"
        "    print('late')\n"
    )
    stage = run(folder, source, "--json", "--limit", "wall=30s").json["stages"][-1]
    assert (stage["status"], stage["stdout"]["text"]) == ("ok", "first\n")
    assert stage["events"]["leftover_processes"] == 1


@pytest.mark.catalogue("T187")
def test_two_writers_lose_nothing(folder):
    source = (
        "import os\n"
        "child = os.fork()\n"
        "for _ in range(2000): os.write(1, b'a\\n' if child else b'b\\n')\n"
        "if child: os.wait()\n"
    )
    lines = run(folder, source).out.split()
    assert lines.count(b"a") == lines.count(b"b") == 2000
