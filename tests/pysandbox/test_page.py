"""docs/pysandbox.md shows what is so: its command starts, its requests answer, its example prints what it says."""

import os
import re
import subprocess
import sys
import tomllib

import pytest

import one
from conftest import TESTS
from support import command
from support.service import free_port
from test_ports import Pysandbox

PAGE = (TESTS.parent / "docs/pysandbox.md").read_text()
SERVE, *COMMANDS = re.findall(r"^\$ (.+)$", PAGE, re.MULTILINE)
FENCES = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="makes the bytecode of Debian 12's CPython"
)


@pytest.fixture(scope="module")
def shown():
    """The service as the page starts it, but for the ports; answers with what turns the page's into these."""
    assert SERVE == "belljar pysandbox --ports 1765-1774"
    port = free_port()
    with command.scratch_folder("page-") as folder, Pysandbox(folder, "--ports", port) as service:
        yield lambda text: text.replace("127.0.0.1:1765", f"127.0.0.1:{port}").replace("127.0.0.1:8000", "{}:{}".format(*service.address))


def test_the_requests_answer_as_shown(shown):
    assert len(COMMANDS) == 2
    answers = [
        subprocess.run(["bash", "-c", shown(each)], capture_output=True, text=True, timeout=60, check=True).stdout
        for each in COMMANDS
    ]
    assert answers == ['{"result":{"out":"","err":""}}', '{"result":{"out":"21\\n","err":""}}']
    assert f"The second answers `{answers[1]}`" in PAGE


def test_the_example_prints_what_is_shown(shown):
    at = next(at for at, (kind, _) in enumerate(FENCES) if kind == "python")
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent / "clients/python"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", shown(FENCES[at][1])], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == (FENCES[at + 1][1], "")


def test_the_policy_is_one():
    (text,) = [text for kind, text in FENCES if kind == "toml"]
    assert tomllib.loads(text)["guard"]["python"] == "namekeeper"
    with command.scratch_folder("page-") as folder:
        (folder / "policy.toml").write_text(text)
        outcome = one.outcome_of({"source": "import os\nprint(os)"}, "cold", "--policy", str(folder / "policy.toml"))
    assert outcome["stages"][-1]["stdout"]["text"] == "None\n"
