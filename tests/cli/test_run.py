"""`belljar run` in ordinary use: what goes in, what comes out."""

import io
import os
import subprocess
import tarfile
import zipfile

import pytest

from shell import belljar, start
from support.command import binary, environment


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_shows_the_output_and_nothing_else(folder):
    done = belljar("run", write(folder, "hello.py", "print('hello')\n"))
    assert (done.code, done.out, done.err) == (0, b"hello\n", b"")


def test_keeps_the_streams_apart(folder):
    program = write(folder, "two.py", "import sys; print('out'); print('err', file=sys.stderr)")
    done = belljar("run", program)
    assert (done.code, done.out, done.err) == (0, b"out\n", b"err\n")


def test_passes_every_byte_through_a_pipe(folder):
    program = write(
        folder, "copy.py", "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"
    )
    every = bytes(range(256)) * 1000
    done = belljar("run", program, stdin=every)
    assert done.code == 0
    assert done.out == every


def test_reads_standard_input_from_a_file(folder):
    program = write(folder, "copy.py", "print(input())")
    write(folder, "given.txt", "from a file\n")
    assert belljar("run", "--stdin", "given.txt", program, stdin=b"x\n").out == b"from a file\n"
    with open("given.txt", "rb") as given:
        assert belljar("run", program, stdin=given).out == b"from a file\n"


def test_works_with_closed_standard_streams(folder):
    program = write(folder, "x.py", "import sys; print(repr(sys.stdin.read())); sys.exit(5)")
    done = belljar("run", program, stdin=None, preexec_fn=lambda: os.closerange(0, 1))
    assert (done.code, done.out) == (5, b"''\n")


def test_answers_a_program_that_asks_back(folder):
    """What is written arrives at once, and what is answered too: nothing waits for an end."""
    program = write(
        folder,
        "echo.py",
        "import sys\nfor line in sys.stdin: print('got', line, end='', flush=True)\n",
    )
    with start("run", program) as child:
        for word in (b"one\n", b"two\n"):
            child.stdin.write(word)
            child.stdin.flush()
            assert child.stdout.readline() == b"got " + word
        child.stdin.close()
        assert child.wait() == 0


def test_gives_the_program_its_arguments(folder):
    program = write(folder, "args.py", "import sys; print(sys.argv[1:])")
    assert belljar("run", program, "a", "--json", "-h").out == b"['a', '--json', '-h']\n"
    assert belljar("run", program, "--", "--", "b c", "").out == b"['--', 'b c', '']\n"
    assert belljar("run", "--", program, "--", "a").out == b"['a']\n"


@pytest.mark.parametrize("limit", [8, 16, 64])
def test_a_program_may_have_few_open_files(folder, limit):
    count = write(folder, "count.sh", "ulimit -n; ulimit -Hn")
    done = belljar("run", "--limit", f"open_files={limit}", count)
    assert (done.code, done.out) == (0, f"{limit}\n{limit}\n".encode()), done
    flood = write(folder, "flood.py", "import os\nfds = [os.open('/dev/null', 0) for _ in range(100)]")
    done = belljar("run", "--limit", f"open_files={limit}", flood)
    assert done.code == 1 and b"Too many open files" in done.err, done


def test_too_few_open_files_are_refused_by_name(folder):
    done = belljar("run", "--limit", "open_files=7", write(folder, "x.sh", "echo ran"))
    assert done.code == 2 and b"ran" not in done.out
    assert b"open_files" in done.err and b"at least 8" in done.err, done


@pytest.mark.catalogue("T189")
def test_the_callers_environment_stays_outside(folder):
    program = write(folder, "env.py", "import os; print(sorted(os.environ.items()))")
    canary = {"SECRET_TOKEN": "canary-7401", "LD_PRELOAD": ""}
    done = belljar("run", "--env", "GIVEN=a=b", program, env=canary)
    assert b"canary" not in done.out
    assert b"('GIVEN', 'a=b')" in done.out
    code = belljar("run", "--json", program, env=canary)
    assert b"canary" not in code.out


def test_takes_further_files(folder):
    source = "import lib, os; print(lib.x, open('d/data').read(), sorted(os.listdir('kit')))"
    program = write(folder, "main.py", source)
    write(folder, "lib.py", "x = 1")
    write(folder, "data.txt", "2")
    write(folder, "kit/b", "")
    write(folder, "kit/a", "")
    done = belljar("run", "--file", "lib.py", "--file=data.txt=d/data", "--file", "kit", program)
    assert done.out == b"1 2 ['a', 'b']\n", done


def test_runs_a_directory_without_following_links(folder):
    source = "import os; print(sorted(os.listdir('.')), sorted(os.listdir('pkg')))"
    write(folder, "app/main.py", source)
    write(folder, "app/pkg/a.txt", "")
    write(folder, "app/.git/config", "secret")
    os.symlink("/etc/passwd", folder / "app/pkg/link")
    done = belljar("run", "--language", "python", "app")
    assert done.out == b"['main.py', 'pkg'] ['a.txt']\n", done
    assert b"symbolic links left out: 1" in done.err
    assert belljar("run", "--quiet", "--language", "python", "app").err == b""


def test_finds_out_the_language_of_a_directory(folder):
    write(folder, "app/main.py", "import other; print(other.name)")
    write(folder, "app/other.py", "name = 'other'")
    write(folder, "app/README.md", "")
    assert belljar("run", "app").out == b"other\n"


def test_takes_the_entry_that_is_named(folder):
    write(folder, "app/one.py", "print(1)")
    write(folder, "app/two.py", "print(2)")
    assert belljar("run", "--entry", "two.py", "app").out == b"2\n"


def make_tar(files, mode):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
    return buffer.getvalue()


