"""The units of deploy/, started by systemd as the comments at their top and docs/operations.md tell an operator to."""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))

from support.client import PATIENCE, Client  # noqa: E402 - after the path above
from support.command import scratch_folder, wait_until  # noqa: E402
from support.nats_wire import nats_server  # noqa: E402
from support.postgres import Postgres  # noqa: E402
from support.service import out_of  # noqa: E402

DEPLOY = ROOT / "deploy"
BELLJAR = "/usr/local/bin/belljar"
ETC = pathlib.Path("/etc/belljar")
CGROUPS = pathlib.Path("/sys/fs/cgroup")
LONG = 3 * PATIENCE  # for what starts with emulated processors
MISSING = {"landlock-scope"}  # what this 6.1 kernel cannot have
HELLO = "print(6 * 7)"
SLOW = "import time\nprint('begun', flush=True)\ntime.sleep(5)\nprint('ended')"

pytestmark = pytest.mark.skipif(
    os.environ.get("BELLJAR_TEST_EMULATED") != "1", reason="it installs services: for the guest of tests/vm alone"
)


def do(*words, code=0, **named):
    """What it says. It has to end with that code."""
    done = subprocess.run(
        list(map(str, words)), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONG, check=False,
        **named,
    )  # fmt: skip
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}{journal()}"
    return done.stdout


def journal(unit="belljar*"):
    done = subprocess.run(["journalctl", "--no-pager", "-q", "-o", "short-monotonic", "-n", "40", "-u", unit],
                          capture_output=True, text=True, check=False)  # fmt: skip
    return f"\n--- the journal's end\n{done.stdout}{done.stderr}"


class Unit:
    def __init__(self, name):
        self.name = name

    def install(self):
        do("install", "-m", "644", DEPLOY / f"{self.name}.service", "/etc/systemd/system/")

    def enable(self, *options):
        do("systemctl", "daemon-reload")
        do("systemctl", "enable", "--now", *options, self.name)

    def tells(self, event):
        wait_until(lambda: f'"event":"{event}"' in journal(self.name), f"{self.name} to tell {event}", LONG)

    def stop(self):
        do("systemctl", "stop", self.name)

    def show(self, name):
        return do("systemctl", "show", "--value", "-p", name, self.name).strip()

    @property
    def main(self):
        return int(self.show("MainPID"))

    @property
    def group(self):
        return CGROUPS / "system.slice" / f"{self.name}.service"

    def processes(self):
        """What /proc says of each process of the unit, by its role: the second of its words."""
        found = {}
        for pid in (self.group / "cgroup.procs").read_text().split():
            # What ends meanwhile is none.
            with contextlib.suppress(OSError):
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
                # The first of a name: what it forks has it too until it is executed.
                if len(words) > 1:
                    found.setdefault(words[1], dict(line.split(":\t", 1) for line in status.splitlines()))
        return found

    def inside(self, *words, code=0):
        """A command among the mounts of the unit's first process."""
        return do("nsenter", "-t", self.main, "-m", "--", *words, code=code)


class Service:
    """What answers HTTP at the address of its settings."""

    def __init__(self, key):
        self.key = key

    def call(self, method, target, body=None, patience=LONG):
        with Client("127.0.0.1", 8000, patience) as client:
            return client.call(method, target, body, key=self.key)

    def run(self, source):
        def ask():
            answer = self.call("POST", "/v1/runs?wait=1", {"language": "python", "source": source})
            # A gateway that has just begun may not have heard of its worker yet.
            return answer if answer.status != 503 else None

        answer = wait_until(ask, "somebody to run it", LONG)
        assert answer.status == 200, f"{answer}{journal()}"
        return answer.json

    def begin(self, source, **fields):
        """The id of a run that has begun."""
        answer = self.call("POST", "/v1/runs", {"language": "python", "source": source, **fields})
        assert answer.status == 202, answer
        run = answer.json["id"]
        wait_until(lambda: self.look(run)["state"] == "running", "the run to begin", LONG)
        # What is looked for once all has ended is seen while it is there.
        assert cells() and belljars()
        return run

    def look(self, run, wait=False):
        answer = self.call("GET", f"/v1/runs/{run}{'?wait=1' if wait else ''}")
        assert answer.status == 200, answer
        return answer.json


def assert_hello(run):
    """It printed what it had to, in a cell with all walls that this kernel has."""
    assert out_of(run) == "42\n", run
    assert set(run["outcome"]["stages"][-1]["missing_walls"]) == MISSING


def mode(path):
    """Owner, group and mode."""
    state = os.stat(path)
    return state.st_uid, state.st_gid, state.st_mode & 0o7777


