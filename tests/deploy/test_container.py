"""The service in a container that has what deploy/compose.yaml gives it, and nothing more."""

import json
import pathlib
import time

import pytest
import yaml
from containers import daemon, images

ROOT = pathlib.Path(__file__).resolve().parents[2]

ASK = """
import json, sys, urllib.request
request = urllib.request.Request("http://127.0.0.1:8000/v1/runs?wait=1", sys.argv[1].encode(),
                                 {"Content-Type": "application/json", "Authorization": "Bearer " + sys.argv[2]})
print(urllib.request.urlopen(request).read().decode())
"""


@pytest.fixture(scope="module")
def docker():
    with daemon.docker_with(images.ACCOUNTS) as engine:
        yield engine


def flags_of(service):
    flags = ["--user", "1000:1000", "--network", "none", "--tmpfs", "/var/lib/belljar:uid=1000,gid=1000"]
    flags += ["--env", "BELLJAR_LISTEN=0.0.0.0:8000", "--env", "BELLJAR_STATE_DIR=/var/lib/belljar"]
    return [*flags, *daemon.flags_of(service, ROOT / "deploy")]


@pytest.fixture(scope="module")
def container(docker):
    """Its id and a key. The key is made inside: what starts first waits for it."""
    compose = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]["belljar"]
    script = "belljar keys create --for test > /tmp/key && exec belljar serve"
    started = docker.call("run", "--detach", *flags_of(compose), docker.image, "sh", "-c", script)
    assert started.returncode == 0, started.stderr
    name = started.stdout.strip()
    try:
        deadline = time.monotonic() + 60
        while '"event":"ready"' not in docker.call("logs", name).stderr:
            assert time.monotonic() < deadline, docker.call("logs", name).stderr
            time.sleep(0.1)
        yield name, docker.call("exec", name, "cat", "/tmp/key").stdout.split()[1]
    finally:
        docker.call("rm", "--force", name)


def run(docker, container, request):
    name, key = container
    done = docker.call("exec", name, "python3", "-c", ASK, json.dumps(request), key)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_run_has_the_walls_that_the_document_promises(docker, container):
    answer = run(docker, container, {"language": "python", "source": "print(6 * 7)"})
    stage = answer["outcome"]["stages"][-1]
    assert stage["stdout"]["text"] == "42\n"
    assert set(stage["missing_walls"]) == {
        "private-devices", "memory-limit", "process-limit", "cpu-limit", "cpu-bill"
    }  # fmt: skip


def test_the_clock_holds(docker, container):
    request = {"language": "python", "source": "while True: pass", "limits": {"wall": "500ms"}}
    assert run(docker, container, request)["status"] == "timeout"


def test_without_a_key_it_does_not_start(docker):
    compose = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]["belljar"]
    done = docker.call("run", "--rm", *flags_of(compose), docker.image, "belljar", "serve")
    assert done.returncode != 0
    assert "belljar keys create" in done.stderr.replace("\n", " ")
