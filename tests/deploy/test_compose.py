"""deploy/fleet-compose.yaml is started with the commands that it names, and its fleet works.

Docker is a daemon of the test's own, on a host of its own. The images have the names that the file gives them and are
made of what is installed here, for no registry is asked: Debian's nats-server and PostgreSQL, whose containers are
given what the file gives to the official ones, and Belljar with what deploy/Containerfile says of its image.

The docker-compose of Debian 12 passes on `systempaths=unconfined`, which is Docker's own client's to carry out, so the
workers are started by that, with what the file gives them.
"""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess

import pytest
import yaml
from containers import daemon, images
from support.client import PATIENCE, Client
from support.command import scratch_folder, wait_until
from support.network import Network, reason_against

ROOT = pathlib.Path(__file__).resolve().parents[2]

COMPOSE = shutil.which("docker-compose", path=images.SEARCH)
GATEWAYS = {"gateway-1": 8001, "gateway-2": 8002}
WORKERS = [f"worker-{n}" for n in (1, 2, 3)]
PROJECT = "fleet"
FILE = "fleet-compose.yaml"
FILE_WITHOUT_WORKERS = "fleet-compose-without-workers.yaml"
LONG = 3 * PATIENCE
POSTGRES = pathlib.Path("/usr/lib/postgresql/15/bin")
# What the file wants of the official image's entrypoint.
START_POSTGRES = """#!/bin/sh
set -eu
export PGDATA=/var/lib/postgresql/data PATH=$PATH:/usr/lib/postgresql/15/bin
if [ ! -e "$PGDATA/PG_VERSION" ]; then
  cp "$POSTGRES_PASSWORD_FILE" /tmp/password
  chown postgres:postgres /tmp/password "$PGDATA"
  postgres_does() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
  postgres_does initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-host=scram-sha-256 $POSTGRES_INITDB_ARGS
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  echo "CREATE DATABASE $POSTGRES_DB" | postgres_does postgres --single postgres
fi
exec setpriv --reuid=postgres --regid=postgres --clear-groups "$@" -c listen_addresses='*'
"""

pytestmark = [
    pytest.mark.skipif(COMPOSE is None, reason="docker-compose is not installed (Debian: docker-compose)"),
    pytest.mark.skipif(bool(reason_against()), reason=reason_against()),
]


def write_belljar(root):
    images.add_belljar(root, images.ACCOUNTS)
    root.folder("var/lib")
    root.folder("var/lib/belljar", owner=1000)


def write_nats(root):
    root.program("nats-server")
    root.folder("data")


def write_postgres(root):
    for name in ("dash", "install", "cp", "chown", "setpriv"):
        root.program(name)
    for name in ("postgres", "initdb", "pg_isready"):
        root.program(str(POSTGRES / name))
    root.link("usr/bin/pg_isready", str(POSTGRES / "pg_isready"))
    root.tree("/usr/lib/postgresql/15/lib", re.compile(r"/(bitcode|llvmjit.*)$"))
    root.tree("/usr/share/postgresql/15")
    root.tree("/usr/share/zoneinfo/Etc")
    root.text("etc/passwd", "root:x:0:0::/:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\n")
    root.text("etc/group", "root:x:0:\npostgres:x:999:\n")
    root.text("usr/bin/docker-entrypoint.sh", START_POSTGRES, mode=0o755)
    for name in ("run/postgresql", "var/lib", "var/lib/postgresql", "var/lib/postgresql/data"):
        root.folder(name, owner=999 if "postgresql" in name else 0)


def said_of_the_image():
    """The lines of deploy/Containerfile that say how its image is started."""
    text = (ROOT / "deploy/Containerfile").read_text().replace("\\\n", " ")
    return re.findall(r"^(?:USER|ENV|VOLUME|EXPOSE|HEALTHCHECK|ENTRYPOINT|CMD) .*$", text, re.MULTILINE)


