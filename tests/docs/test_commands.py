"""The commands that README.md shows are run as they stand; each must succeed."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.command import scratch_folder  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHOWN = re.findall(r"^\$ (.+)$", (ROOT / "README.md").read_text(), re.MULTILINE)
SERVE = "build/release/belljar serve"  # ends when it is told to
COMMANDS = [each for each in SHOWN if each != SERVE]


def test_the_page_shows_commands():
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_works_as_shown(command):
    binary = os.environ.get("BELLJAR", "build/release/belljar")
    done = subprocess.run(command.replace("build/release/belljar", binary), shell=True, cwd=ROOT, capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, timeout=120)
    # `doctor` answers 1 where the host cannot give every wall; that it answers is what is shown.
    allowed = (0, 1) if command.endswith("doctor") else (0,)
    assert done.returncode in allowed, done.stdout + done.stderr
    assert done.stdout


def test_the_service_starts_as_shown():
    assert SERVE in SHOWN
    with scratch_folder("belljar-docs-") as folder:
        # Not where the host's own service has its ledger and its port.
        own = {"BELLJAR_STATE_DIR": str(folder / "state"), "BELLJAR_LISTEN": "127.0.0.1:0"}
        words = [os.environ.get("BELLJAR", str(ROOT / "build/release/belljar")), *SERVE.split()[1:]]
        with subprocess.Popen(words, cwd=ROOT, env={**os.environ, **own}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as service:
            said = ""
            for line in service.stderr:  # to its end: the service's, which comes with the signal
                said += line
                if '"event":"ready"' in line:
                    service.terminate()
    assert "listening on http://127.0.0.1:" in said and service.returncode == 0, said
