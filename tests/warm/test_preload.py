"""A hostile module that is imported ahead reaches nothing, and runs go on; who begins with what is
large; interpreters side by side."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

import pytest

from one import HERE, outcome_of
from support.command import ROOT, scratch_folder, wait_until
from support.service import live_service
from test_channels import run, warm

PROGRAM = """
import json, os, sys
ahead = "belljar_hostile" in sys.modules
print(ahead, sys.modules["belljar_hostile"].found if ahead else [], sorted(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task")))
"""
COLD_PROGRAM = "import json\nprint('went on')\n"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a folder in /opt")


@pytest.fixture(scope="module")
def venv():
    """An interpreter of its own where cells can see it."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="belljar-test-", dir="/opt"))
    place.chmod(0o755)
    try:
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", str(place)], check=True, timeout=60)
        yield place
    finally:
        shutil.rmtree(place)


@pytest.fixture
def place():
    with scratch_folder("warm-runtimes-") as made:
        yield made


@pytest.fixture
def outside():
    """A secret file and a port of the host's."""
    with tempfile.TemporaryDirectory(prefix="warm-canary-") as folder, socket.socket() as server:
        os.chmod(folder, 0o755)
        secret = pathlib.Path(folder, "secret")
        secret.write_text("secret")
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(0)
        yield secret, server
        assert secret.read_text() == "secret" and len(os.listdir(folder)) == 1
        with pytest.raises(BlockingIOError):
            server.accept()


def manifests(folder, venv, preload):
    text = (ROOT / "runtimes/python.toml").read_text()
    text = text.replace('tool = ["/usr/bin/python3", "/usr/local/bin/python3"]', f'tool = ["{venv}/bin/python3"]')
    text = text.replace('mounts = ["/etc/python3.*"]', f'mounts = ["/etc/python3.*", "{venv}"]')
    begin, end = text.index("preload = ["), text.index("]", text.index("preload = ["))
    text = text[:begin] + "preload = [" + ", ".join(f'"{name}"' for name in preload) + text[end:]
    place = pathlib.Path(folder, "runtimes")
    place.mkdir()
    (place / "python.toml").write_text(text)
    return place


def plant(venv, what, secret, port):
    text = (HERE / "hostile_module.py").read_text()
    for name, value in (("CANARY", secret), ("PORT", port), ("PID", os.getpid()), ("WHAT", what)):
        text = text.replace(f"@{name}@", str(value))
    (folder,) = venv.glob("lib/python3*/site-packages")
    (folder / "belljar_hostile.py").write_text(text)
    return folder / "belljar_hostile.py"


def test_the_module_finds_holes_where_there_are_some(venv, outside):
    secret, server = outside
    module = plant(venv, "nothing", secret, server.getsockname()[1])
    source = module.read_text().split("for path in (\"/etc/hole\"")[0] + "\nprint(found)\n"
    done = subprocess.run(["/usr/bin/python3", "-c", source], capture_output=True, text=True, timeout=60, check=True)
    assert f"read {secret}" in done.stdout and "list /var/lib" in done.stdout


@pytest.mark.parametrize("what", ["nothing", "thread", "raise", "fork", "print"])
def test_a_hostile_module_reaches_nothing(leaves_nothing, place, venv, outside, what):
    secret, server = outside
    plant(venv, what, secret, server.getsockname()[1])
    folder = manifests(place, venv, ["json", "belljar_hostile"])
    outcome = outcome_of({"source": PROGRAM}, "interpreter", "--runtimes", str(folder))
    stage = outcome["stages"][-1]
    ahead = "False" if what in ("raise", "print") else "True"
    if stage["start"] != "interpreter":  # left out as a whole, which is as good
        ahead = "False"
    assert stage["stdout"]["text"].startswith(f"{ahead} [] ['0', '1', '2', '3'] 1"), stage
    assert stage["stderr"]["text"] == ""


@pytest.mark.parametrize("what", ["hang", "exit"])
def test_runs_go_on_where_a_module_does_not_come_back(leaves_nothing, place, venv, outside, what):
    secret, server = outside
    plant(venv, what, secret, server.getsockname()[1])
    folder = manifests(place, venv, ["belljar_hostile"])
    with live_service("--concurrent", "2", "--pool", "2", "--runtimes", str(folder)) as service:
        for _ in range(4):
            stage = run(service, source=COLD_PROGRAM)
            assert (stage["status"], stage["stdout"]["text"]) == ("ok", "went on\n")
            assert stage["start"] in ("cold", "cell")


AHEAD = "import json, sys\nprint('belljar_heavy' in sys.modules)\n"
IMPORTS_NOTHING = "import sys\nprint('json' in sys.modules)\n"
NAMES_IT = AHEAD + "import belljar_heavy\nprint(belljar_heavy.__file__)\n"


@pytest.fixture
def heavy(place, venv):
    """Manifests with a module that only programs that name it begin with, and where it lies."""
    (folder,) = venv.glob("lib/python3*/site-packages")
    module = folder / "belljar_heavy.py"
    module.write_text("")
    made = manifests(place, venv, ["json"])
    file = made / "python.toml"
    begin, _, rest = file.read_text().partition("preload_when_named = [")
    file.write_text(begin + 'preload_when_named = ["belljar_heavy", "belljar_missing"' + rest[rest.index("]") :])
    yield made, module
    module.unlink()


@pytest.mark.parametrize(
    "source, files, ahead",
    [
        (IMPORTS_NOTHING, {}, False),
        (AHEAD, {}, False),
        (AHEAD, {"notes.txt": "import belljar_heavy\n"}, False),
        (AHEAD, {"helper.py": "from belljar_heavy import nothing\n"}, True),
        (AHEAD + "import json  # and not belljar_missing\n", {}, True),
        (NAMES_IT, {}, True),
    ],
)
def test_what_is_large_is_there_for_programs_that_name_it(heavy, source, files, ahead):
    folder, module = heavy
    stage = outcome_of({"source": source, "files": files}, "interpreter", "--runtimes", str(folder))["stages"][-1]
    said = [str(ahead), *([str(module)] if source == NAMES_IT else [])]
    assert (stage["start"], stage["stdout"]["text"].split()) == ("interpreter", said), stage


def test_a_file_beside_the_program_comes_before_what_is_large(heavy):
    folder, _ = heavy
    program = {"source": NAMES_IT, "files": {"belljar_heavy.py": ""}}
    outcomes = [outcome_of(program, way, "--runtimes", str(folder)) for way in ("cold", "interpreter")]
    for outcome in outcomes:
        assert outcome["stages"][-1]["stdout"]["text"] == "False\n/box/belljar_heavy.py\n", outcome


def zygotes(service, venv):
    """The interpreters that are children of the wardens themselves."""
    word = f"{venv}/bin/python3".encode()
    found = []
    for warden in service.wardens:
        for child in warden.children():
            with contextlib.suppress(OSError):
                if child.words()[0] == word:
                    found.append(child)
    return found


def test_each_kind_of_programs_keeps_an_interpreter(leaves_nothing, heavy, venv):
    folder, module = heavy
    with live_service("--concurrent", "2", "--pool", "3", "--runtimes", str(folder)) as service:
        warm(service)
        # What nobody names is not imported for anybody. A cell that is being made looks like a zygote.
        wait_until(lambda: len(zygotes(service, venv)) == 2, "a zygote for what is light, and one for the rest")
        warm(service, NAMES_IT)
        programs = [(IMPORTS_NOTHING, "False\n"), (AHEAD, "False\n"), (NAMES_IT, f"True\n{module}\n")]
        for source, said in programs * 10:
            stage = run(service, source=source)
            assert (stage["start"], stage["stdout"]["text"]) == ("interpreter", said), stage
        wait_until(lambda: len(zygotes(service, venv)) == 3, "one more zygote")


def test_two_interpreters_side_by_side(leaves_nothing, place, venv):
    folder = manifests(place, venv, ["json", "random"])
    text = (folder / "python.toml").read_text()
    text = text.replace('name = "python"', 'name = "other"').replace('aliases = ["python3", "py"]', 'aliases = ["otherpython"]')
    text = text.replace('extensions = [".py"]', 'extensions = [".opy"]')
    text = text.replace('file = "hello.py"', 'file = "hello.opy"').replace('"main.py", "__main__.py"', '"main.opy"')
    (folder / "python.toml").unlink()
    (folder / "other.toml").write_text(text)
    source = "import sys\nprint(sys.prefix, sys.executable, sys.prefix != sys.base_prefix)\n"
    with live_service("--concurrent", "2", "--pool", "4", "--runtimes", str(folder)) as service:
        warm(service)
        stage = run(service, source=source)
        assert (stage["start"], stage["stdout"]["text"]) == ("interpreter", "/usr /usr/bin/python3 False\n")
        starts = []
        for _ in range(30):
            stage = service.run(source, "other")["outcome"]["stages"][-1]
            assert stage["stdout"]["text"] == f"{venv} {venv}/bin/python3 True\n", stage
            starts.append(stage["start"])
            if stage["start"] == "interpreter":
                break
        assert starts[-1] == "interpreter"
        again = run(service, source=source)
        assert (again["start"], again["stdout"]["text"]) == ("interpreter", "/usr /usr/bin/python3 False\n")
