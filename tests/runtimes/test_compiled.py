"""Precompiled headers change how long a compile takes, and nothing else."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("BELLJAR") or str(ROOT / "build/release/belljar")
# g++ names each header that it opens, a precompiled one that it takes after "!".
TELLING = (ROOT / "runtimes/cpp.toml").read_text().replace('argv = ["{tool}", ', 'argv = ["{tool}", "-H", ', 1)
TAKEN = "! /usr/include/"
FIRST = "#include <bits/stdc++.h>\nint main() { std::cout << std::max(1, 2) << __FILE__ << __LINE__; }\n"
PROGRAMS = {
    "all": FIRST,
    "iostream": "#include <iostream>\n#include <map>\nint main() { std::map<int, int> m; std::cout << m[1]; }\n",
    "macro before": "#define endl 1\n#include <iostream>\nint main() { std::cout << endl; }\n",
    "keyword before": "#define private public\n#include <bits/stdc++.h>\nint main() { std::cout << 1; }\n",
    "checks before": "#define _GLIBCXX_ASSERTIONS\n#include <bits/stdc++.h>\n"
    "int main() { std::vector<int> v; std::cout << v[1]; }\n",
    "declaration before": "int x = 4;\n#include <bits/stdc++.h>\nint main() { std::cout << x; }\n",
    "pragma before": '#pragma GCC optimize("O3")\n#include <bits/stdc++.h>\nint main() { std::cout << 1; }\n',
    "another before": "#include <cstdio>\n#include <bits/stdc++.h>\nint main() { std::cout << 1; }\n",
    "twice": "#include <bits/stdc++.h>\n#include <bits/stdc++.h>\nint main() { std::cout << 1; }\n",
    "counter": "#include <bits/stdc++.h>\nint main() { std::cout << __COUNTER__ << __INCLUDE_LEVEL__; }\n",
    "asks": "#if __has_include(<bits/stdc++.h>) && !__has_include(<no/such.h>)\n#include <bits/stdc++.h>\n#endif\n"
    "int main() { std::cout << 1; }\n",
    "not by itself": "#include <iostream>\nint main() { std::cout << std::sort; }\n",
    "error": "#include <bits/stdc++.h>\nstruct A {};\nint main() { std::map<A, int> m; m[A{}]; nothing; }\n",
    "warning": "#include <bits/stdc++.h>\n#warning hello\nint main() { std::cout << 1; }\n",
}


def belljar(*words, headers, stdin=""):
    environment = {**os.environ, "BELLJAR_HEADERS": str(headers)}
    return subprocess.run(
        [BINARY, *map(str, words)], input=stdin, capture_output=True, text=True, check=False, env=environment
    )


@pytest.fixture(scope="module")
def prepared():
    """A folder with what `belljar prepare` makes; not in /tmp, which no cell can show."""
    with tempfile.TemporaryDirectory(prefix="belljar-headers-", dir="/var/tmp") as folder:
        done = belljar("prepare", "--headers", f"{folder}/store", headers="none")
        assert (done.returncode, done.stderr) == (0, "belljar: C++: the headers are made\n")
        yield pathlib.Path(folder) / "store"


@pytest.fixture(scope="module")
def telling(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runtimes")
    (folder / "cpp.toml").write_text(TELLING)
    return folder


def run(folder, source, headers, *options, more=()):
    (folder / "a.cpp").write_text(source)
    for name, text in more:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    files = [word for name, _ in more for word in ("--file", f"{folder / name}={name}")]
    done = belljar("run", "--json", *options, *files, folder / "a.cpp", headers=headers)
    assert done.stdout.startswith("{"), done.stderr
    return json.loads(done.stdout)


def facts(outcome):
    """Everything that must not depend on how the headers were read."""
    stages = []
    for stage in outcome["stages"]:
        stages.append((stage["stage"], stage["status"], stage.get("exit_code"), stage.get("signal"),
                       stage["stdout"]["text"]))  # fmt: skip
    return outcome["status"], stages


def takes_it(outcome):
    return TAKEN in outcome["stages"][0]["stderr"]["text"]


def without_last_origin(text):
    """What g++ says, without the lines on how a header came to be included."""
    return [line for line in text.splitlines() if not line.lstrip().startswith(("In file included from", "from "))]


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_a_program_means_the_same_with_and_without(name, prepared, tmp_path):
    with_headers = run(tmp_path, PROGRAMS[name], prepared)
    without = run(tmp_path, PROGRAMS[name], "none")
    assert facts(with_headers) == facts(without)
    said, wanted = (each["stages"][0]["stderr"]["text"] for each in (with_headers, without))
    assert without_last_origin(said) == without_last_origin(wanted)
    expected = "compile_error" if name in ("error", "not by itself") else without["status"]
    assert with_headers["status"] == expected


def test_they_are_taken_where_they_come_first_and_only_there(prepared, telling, tmp_path):
    taken = {name: takes_it(run(tmp_path, source, prepared, "--runtimes", telling)) for name, source in PROGRAMS.items()}
    first = {"all", "iostream", "twice", "counter", "asks", "not by itself", "error", "warning"}
    assert {name for name, is_taken in taken.items() if is_taken} == first
    assert not takes_it(run(tmp_path, FIRST, "none", "--runtimes", telling))


def test_a_header_of_the_programs_own_goes_first(prepared, tmp_path):
    own = [("bits/stdc++.h", "#include <cstdio>\n#define MINE 7\n")]
    outcome = run(tmp_path, '#include <bits/stdc++.h>\nint main() { printf("%d", MINE); }\n', prepared, more=own)
    assert outcome["stages"][-1]["stdout"]["text"] == "7"


def test_a_cell_sees_nothing_of_the_host_but_the_headers(prepared, tmp_path):
    (entry,) = prepared.glob("cpp-*")
    (made,) = entry.glob("show/**/iostream.gch")
    there = "/" + str(made.relative_to(entry / "show"))
    paths = [entry / "record", entry, prepared.parent, there]
    source = "#include <iostream>\n#include <unistd.h>\nint main() { std::cout "
    source += "".join(f'\n#if __has_include("{path}")\n<< 1\n#else\n<< 0\n#endif\n' for path in paths)
    source += f'<< access("{there}", 0); }}\n'
    outcome = run(tmp_path, source, prepared)
    # The fourth is the control: that one is there while it is compiled, and not when it is run.
    assert outcome["stages"][-1]["stdout"]["text"] == "0001-1", outcome


def made_in(entry):
    (made,) = entry.glob("show/**/*.gch")
    return made


SPOILED = {
    "another content": lambda entry: made_in(entry).write_bytes(b"gpch poisoned"),
    "a flipped byte": lambda entry: flip(made_in(entry)),
    "a foreign file": lambda entry: made_in(entry).with_name("vector").write_text("#error poisoned"),
    "a foreign precompiled header": lambda entry: made_in(entry).with_name("vector.gch").write_text("poisoned"),
    "a writable folder": lambda entry: (entry / "show").chmod(0o777),
    "no record": lambda entry: (entry / "record").unlink(),
    "an empty store": lambda entry: shutil.rmtree(entry),
}


def flip(path):
    with open(path, "r+b") as file:
        file.seek(1 << 20)
        byte = file.read(1)
        file.seek(1 << 20)
        file.write(bytes([byte[0] ^ 1]))


@pytest.mark.parametrize("what", sorted(SPOILED))
def test_what_is_not_as_it_was_made_is_not_used(what, tmp_path):
    with tempfile.TemporaryDirectory(prefix="belljar-headers-", dir="/var/tmp") as folder:
        # One small header, so that each case can make its own.
        runtimes = tmp_path / "runtimes"
        runtimes.mkdir()
        small = TELLING.replace('headers = ["bits/stdc++.h", "iostream"]', 'headers = ["iostream"]')
        (runtimes / "cpp.toml").write_text(small)
        source = PROGRAMS["iostream"]
        done = belljar("prepare", "--headers", f"{folder}/store", "--runtimes", runtimes, headers="none")
        assert done.returncode == 0, done.stderr
        assert takes_it(run(tmp_path, source, f"{folder}/store", "--runtimes", runtimes))
        (entry,) = pathlib.Path(folder).glob("store/cpp-*")
        SPOILED[what](entry)
        outcome = run(tmp_path, source, f"{folder}/store", "--runtimes", runtimes)
        assert (outcome["status"], takes_it(outcome)) == ("ok", False)
        if what != "a writable folder":
            return
        (entry / "show").chmod(0o755)
        assert takes_it(run(tmp_path, source, f"{folder}/store", "--runtimes", runtimes))


def test_prepare_does_what_is_missing_and_says_what_is_wrong(prepared):
    done = belljar("prepare", "--headers", prepared, headers="none")
    assert (done.returncode, done.stderr) == (0, "belljar: C++: the headers are there\n")
    for folder, reason in [("relative", "is no absolute path"), ("none", "is no absolute path")]:
        done = belljar("prepare", "--headers", folder, headers="none")
        assert done.returncode == 2 and reason in done.stderr, done
    done = belljar("prepare", "--headers", "/proc/none", headers="none")
    assert done.returncode != 0 and "C++" in done.stderr


def test_a_host_without_another_linker_uses_the_compilers_own(tmp_path):
    runtimes = tmp_path / "runtimes"
    runtimes.mkdir()
    text = (ROOT / "runtimes/cpp.toml").read_text()
    (runtimes / "cpp.toml").write_text(text.replace("/usr/bin/ld.", "/usr/bin/no-such-ld."))
    outcome = run(tmp_path, FIRST, "none", "--runtimes", runtimes)
    assert outcome["stages"][-1]["stdout"]["text"] == "2/box/a.cpp2"