def make_images(docker, services):
    """Under the names that the file has."""
    official = {each["image"] for each in services.values()} - {"belljar"}
    (nats,) = [name for name in official if "/nats:2.9" in name]
    (postgres,) = [name for name in official if "/postgres:15" in name]
    assert official == {nats, postgres}
    docker.make_image("belljar", write_belljar, said_of_the_image())
    docker.make_image(nats, write_nats, ['ENTRYPOINT ["nats-server"]'])
    docker.make_image(postgres, write_postgres, ['VOLUME /var/lib/postgresql/data'])


class Composed:
    """The fleet of the file, as who follows its first lines has it."""

    def __init__(self, docker, folder, host):
        self.docker = docker
        self.host = host
        self._folder = folder
        whole = yaml.safe_load((folder / FILE).read_text())
        self._workers = {name: whole["services"].pop(name) for name in WORKERS}
        (folder / FILE_WITHOUT_WORKERS).write_text(yaml.safe_dump(whole))
        self._environment = {**os.environ, "DOCKER_HOST": docker.address, "COMPOSE_PROJECT_NAME": PROJECT}
        self.key = ""

    def call(self, *words, check=True):
        done = subprocess.run(words, cwd=self._folder, env=self._environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=LONG, check=False)  # fmt: skip
        assert not check or done.returncode == 0, (words, done.stdout, done.stderr)
        return done

    def compose(self, *words, **named):
        return self.call(COMPOSE, "-f", FILE_WITHOUT_WORKERS, *words, **named)

    def docker_does(self, *words):
        done = self.docker.call(*words, timeout=LONG)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def start(self):
        """With the commands that the file begins with."""
        head = (self._folder / FILE).read_text().partition("x-nats")[0]
        commands = [shlex.split(line, comments=True) for line in re.findall(r"^#   (\S.*)$", head, re.MULTILINE)]
        assert [command[-1] for command in commands] == ["fleet-tls", "build", "me", "-d"]
        for command in commands:
            if command[:4] != ["docker", "compose", "-f", FILE]:
                self.call(*command)
            elif command[4] == "run":
                self.key = re.search(r"\bbj_\w+", self.compose(*command[4:]).stdout).group()
            elif command[4] != "build":  # the images are there
                self.compose(*command[4:])
        for name, service in self._workers.items():
            (network,) = service["networks"]
            volumes = [word for each in service["volumes"] for word in ("--volume", each.replace("./", f"{self._folder}/", 1))]
            self.docker_does("run", "--detach", "--name", name, "--network", f"{PROJECT}_{network}", *volumes,
                             *daemon.flags_of(service, self._folder), service["image"], *service["command"])  # fmt: skip

    def tell(self, name, *words):
        """`docker-compose WORDS NAME`."""
        if name in self._workers:
            self.docker_does(*words, name)
        else:
            self.compose(*words, name)

    def stop(self):
        for name in self._workers:
            self.docker_does("stop", "--time", "45", name)
        self.compose("stop", "--timeout", "45")

    def start_again(self):
        self.compose("up", "-d")
        for name in self._workers:
            self.docker_does("start", name)

    def remove(self):
        self.docker.call("rm", "--force", *self._workers)
        self.compose("down", "--volumes", "--timeout", "60")

    def ask(self, gateway, method, target, body=None):
        with self.host.inside(), Client("127.0.0.1", GATEWAYS[gateway]) as client:
            return client.call(method, target, body, key=self.key)

    def is_ready(self, gateway):
        try:
            return self.ask(gateway, "GET", "/readyz").status == 200
        except OSError:
            return False

    def fleet(self):
        return json.loads(self.compose("exec", "-T", "gateway-1", "belljar", "fleet", "--json").stdout)

    def what_happened(self):
        logs = [self.compose("logs", "--no-color", "--tail=40", check=False).stdout]
        logs += [self.docker.call("logs", "--tail=40", name).stderr for name in self._workers]
        return "\n".join([self.compose("ps", check=False).stdout, *logs])