def make_zip(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["app.zip", "app.tar", "app.tar.gz", "app.tgz"])
def test_runs_an_archive(folder, name):
    files = {"main.py": b"import lib.x; print(lib.x.y)", "lib/x.py": b"y = 3"}
    mode = "w:gz" if name.endswith("gz") else "w"
    (folder / name).write_bytes(make_zip(files) if name.endswith("zip") else make_tar(files, mode))
    done = belljar("run", name)
    assert (done.code, done.out) == (0, b"3\n"), done


@pytest.mark.catalogue("T208")
def test_shows_hostile_names_of_an_archive_as_text(folder):
    evil = "../\x1b]0;owned\x07.py"
    (folder / "evil.zip").write_bytes(make_zip({evil: b"print(1)", "main.py": b""}))
    done = belljar("run", "--language", "python", "evil.zip")
    assert done.code == 2, done
    assert b"\x1b" not in done.err and done.out == b""


def test_runs_a_program_from_standard_input():
    source = b"import sys; print(sys.argv[1:], sys.stdin.read())"
    done = belljar("run", "--language", "python", "-", "a", stdin=source)
    assert (done.code, done.out) == (0, b"['a'] \n"), done
    done = belljar("run", "--language", "c", "-", stdin=b"int main(void) { return 7; }")
    assert done.code == 7, done


def test_names_the_program_as_the_caller_did(folder):
    write(folder, "sub/fails.py", "raise ValueError('x')")
    done = belljar("run", "sub/fails.py")
    assert done.code == 1
    assert b'fails.py", line 1' in done.err and b"ValueError: x" in done.err


def test_language_wins_over_the_extension(folder):
    write(folder, "program.txt", "print(4)")
    assert belljar("run", "--language", "python", "program.txt").out == b"4\n"


def test_says_what_a_compiler_says_on_standard_error(folder):
    write(folder, "bad.c", "int main(void) { return x; }")
    done = belljar("run", "bad.c")
    assert (done.code, done.out) == (123, b"")
    assert b"bad.c:1" in done.err and b"belljar: compile_error" in done.err
    write(folder, "warns.c", '#warning look\n#include <stdio.h>\nint main(void) { puts("ran"); }')
    done = belljar("run", "warns.c")
    assert (done.code, done.out) == (0, b"ran\n")
    assert b"look" in done.err


def test_stats_go_to_standard_error(folder):
    done = belljar("run", "--stats", write(folder, "x.py", "print(1)"))
    assert done.out == b"1\n"
    for word in (b"ok: exit code 0", b"wall", b"cpu", b"memory", b"walls", b"Python 3"):
        assert word in done.err


def test_a_policy_file_is_read(folder):
    program = write(folder, "x.py", "open('made', 'w')")
    policy = 'why = "a test"\n[filesystem]\nwhy = "a test"\nwritable_box = false\n'
    write(folder, "mine.toml", policy)
    assert belljar("run", program).code == 0
    done = belljar("run", "--policy", "mine.toml", program)
    assert done.code == 1 and b"Read-only" in done.err, done
    assert belljar("run", "--json", "--policy", "./mine.toml", program).json["policy"] == "mine"


def test_an_operators_runtime_is_taken(folder):
    write(
        folder,
        "runtimes/plain.toml",
        (
            'name = "plain"\ntitle = "Plain"\nextensions = [".plain"]\npackage = "coreutils"\n'
            'version = ["{tool}", "--version"]\n[programs]\ntool = ["/usr/bin/cat", "/bin/cat"]\n'
            '[run]\nargv = ["{tool}", "{entry}", "{args}"]\n'
            '[hello]\nfile = "hello.plain"\nsource = "Hello from Plain\\n"\n'
        ),
    )
    write(folder, "x.plain", "shown\n")
    done = belljar("run", "--runtimes", "runtimes", "x.plain")
    assert (done.code, done.out) == (0, b"shown\n"), done


def test_the_program_has_the_usual_signals(folder):
    """Ours, and those of whoever called us, are not handed on."""
    write(folder, "x.sh", "grep -E 'Sig(Ign|Blk)' /proc/self/status\n")
    script = f"trap '' PIPE INT QUIT HUP; {binary()} run x.sh"
    done = subprocess.run(["bash", "-c", script], stdin=subprocess.DEVNULL, capture_output=True,
                          env=environment(), check=False)  # fmt: skip
    masks = [line.split()[1] for line in done.stdout.decode().splitlines()]
    assert masks == ["0" * 16] * 2, done


def test_a_reader_that_goes_away_ends_the_run(folder):
    program = write(folder, "yes.py", "while True: print('y' * 100)")
    with start("run", "--limit", "output=64M,wall=30s", program) as child:
        assert child.stdout.readline() == b"y" * 100 + b"\n"
        child.stdout.close()
        child.stdin.close()
        assert child.wait() == 141
        assert child.stderr.read() == b""


def test_waits_for_a_slow_reader(folder):
    program = write(folder, "much.py", "import sys; sys.stdout.write('x' * 900000)")
    with start("run", program) as child:
        child.stdin.close()
        total = 0
        while piece := os.read(child.stdout.fileno(), 4096):
            total += len(piece)
        assert child.wait() == 0
    assert total == 900000


def test_bears_a_non_blocking_standard_output(folder):
    program = write(folder, "much.py", "import sys; sys.stdout.write('x' * 500000)")
    read, write_end = os.pipe()
    os.set_blocking(write_end, False)
    child = start("run", program, stdout=write_end, stdin=subprocess.DEVNULL)
    os.close(write_end)
    with child, open(read, "rb") as pipe:
        assert len(pipe.read()) == 500000
        assert child.wait() == 0
