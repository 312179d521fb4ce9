"""docs/service.md shows what is so: its requests are run as they stand, its table is the service's own."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1]), str(pathlib.Path(__file__).resolve().parent)]

import settings_table  # noqa: E402
from support.command import binary  # noqa: E402
from support.service import live_service  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/service.md").read_text()
COMMANDS = re.findall(r"^\$ (.+)$", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def shell():
    """Runs a line of the page with $URL and $KEY, and `belljar` of this build on the service's ledger."""
    with live_service() as service:
        folder = service.folder / "bin"
        folder.mkdir()
        (folder / "belljar").symlink_to(os.path.abspath(binary()))
        environment = {
            "PATH": f"{folder}:{os.environ['PATH']}", "URL": f"http://127.0.0.1:{service.port}",
            "BELLJAR_STATE_DIR": str(service.state), "HOME": "/nonexistent",
        }  # fmt: skip

        def run(line):
            return subprocess.run(
                ["bash", "-c", line], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=60, check=False,
            )  # fmt: skip

        environment["KEY"] = run("belljar keys create --for page").stdout.split()[1]
        yield run


# What an answer of the page must hold, by a word of its command; the first that fits counts.
HOLDS = (
    ('"mars"', '"field":"labels"'),
    ('"wall": "soon"', '"status":400'),
    ("print(6 * 7)", '"text":"42\\n"'),
    ("getchar", '"text":"echo"'),
    ("Idempotency-Key", '"state":"queued"'),
    ("?limit=1", '"runs":[{'),
    ("helper.py", '"path":"result.txt"'),
    ("files/in/table.csv", '"truncated":false}a,b\n'),
    ("/v1/sessions", '"text/plain":"21"'),
    ("stream=1", "event: outcome"),
    ('"program":', '"id":"batch_'),
    ("application/zip", '"text":"7\\n"'),
    ("/v1/batches", '"id":"batch_'),
    ("/v1/languages", '"name":"python"'),
    ("/v1/system", '"cgroup_mode"'),
    ("/v1/policies", '"maximum"'),
    ("/v1/walls", '"explanation"'),
    ("/healthz", "ok"),
    ("/readyz", "ready"),
    ("/metrics", "belljar_runs_total"),
    ("/openapi.yaml", "openapi"),
    ("/execute", '"stdout":"hello\\n"'),
    ("/pysandbox", '"out":"1\\n"'),
    ("/run ", '"status":"ok"'),
    ("keys create", "bj_"),
    ("keys list", "page"),
    ("Bearer", '{"runs":[]'),
    ("history --last", "run_"),
    ("history --json", '"state":"done"'),
)


def test_the_page_shows_every_part():
    assert len(COMMANDS) >= 20
    for word, _ in HOLDS:
        assert any(word in command for command in COMMANDS), f"the page does not show {word}"


# One after the other, as a reader would: what is listed later was run before.
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_works_as_shown(shell, command):
    done = shell(command)
    assert done.returncode == 0, done.stderr
    wanted = next(text for word, text in HOLDS if word in command)
    assert wanted in done.stdout, done.stdout[:3000]


def test_the_same_idempotency_key_is_one_run(shell):
    line = next(command for command in COMMANDS if "Idempotency-Key" in command)
    first, second = (json.loads(shell(line).stdout)["id"] for _ in range(2))
    assert first == second
    assert json.loads(shell(line.replace("2026-11-a", "2026-11-b")).stdout)["id"] != first


def test_a_batch_with_expected_outputs_has_verdicts(shell):
    line = next(command for command in COMMANDS if '"program":' in command)
    batch = json.loads(shell(line).stdout)
    ended = [json.loads(shell(f"curl -s $URL/v1/runs/{run['id']}?wait=1").stdout) for run in batch["runs"]]
    assert [run["outcome"]["verdict"] for run in ended] == ["pass", "wrong_answer"]


def test_the_table_of_settings_is_the_services_own():
    made = settings_table.table()
    assert settings_table.with_table(PAGE, made) == PAGE, "run python3 tests/docs/settings_table.py"
    assert len(made.splitlines()) > 30


def test_every_field_is_in_the_document():
    fields = settings_table.variables()
    source = settings_table.FIELDS.read_text()
    assert len(fields) == len(re.findall(r"^    \w+_setting\(", source, re.MULTILINE))
    for name, variable in fields.items():
        assert f"| `{name}` | `{variable}` |" in PAGE


def test_every_route_is_in_the_document():
    routes = re.findall(r'Route\{"(\w+)", "([^"]+)"', (ROOT / "src/api/routes.cpp").read_text())
    assert len(routes) > 10
    for _, path in routes:
        assert path.replace("+}", "}") in PAGE, path
