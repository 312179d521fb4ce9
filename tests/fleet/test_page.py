"""docs/operations.md shows what is so: the commands of its part on a shared ledger are run as they stand."""

import os
import pathlib
import re
import subprocess

import pytest
from support.command import binary, environment, scratch_folder

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/operations.md").read_text()
COMMANDS = re.findall(r"^\$ (.+)$", PAGE, re.MULTILINE)
HOLDS = {
    "migrate": "version", "keys create": "bj_", "--ledger-connections 4": "ledger_connections = 4", "history": "created",
    "check --fleet": 'fleet = "nats://127.0.0.1:4222"', "help worker": "--fleet TEXT", "help fleet": "--fleet-ca-file",
}  # fmt: skip


@pytest.fixture(scope="module")
def shell(shared_postgres):
    url = shared_postgres.url(shared_postgres.new_database())
    with scratch_folder("belljar-page-") as folder:
        (folder / "password").write_text("unused\n")
        path = f"{pathlib.Path(binary()).resolve().parent}:{os.environ['PATH']}"
        variables = {**environment(), "PATH": path, "LEDGER": url, "BELLJAR_STATE_DIR": str(folder / "state")}

        def run(line):
            return subprocess.run(
                ["bash", "-c", line], env=variables, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
                text=True, timeout=60, check=False,
            )  # fmt: skip

        yield run


def test_the_page_shows_every_part():
    for word in HOLDS:
        assert any(word in command for command in COMMANDS), f"the page does not show {word}"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_works_as_shown(shell, command):
    done = shell(command)
    assert done.returncode == 0, done.stderr
    assert next(text for word, text in HOLDS.items() if word in command) in done.stdout