def belljars():
    """The processes of Belljar, whatever they are called, and what runs in cells."""
    found = set()
    for each in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (each / "cmdline").read_bytes().split(b"\0")
            own = os.readlink(each / "exe").startswith(BELLJAR)
            if own or "/belljar" in (each / "cgroup").read_text():
                found.add((int(each.name), b" ".join(words)))
    return found


def cells():
    return [each for each in (CGROUPS / "belljar").glob("**/*") if each.is_dir()]


def mounts():
    lines = pathlib.Path("/proc/1/mountinfo").read_text().splitlines()
    return sorted(line.split()[4] for line in lines)


class Traces:
    """What was there before; nothing else may be there after."""

    def __init__(self):
        self.mounts = mounts()
        self.folders = self._folders()
        assert not belljars()

    @staticmethod
    def _folders():
        folders = ("/run", "/run/credentials", "/tmp", "/var/tmp", "/dev/shm")
        return {str(each) for folder in folders for each in pathlib.Path(folder).glob("*belljar*")}

    def assert_none(self, unit, *kept):
        assert unit.show("ActiveState") == "inactive" and unit.show("Result") == "success", journal()
        assert unit.show("ExecMainStatus") == "0"
        assert not belljars()
        assert not unit.group.exists()
        assert not cells()
        # systemd may remove what was the unit's /tmp a moment after it has stopped.
        wait_until(lambda: self._folders() - self.folders == set(kept), "its temporary folders to go", LONG)
        assert mounts() == self.mounts


@pytest.fixture(scope="module", autouse=True)
def installed():
    assert pathlib.Path("/proc/1/comm").read_text() == "systemd\n"
    folder = pathlib.Path(os.environ["BELLJAR"]).parent
    do("install", folder / "belljar", folder / "belljar-fleet", "/usr/local/bin")
    ETC.mkdir()


# ---- One machine ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def traces():
    return Traces()


@pytest.fixture(scope="module")
def alone(traces):
    unit = Unit("belljar")
    unit.install()
    do("install", "-m", "644", DEPLOY / "belljar.toml", ETC)
    unit.enable()
    yield unit
    subprocess.run(["systemctl", "stop", unit.name], check=False)


@pytest.fixture(scope="module")
def service(alone):
    return Service(do(BELLJAR, "keys", "create", "--for", "ada").split()[1])


def test_the_service_runs_a_program_in_a_whole_cell(alone, service):
    assert alone.show("ActiveState") == "active" and alone.show("UnitFileState") == "enabled"
    assert_hello(service.run(HELLO))
    # Its settings are heard: they ask for a key.
    assert Service(None).call("POST", "/v1/runs?wait=1", {"language": "python", "source": HELLO}).status == 401


def test_it_shares_the_host_with_who_runs_a_program_beside_it(alone, service):
    with scratch_folder("program-") as folder:
        program = folder / "program.py"
        program.write_text(HELLO)
        said = json.loads(do(BELLJAR, "run", "--json", program))
    assert_hello({"outcome": said})
    assert_hello(service.run(HELLO))


def test_each_process_is_who_it_has_to_be(alone):
    processes = alone.processes()
    assert {"serve", "gateway", "warden"} <= set(processes)
    bounds = alone.show("CapabilityBoundingSet").split()
    for role in ("serve", "warden"):
        assert processes[role]["Uid"].split() == ["0"] * 4
        assert bin(int(processes[role]["CapBnd"], 16)).count("1") == len(bounds) == 11
        assert processes[role]["NoNewPrivs"] == "1"
    gateway = processes["gateway"]
    assert set(gateway["Uid"].split()).isdisjoint("0") and set(gateway["Gid"].split()).isdisjoint("0")
    assert [int(gateway[name], 16) for name in ("CapBnd", "CapPrm", "CapEff", "CapAmb", "CapInh")] == [0] * 5


def test_each_folder_is_whose_it_has_to_be(alone):
    gateway = int(alone.processes()["gateway"]["Uid"].split()[0])
    assert mode("/var/lib/belljar") == (gateway, gateway, 0o700)
    assert mode("/var/lib/belljar/ledger.db") == (gateway, gateway, 0o600)
    assert mode("/run/belljar") == (0, 0, 0o700)
    assert mode("/var/cache/belljar") == (0, 0, 0o755)


def test_the_host_is_read_only_for_it(alone):
    for folder in ("/var/lib/belljar", "/run/belljar", "/var/cache/belljar", "/tmp"):
        alone.inside("touch", f"{folder}/planted")
        alone.inside("rm", f"{folder}/planted")
    for folder in ("/", "/etc", "/etc/belljar", "/usr/local/bin", "/var/lib"):
        alone.inside("touch", f"{folder}/planted", code=1)
    do("test", "-w", "/proc/sys/kernel/hostname")
    alone.inside("test", "-w", "/proc/sys/kernel/hostname", code=1)
    assert alone.inside("ls", "-A", "/root", "/home").split() == ["/home:", "/root:"]
    assert os.listdir("/home")


