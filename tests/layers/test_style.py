"""The layout of the sources and the shell scripts is what the tools say it is."""

import pathlib
import subprocess
import tomllib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(*command):
    return subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def test_sources_are_laid_out_by_clang_format():
    done = run("./dev", "fmt", "--check")
    files = sorted({line.split(":")[0] for line in done.stderr.splitlines() if ": error:" in line})
    assert done.returncode == 0, "run ./dev fmt: " + ", ".join(
        str(pathlib.Path(name).relative_to(ROOT)) for name in files
    )


def shell_scripts():
    found = (path.relative_to(ROOT) for path in ROOT.glob("tests/**/*.sh"))
    programs = ("tests/victims/", "tests/fidelity/programs/")  # what runs in cells may be ugly
    return ["dev", ".ci/run", *sorted(str(path) for path in found if not str(path).startswith(programs))]


@pytest.mark.parametrize("script", shell_scripts())
def test_shell_scripts_pass_shellcheck(script):
    done = run("shellcheck", script)
    assert done.returncode == 0, done.stdout


def test_data_files_parse():
    files = sorted([*ROOT.glob("policies/**/*.toml"), *ROOT.glob("runtimes/*.toml")])
    assert files
    for path in files:
        assert tomllib.loads(path.read_text()), f"{path.name} says nothing"
