"""The commands besides `run`, and what is generated from the option tables."""

import pathlib
import re
import shutil
import subprocess

import pytest

from shell import belljar
from support.command import environment

ROOT = pathlib.Path(__file__).resolve().parents[2]


def options_of(command):
    return set(re.findall(r"^  (--[a-z-]+)", belljar("help", command).out.decode(), re.MULTILINE))


COMMANDS = ("run", "bench", "languages", "policies", "doctor", "completion", "man", "help")


def test_languages_say_where_they_are_or_what_brings_them(folder):
    languages = belljar("languages", "--json").json
    names = [language["name"] for language in languages]
    assert names == sorted(names) and len(names) >= 14
    for language in languages:
        assert language["title"] and language["package"] and language["extensions"]
        if language["available"]:
            assert all(pathlib.Path(path).exists() for path in language["programs"].values())
        else:
            assert language["package"].split()[0] in language["missing"]
    assert next(one for one in languages if one["name"] == "python")["available"]
    table = belljar("languages").out.decode()
    for language in languages:
        assert re.search(rf"^{language['name']} +", table, re.MULTILINE)


def test_languages_of_the_operator_are_listed(folder):
    (folder / "wrong.toml").write_text("name = 3\n")
    done = belljar("languages", "--runtimes", ".")
    assert done.code == 2 and b"wrong.toml" in done.err


def test_policies_are_listed():
    policies = {policy["name"]: policy for policy in belljar("policies", "--json").json}
    assert {"default", "strict"} <= set(policies)
    assert policies["default"]["defaults"]["wall_ms"] == 10000
    assert policies["default"]["defaults"]["memory_bytes"] == 256 << 20
    assert b"default" in belljar("policies").out
    shown = belljar("policies", "strict")
    assert shown.out == (ROOT / "policies/strict.toml").read_bytes()


def test_doctor_reports_what_cells_really_get(folder):
    done = belljar("doctor", "--json")
    report = done.json
    assert report["works"] is True, report["reason"]
    (folder / "x.py").write_text("")
    outcome = belljar("run", "--json", "x.py").json
    stage = outcome["stages"][-1]
    stood = [wall["name"] for wall in report["walls"] if wall["stands"]]
    assert sorted(stood) == sorted(stage["walls"])
    missing = [wall for wall in report["walls"] if not wall["stands"]]
    assert sorted(wall["name"] for wall in missing) == sorted(stage["missing_walls"])
    assert all(wall["advice"] for wall in missing)
    assert report["host"]["kernel"] == outcome["host"]["kernel"]
    gaps = missing or [limit for limit in report["limits"] if not limit["held"]]
    assert done.code == (1 if gaps else 0)


def test_doctor_tries_every_limit():
    limits = {limit["name"]: limit for limit in belljar("doctor", "--json").json["limits"]}
    assert set(limits) == {"wall", "cpu", "memory", "processes", "output", "box", "tmp", "inodes",
                           "file_size", "open_files", "stack", "cpus"}  # fmt: skip
    assert [name for name, limit in limits.items() if not limit["held"]] == []


def test_doctor_speaks_to_people():
    text = belljar("doctor").out.decode()
    assert "Cells   work" in text and "seccomp" in text and "limits hold" in text


def rendered(page):
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww"], input=page, capture_output=True, check=False
    )
    assert done.returncode == 0 and done.stderr == b"", done.stderr
    return re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout.decode())


def test_the_manual_page_is_good_roff():
    page = belljar("man").out
    for line in page.decode().splitlines():
        assert not line.startswith("'")
        if line.startswith("."):
            assert re.match(r"\.(TH|SH|SS|PP|TP|B|BR|I|br|nf|fi)( |$)", line), line
    text = rendered(page) if shutil.which("groff") else page.decode().replace("\\-", "-")
    for command in COMMANDS:
        for option in options_of(command):
            assert option in text
    limits = belljar("help", "run").out.decode().split("\nLimits (")[1].splitlines()[1:14]
    for row in limits:
        assert row.split()[0] in text


# Where a shell is not installed its script is not tried; the unit tests look at all three.
SHELLS = [shell for shell in ("bash", "zsh", "fish") if shutil.which(shell)]


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_is_good_syntax(shell, folder):
    script = belljar("completion", shell)
    assert script.code == 0 and script.out
    (folder / "script").write_bytes(script.out)
    done = subprocess.run([shell, "-n", "script"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def bash_offers(line):
    """What bash would offer at the end of the line."""
    script = (
        'source /dev/stdin <<<"$SCRIPT"\n'
        "COMP_WORDS=(${LINE//=/ = })\n"
        '[[ $LINE == *" " ]] && COMP_WORDS+=("")\n'
        "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
        "compopt() { :; }\n"
        "_belljar\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    env = {**environment(), "SCRIPT": belljar("completion", "bash").out.decode(), "LINE": line}
    done = subprocess.run(["bash", "-c", script], env=env, capture_output=True, check=True)
    assert done.stderr == b""
    return set(done.stdout.decode().split())


@pytest.mark.parametrize(
    "line, offered",
    [
        ("belljar ", {"run", "doctor", "languages", "--version"}),
        ("belljar ru", {"run"}),
        ("belljar run --lim", {"--limit"}),
        ("belljar run --language p", {"python", "perl", "php"}),
        ("belljar run --json --policy st", {"strict"}),
        ("belljar run --require se", {"seccomp"}),
        ("belljar run --limit me", {"memory="}),
        ("belljar run --policy=st", {"strict"}),
        ("belljar run --policy=", {"strict", "default"}),
        ("belljar run --limit memory=64M,wall=1s --policy=strict --sta", {"--stats"}),
        ("belljar completion ", {"bash", "zsh", "fish"}),
        ("belljar help d", {"doctor"}),
    ],
)
def test_bash_completes(line, offered):
    assert offered <= bash_offers(line)


def test_bash_leaves_the_programs_words_alone():
    assert bash_offers("belljar run x.py --li") == set()
    assert bash_offers("belljar run --json x.py --policy st") == set()
    assert bash_offers("belljar run --policy strict --li") == {"--limit"}


def test_the_document_names_every_option():
    document = (ROOT / "docs/cli.md").read_text()
    for command in COMMANDS:
        assert f"`belljar {command}" in document
        for option in options_of(command) - {"--help"}:
            assert f"`{option}" in document, option