def test_a_cell_that_dies_for_its_memory_is_no_matter_of_the_unit(alone, service):
    main = alone.main
    assert service.run("x = 'a' * 1000000000")["status"] == "memory_limit"
    assert alone.show("ActiveState") == "active" and alone.main == main
    assert_hello(service.run(HELLO))


def test_a_supervisor_that_is_killed_is_started_again(alone, service):
    before = belljars()
    main = alone.main
    run = service.begin("import time\ntime.sleep(600)", limits={"wall": "700s"})
    os.kill(main, 9)
    wait_until(lambda: alone.main not in (0, main) and alone.show("ActiveState") == "active", "the next one", LONG)
    assert alone.show("NRestarts") == "1"
    wait_until(lambda: not before & belljars(), "those of the first one to end", LONG)
    assert service.call("POST", f"/v1/runs/{run}/cancel").status in (200, 202)
    assert_hello(service.run(HELLO))


def test_what_runs_may_end_before_it_stops_and_nothing_stays(alone, service, traces):
    run = service.begin(SLOW)
    alone.stop()
    # The leases are those of every `belljar run` of root.
    traces.assert_none(alone, "/run/belljar")
    (ended,) = [each for each in map(json.loads, do(BELLJAR, "history", "--json").splitlines())
                if each["id"] == run]  # fmt: skip
    assert ended["state"] == "done" and ended["status"] == "ok", ended


# ---- A fleet ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates():
    """As docs/operations.md has them made: where an operator keeps them."""
    folder = pathlib.Path("/root/fleet-tls")
    do(DEPLOY / "fleet-certificates.sh", "-w", "worker-1", folder)
    return folder


@pytest.fixture(scope="module")
def ledger(certificates):
    """PostgreSQL with the certificate, the password and the database of deploy/gateway.toml."""
    password = (certificates / "ledger-password").read_text().strip()
    tls = (certificates / "ledger.crt", certificates / "ledger.key")
    with scratch_folder("ledger-") as folder, Postgres(folder / "postgres", password, tls) as server:
        server.sql("CREATE DATABASE belljar")
        yield server


@pytest.fixture(scope="module")
def nats(certificates):
    """What starts one node in place of three: deploy/nats.conf without its cluster."""
    folder = pathlib.Path("/etc/nats")
    (folder / "tls").mkdir(parents=True)
    for name in ("ca.crt", "nats.crt", "nats.key", "users.conf"):
        do("install", "-m", "600", certificates / name, folder / "tls")
    text, cut = re.subn(r"(?ms)^cluster \{\n.*?^\}\n", "", (DEPLOY / "nats.conf").read_text())
    assert cut == 1
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("NATS_NAME", "nats-1")
        yield lambda: stack.enter_context(nats_server(folder, text, 4222))


def install_settings(name, *changes):
    text = (DEPLOY / name).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (ETC / name).write_text(text)


# What only root may read where it is kept.
SECRETS = ("gateway.key", "ledger-password")
ONE_NODE = ('"tls://nats-1:4222,tls://nats-2:4222,tls://nats-3:4222"', '"tls://nats-1:4222"')


@pytest.fixture(scope="module")
def fleet(certificates, ledger, nats, traces):
    """A gateway and a worker, begun before what they wait for is there."""
    gateway, worker = Unit("belljar-gateway"), Unit("belljar-worker")
    hosts = pathlib.Path("/etc/hosts")
    hosts.write_text(hosts.read_text() + "127.0.0.1 nats-1 ledger\n")
    do("install", "-m", "644", *(certificates / name for name in ("ca.crt", "gateway.crt")), ETC)
    do("install", "-m", "600", *(certificates / name for name in SECRETS), ETC)
    for name, permissions in (("crt", "644"), ("key", "600")):
        do("install", "-m", permissions, certificates / f"workers/worker-1.{name}", ETC / f"worker.{name}")
    install_settings("gateway.toml", ONE_NODE, ("fleet_replicas = 3", "fleet_replicas = 1"),
                     ("@ledger/belljar?", f"@ledger:{ledger.port}/belljar?"))  # fmt: skip
    install_settings("worker.toml", ONE_NODE)
    ledger.stop()
    try:
        for unit in (gateway, worker):
            unit.install()
            unit.enable("--no-block")
        gateway.tells("ledger_away")
        ledger.start()
        for unit in (gateway, worker):
            unit.tells("fleet_away")
            assert unit.show("ActiveState") == "activating"
            # However long that takes.
            assert unit.show("TimeoutStartUSec") == "infinity"
        nats()
        for unit in (gateway, worker):
            do("systemctl", "start", unit.name)
        yield gateway, worker
    finally:
        subprocess.run(["systemctl", "stop", gateway.name, worker.name], check=False)