@pytest.fixture(scope="module")
def fleet():
    with Network(["docker"]) as network, scratch_folder("belljar-compose-") as folder:
        deploy = folder / "deploy"
        shutil.copytree(ROOT / "deploy", deploy)
        host = network.host("docker")
        try:
            with daemon.own_docker(host) as docker:
                make_images(docker, yaml.safe_load((deploy / FILE).read_text())["services"])
                composed = Composed(docker, deploy, host)
                try:
                    composed.start()
                    yield composed
                finally:
                    print(composed.what_happened())
                    composed.remove()
        except daemon.Unavailable as why:
            pytest.skip(str(why))
        wait_until(network.is_alone, "every process of that host to end", PATIENCE)


def wait_until_whole(fleet):
    for gateway in GATEWAYS:
        wait_until(lambda gateway=gateway: fleet.is_ready(gateway), f"{gateway} to be ready", LONG)
    wait_until(lambda: sorted(each["id"].partition(".")[0] for each in fleet.fleet()["workers"]) == WORKERS, "three workers", LONG)


def hello(fleet, gateway, text):
    answer = fleet.ask(gateway, "POST", "/v1/runs?wait", {"language": "python", "source": f"print('{text}')"})
    assert answer.status == 200, answer
    stage = answer.json["outcome"]["stages"][-1]
    assert stage["stdout"]["text"] == f"{text}\n", answer
    return answer.json["id"], stage


def test_a_run_of_either_gateway_is_seen_at_the_other(fleet):
    wait_until_whole(fleet)
    run, stage = hello(fleet, "gateway-1", "one")
    assert fleet.ask("gateway-2", "GET", f"/v1/runs/{run}").json["status"] == "ok"
    # As docs/operations.md says of a container without a cgroup of its own.
    assert set(stage["missing_walls"]) == {
        "private-devices", "memory-limit", "process-limit", "cpu-limit", "cpu-bill"
    }  # fmt: skip
    hello(fleet, "gateway-2", "two")


def test_a_worker_reaches_nats_and_neither_gateways_nor_the_ledger(fleet):
    wait_until_whole(fleet)
    reach = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3]))"

    def reaches(who, host, port, patience=10):
        words = ["python3", "-c", reach, host, str(port), str(patience)]
        return fleet.docker.call("exec", who, *words).returncode == 0

    assert reaches("worker-1", "nats-2", 4222)
    where = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    for name, port in (("ledger", 5432), ("gateway-2", 8000)):
        addresses = fleet.docker_does("inspect", "--format", where, f"{PROJECT}_{name}_1").split()
        assert addresses and all(reaches(f"{PROJECT}_gateway-1_1", each, port) for each in (name, *addresses))
        assert not any(reaches("worker-1", each, port, 1) for each in (name, *addresses))


def test_a_node_a_gateway_and_a_worker_may_fall(fleet):
    wait_until_whole(fleet)
    for fallen, other in (("nats-1", "gateway-1"), ("worker-2", "gateway-1"), ("gateway-1", "gateway-2")):
        fleet.tell(fallen, "kill")
        wait_until(lambda other=other: fleet.is_ready(other), "the rest to go on", LONG)
        hello(fleet, other, f"without {fallen}")
        fleet.tell(fallen, "start")
        wait_until_whole(fleet)
        hello(fleet, "gateway-1", f"with {fallen}")


def test_it_stops_without_losing_what_it_has_recorded(fleet):
    wait_until_whole(fleet)
    run, _ = hello(fleet, "gateway-1", "kept")
    fleet.stop()
    fleet.start_again()
    wait_until_whole(fleet)
    assert fleet.ask("gateway-2", "GET", f"/v1/runs/{run}").json["outcome"]["stages"][-1]["stdout"]["text"] == "kept\n"
