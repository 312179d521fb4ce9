"""The examples of the clients' pages print what the pages say."""

import os
import re
import subprocess
import sys

import pytest

from node import compile_all, package, run
from support.command import ROOT

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DEFAULT = "http://127.0.0.1:8000"


def examples(language):
    """Each program of that language, and the output that the page shows next."""
    found = []
    for page in ("clients/python/README.md", "clients/typescript/README.md", "docs/clients.md"):
        blocks = FENCE.findall((ROOT / page).read_text())
        for at, (kind, text) in enumerate(blocks):
            if kind == language:
                said = next(text for kind, text in blocks[at:] if kind == "")
                found.append(pytest.param(text, said, id=f"{page}-{at}"))
    return found


def test_each_page_has_an_example():
    assert [len(examples("python")), len(examples("ts"))] == [3, 2]


@pytest.mark.parametrize("text, said", examples("python"))
def test_a_python_example_prints_what_is_shown(url, text, said):
    assert DEFAULT in text
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "clients/python"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", text.replace(DEFAULT, url)], env=environment, capture_output=True,
                          stdin=subprocess.DEVNULL, text=True, timeout=60, check=False)  # fmt: skip
    assert (done.stdout, done.stderr) == (said, "")


@pytest.mark.parametrize("text, said", examples("ts"))
def test_a_typescript_example_prints_what_is_shown(url, tmp_path, text, said):
    assert DEFAULT in text
    (package(tmp_path) / "example.ts").write_text(text.replace(DEFAULT, url))
    compile_all(tmp_path)
    assert run("node", "example.js", cwd=tmp_path) == said
