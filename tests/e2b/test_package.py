"""The unmodified package @e2b/code-interpreter in its debug mode: what it documents works against the service.

Each test is a function of `scenarios.mjs`, run by node in a process of its own.
"""

import os
import pathlib
import re
import subprocess

import pytest

from support.client import PATIENCE
from support.command import binary

HERE = pathlib.Path(__file__).parent
SCENARIOS = HERE / "scenarios.mjs"
BUILD = pathlib.Path(os.environ.get("BELLJAR_BUILD") or pathlib.Path(binary()).parent)
PACKAGES = BUILD.resolve().parent / "e2b" / "node_modules"
NAMES = re.findall(r"^export async function (\w+)\(", SCENARIOS.read_text(), re.MULTILINE)


def test_the_package_is_the_one_that_was_asked_for():
    assert PACKAGES.is_dir(), f"{PACKAGES} is not there: ./dev test --only e2b"
    assert '"version": "2.8.0"' in (PACKAGES / "@e2b/code-interpreter/package.json").read_text()


@pytest.fixture(scope="module", autouse=True)
def node():
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if [int(part) for part in said.strip().lstrip("v").split(".")] < [20, 18, 1]:
        pytest.skip(f"node {said.strip()} is older than the package takes")


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario(service, name):
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "BELLJAR_PACKAGES": str(PACKAGES)}
    done = subprocess.run(
        ["node", str(HERE / "run.mjs"), name], env=environment, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
