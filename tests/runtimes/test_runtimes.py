"""Each language of runtimes/*.toml in a real cell: its hello, arguments, stdin and a failure of its own.

A language whose toolchain is not installed is a skip that names the package; the seven that ./dev
installs must be there.
"""

import json
import os
import pathlib
import subprocess
import tomllib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BELLJAR = os.environ.get("BELLJAR", str(ROOT / "build/release/belljar"))
CORE = {"python", "javascript", "c", "cpp", "java", "bash", "perl"}
MANIFESTS = {path.stem: tomllib.loads(path.read_text()) for path in sorted((ROOT / "runtimes").glob("*.toml"))}


def languages():
    done = subprocess.run([BELLJAR, "languages", "--json"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def run(*arguments, **options):
    return subprocess.run([BELLJAR, "run", *map(str, arguments)], capture_output=True, text=True, timeout=120, **options)


@pytest.mark.parametrize("name", MANIFESTS)
def test_hello(name):
    manifest = MANIFESTS[name]
    if not all(any(os.path.exists(path) for path in paths) for paths in manifest["programs"].values()):
        assert name not in CORE, f"{name}: ./dev installs {manifest['package']}"
        pytest.skip(f"no toolchain: {manifest['package']} brings it")
    examples = [path for path in (ROOT / "examples").glob("[hH]ello.*") if path.suffix in manifest["extensions"]]
    assert len(examples) == 1
    done = run("--json", examples[0], stdin=subprocess.DEVNULL)
    outcome = json.loads(done.stdout)
    assert outcome["status"] == "ok", outcome["reason"]
    assert outcome["stages"][-1]["stdout"]["text"] == f"Hello from {manifest['title']}\n"
    assert outcome["language"] == name
    assert outcome["toolchain"], "the toolchain's version is part of the outcome"
    assert [stage["stage"] for stage in outcome["stages"]] == (["compile", "run"] if "compile" in manifest else ["run"])
    assert outcome["stages"][-1]["missing_walls"] == [] or os.geteuid() != 0
    assert outcome["stages"][-1]["denied_syscalls"] == []


def test_the_list_of_languages_is_the_manifests():
    text = json.dumps(languages())
    for name, manifest in MANIFESTS.items():
        assert f'"{name}"' in text and manifest["title"] in text


def test_a_directory_with_many_files():
    done = run(ROOT / "examples/c-project", stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr


def test_stdin_is_read(tmp_path):
    done = run(ROOT / "examples/wordcount.py", input="one two two\n")
    assert done.returncode == 0 and "two" in done.stdout, done.stderr


@pytest.mark.parametrize("name, source", {
    "c": "int main(void) { return undeclared; }\n",
    "cpp": "int main() { return undeclared; }\n",
    "java": "class Broken { public static void main(String[] a) { undeclared(); } }\n",
}.items())
def test_a_compile_error_is_the_compilers(name, source, tmp_path):
    program = tmp_path / ("Broken" + MANIFESTS[name]["extensions"][0])
    program.write_text(source)
    outcome = json.loads(run("--json", program, stdin=subprocess.DEVNULL).stdout)
    assert outcome["status"] == "compile_error"
    assert "undeclared" in json.dumps(outcome["stages"][0]["stderr"])
    assert len(outcome["stages"]) == 1


def test_an_archive_is_a_submission(tmp_path):
    import zipfile

    archive = tmp_path / "program.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("main.py", "import helper\nhelper.greet()\n")
        file.writestr("helper.py", "def greet(): print('from the archive')\n")
    done = run(archive, stdin=subprocess.DEVNULL)
    assert done.stdout == "from the archive\n", done.stderr


def test_hostile_archives_are_refused_whole(tmp_path):
    import io
    import tarfile
    import zipfile

    def tar(name, **fields):
        path = tmp_path / "hostile.tar.gz"
        with tarfile.open(path, "w:gz") as file:
            entry = tarfile.TarInfo(name)
            for field, value in fields.items():
                setattr(entry, field, value)
            file.addfile(entry, io.BytesIO(b"x" * entry.size))
        return path

    def zipped(name, content=b"x"):
        path = tmp_path / "hostile.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr(name, content)
        return path

    cases = {
        "climbs": lambda: tar("../main.py", size=1),
        "absolute": lambda: tar("/main.py", size=1),
        "symbolic link": lambda: tar("main.py", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        "hard link": lambda: tar("main.py", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
        "device": lambda: tar("main.py", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
        "fifo": lambda: tar("main.py", type=tarfile.FIFOTYPE),
        "zip climbs": lambda: zipped("a/../../main.py"),
        "bomb": lambda: zipped("main.py", b"\0" * (200 << 20)),
        "cut short": lambda: (lambda path: (path.write_bytes(path.read_bytes()[:-30]), path)[1])(zipped("main.py", os.urandom(4096))),
    }
    for what, make in cases.items():
        done = run("--language", "python", make(), stdin=subprocess.DEVNULL)
        assert done.returncode != 0 and "archive" in done.stderr, (what, done)
        assert "x" not in done.stdout, what