@pytest.fixture(scope="module")
def front(fleet):
    """What answers at the gateway's address."""
    (line,) = [line for line in (ETC / "gateway.toml").read_text().splitlines() if line.startswith("ledger =")]
    url = line.split('"')[1]
    words = ["keys", "create", "--for", "ada", "--ledger", url, "--ledger-password-file", ETC / "ledger-password"]
    return Service(do(BELLJAR, *words).split()[1])


def test_the_fleet_runs_a_program_in_a_whole_cell(fleet, front):
    for unit in fleet:
        assert unit.show("ActiveState") == "active" and unit.show("UnitFileState") == "enabled"
        assert unit.show("NRestarts") == "0"
    assert_hello(front.run(HELLO))
    assert Service(None).call("POST", "/v1/runs?wait=1", {"language": "python", "source": HELLO}).status == 401


def test_nothing_of_the_gateway_is_root(fleet):
    gateway, worker = fleet
    processes = gateway.processes()
    assert {"serve", "gateway"} <= set(processes)
    users = {each for process in processes.values() for name in ("Uid", "Gid") for each in process[name].split()}
    assert len(users) == 1 and 61184 <= int(*users) <= 65519, "a dynamic user"
    for process in processes.values():
        assert [int(process[name], 16) for name in ("CapBnd", "CapPrm", "CapEff", "CapAmb", "CapInh")] == [0] * 5
        assert process["NoNewPrivs"] == "1"
    # Of the worker some is.
    assert worker.processes()["warden"]["Uid"].split() == ["0"] * 4
    assert set(worker.processes()["fleet-worker"]["Uid"].split()).isdisjoint("0")


def as_user(uid, *words, code=0):
    return do("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--", *words, code=code)


def test_the_gateways_secrets_are_for_it_and_for_root(fleet):
    gateway, _ = fleet
    user = gateway.processes()["serve"]["Uid"].split()[0]
    loaded = pathlib.Path("/run/credentials/belljar-gateway.service")
    for name in SECRETS:
        as_user(user, "cat", loaded / name)
        as_user(1000, "cat", loaded / name, code=1)
        as_user(user, "cat", ETC / name, code=1)
        as_user(user, "cat", ETC / "ca.crt")
        assert (loaded / name).read_bytes() == (ETC / name).read_bytes()


def test_each_folder_of_a_fleet_is_whose_it_has_to_be(fleet):
    gateway, worker = fleet
    user = int(gateway.processes()["serve"]["Uid"].split()[0])
    assert os.readlink("/var/lib/belljar-gateway") == "private/belljar-gateway"
    assert mode("/var/lib/belljar-gateway") == (user, user, 0o700)
    assert mode("/run/belljar-gateway") == (user, user, 0o700)
    assert os.listdir("/var/lib/belljar-gateway")
    user = int(worker.processes()["fleet-worker"]["Uid"].split()[0])
    assert mode("/var/lib/belljar-worker") == (user, user, 0o700)
    assert mode("/run/belljar") == (0, 0, 0o700)


def test_the_host_is_read_only_for_a_fleet(fleet):
    for unit, own in zip(fleet, ("/var/lib/private/belljar-gateway", "/var/lib/belljar-worker")):
        unit.inside("touch", f"{own}/planted")
        unit.inside("rm", f"{own}/planted")
        for folder in ("/", "/etc/belljar", "/usr/local/bin", "/var/lib"):
            unit.inside("touch", f"{folder}/planted", code=1)


def test_a_gateway_that_is_killed_is_started_again(fleet, front):
    gateway, _ = fleet
    before = belljars()
    main = gateway.main
    os.kill(main, 9)
    wait_until(lambda: gateway.main not in (0, main) and gateway.show("ActiveState") == "active", "the next one", LONG)
    assert gateway.show("NRestarts") == "1" and main in {pid for pid, _ in before}
    assert_hello(front.run(HELLO))


def test_what_a_worker_has_may_end_before_it_stops_and_nothing_stays(fleet, front, traces):
    gateway, worker = fleet
    assert set(mounts()) - set(traces.mounts) == {"/run/credentials/belljar-gateway.service"}
    run = front.begin(SLOW)
    worker.stop()
    ended = front.look(run, wait=True)
    assert ended["status"] == "ok" and ended["attempts"] == 1, ended
    assert out_of(ended) == "begun\nended\n"
    gateway.stop()
    # The leases are those of every `belljar run` of root.
    for unit in fleet:
        traces.assert_none(unit, "/run/belljar")
