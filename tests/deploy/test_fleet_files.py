"""The compose file, the units and the settings of a fleet fit one another and what one machine has."""

import configparser
import pathlib
import re
import shutil
import subprocess
import tomllib

import pytest
import yaml
from support.command import binary

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
INSTALLED = "/usr/local/bin/belljar"
UNITS = ("gateway", "worker")
each_unit = pytest.mark.parametrize("role", UNITS)


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DEPLOY / "fleet-compose.yaml").read_text())


@pytest.fixture(scope="module")
def services(compose):
    return compose["services"]


def of_role(services, role):
    return {name: each for name, each in services.items() if name.startswith(f"{role}-")}


# ---- The compose file -------------------------------------------------------------------------


def test_the_fleet_is_whole(services):
    assert sorted(services) == sorted(
        ["ledger", "gateway-1", "gateway-2", *(f"{role}-{n}" for role in ("nats", "worker") for n in (1, 2, 3))]
    )
    for each in of_role(services, "gateway").values():
        assert each["command"] == ["serve"]
    for each in of_role(services, "worker").values():
        assert each["command"] == ["worker"]


def test_a_worker_is_the_container_of_one_machine(services):
    """tests/deploy/test_container.py tries those flags."""
    alone = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["belljar"]
    for each in of_role(services, "worker").values():
        for name in ("image", "build", "security_opt", "cap_drop", "cap_add", "mem_limit", "pids_limit", "cpus"):
            assert each[name] == alone[name], name
        assert each["environment"].items() >= alone["environment"].items()
        assert "privileged" not in each


def test_a_worker_is_kept_from_the_ledger_and_the_world(compose, services):
    for each in of_role(services, "worker").values():
        assert each["networks"] == ["work"]
        assert "ledger" not in yaml.safe_dump(each).lower()
        assert "gateway" not in yaml.safe_dump(each["volumes"])
        assert "ports" not in each
    for name in ("work", "orders", "ledger"):
        assert compose["networks"][name] == {"internal": True}
    for name, each in services.items():
        assert ("work" in each["networks"]) == name.startswith(("worker-", "nats-")), name


def test_a_gateway_has_no_privilege(services):
    for each in of_role(services, "gateway").values():
        assert each["cap_drop"] == ["ALL"] and "cap_add" not in each
        assert each["security_opt"] == ["no-new-privileges:true"]
        assert each["read_only"] is True
        assert all(port.startswith("127.0.0.1:") for port in each["ports"])
        assert set(each["networks"]) == {"orders", "ledger", "outside"}


def test_no_two_share_a_port_or_a_volume(compose, services):
    ports = [port.rpartition(":")[0] for each in services.values() for port in each.get("ports", [])]
    assert len(set(ports)) == len(ports) == 2
    named = [volume.partition(":")[0] for each in services.values() for volume in each.get("volumes", [])
             if not volume.startswith(".")]  # fmt: skip
    assert sorted(named) == sorted(compose["volumes"])


def test_what_is_mounted_is_there(services, tmp_path):
    subprocess.run([DEPLOY / "fleet-certificates.sh", tmp_path / "fleet-tls"], check=True, timeout=60)
    seen = set()
    for each in services.values():
        for volume in each.get("volumes", []):
            source = volume.partition(":")[0]
            if source.startswith("./"):
                assert (DEPLOY / source).exists() or (tmp_path / source).exists(), source
                seen.add(source)
    assert "./nats.conf" in seen and "./fleet-tls/workers/worker-1.key" in seen
    # Below what is mounted there.
    inside = re.findall(r"/tls/([\w.-]+)", " ".join(services["ledger"]["entrypoint"]) + str(services["ledger"]["environment"]))
    inside += re.findall(r'"/etc/nats/tls/([\w.-]+)"', (DEPLOY / "nats.conf").read_text())
    assert len(set(inside)) >= 8
    for name in inside:
        assert (tmp_path / "fleet-tls" / name).exists(), name


def test_the_parts_find_one_another(services):
    conf = (DEPLOY / "nats.conf").read_text()
    nodes = sorted(of_role(services, "nats"))
    assert sorted(re.findall(r"nats://([\w-]+):6222", conf)) == nodes
    for name, each in of_role(services, "nats").items():
        assert each["environment"] == {"NATS_NAME": name}
    for role in UNITS:
        for each in of_role(services, role).values():
            assert each["environment"]["BELLJAR_FLEET"] == ",".join(f"tls://{node}:4222" for node in nodes)
            assert each["environment"]["BELLJAR_FLEET_REPLICAS"] == str(len(nodes))
            targets = {volume.split(":")[1] for volume in each["volumes"]}
            files = {value for name, value in each["environment"].items() if name.endswith("_FILE")}
            assert files <= targets
            assert any(f"/{role}" in volume and ".key:" in volume for volume in each["volumes"])


def test_each_worker_is_who_its_certificate_says(services):
    workers = of_role(services, "worker")
    for name, each in workers.items():
        assert each["environment"]["BELLJAR_FLEET_NAME"] == name
        files = [volume.split(":")[0] for volume in each["volumes"]]
        assert {f"./fleet-tls/workers/{name}.crt", f"./fleet-tls/workers/{name}.key"} <= set(files)
    users = subprocess.run([DEPLOY / "nats-users.sh", *workers], capture_output=True, text=True, check=True).stdout
    assert re.findall(r'user: "(.*)"', users) == ["gateway.belljar", *(f"{name}.worker.belljar" for name in workers)]
    settings = tomllib.loads((DEPLOY / "worker.toml").read_text())
    assert settings["fleet_name"] in workers


def test_the_environment_is_known(services, known_settings):
    for role in UNITS:
        for each in of_role(services, role).values():
            assert set(each["environment"]) <= known_settings


def drain():
    shown = subprocess.run([binary(), "config", "check"], capture_output=True, text=True, check=True).stdout
    return int(tomllib.loads(shown)["drain"].removesuffix("ms")) / 1000


def test_compose_stops_after_the_drain(services):
    for role in UNITS:
        for each in of_role(services, role).values():
            assert drain() + 5 < int(each["stop_grace_period"].removesuffix("s"))


# ---- The units --------------------------------------------------------------------------------


def unit(name):
    read = configparser.RawConfigParser(strict=False, delimiters=("=",))
    read.optionxform = str
    read.read_string((DEPLOY / f"{name}.service").read_text())
    return read


def lines(name):
    return {line for line in (DEPLOY / f"{name}.service").read_text().splitlines() if line and line[0] not in "#["}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (Debian: systemd)")
@each_unit
def test_systemd_understands_the_unit(role, tmp_path):
    def verify(text):
        path = tmp_path / f"belljar-{role}.service"
        path.write_text(text)
        return subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, check=False)

    text = (DEPLOY / f"belljar-{role}.service").read_text()
    assert INSTALLED in text
    text = text.replace(INSTALLED, binary())
    done = verify(text)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert "KillMod" in verify(text.replace("KillMode=mixed", "KillMod=mixed")).stderr


def test_a_workers_unit_is_that_of_one_machine_but_for_what_it_is():
    """tests/deploy/test_unit.py tries what that one takes away."""
    alone, worker = lines("belljar"), lines("belljar-worker")

    def names(found):
        return {line.partition("=")[0] for line in found}

    assert names(worker - alone) == names(alone - worker) | {"Wants"} == {
        "Description", "After", "Wants", "ExecStart", "StateDirectory"
    }  # fmt: skip


def test_a_gateways_unit_gives_it_nothing():
    service = unit("belljar-gateway")["Service"]
    assert service["CapabilityBoundingSet"] == ""
    assert service["DynamicUser"] == service["NoNewPrivileges"] == service["RestrictNamespaces"] == "yes"


def test_a_gateways_unit_hands_over_each_file_that_it_names():
    text = (DEPLOY / "belljar-gateway.service").read_text()
    loaded = set(re.findall(r"^LoadCredential=([\w.-]+):/etc/belljar/\1$", text, re.MULTILINE))
    named = set(re.findall(r"^Environment=BELLJAR_[A-Z_]+_FILE=%d/([\w.-]+)$", text, re.MULTILINE))
    assert loaded == named and len(loaded) == 4


@each_unit
def test_the_unit_names_its_settings_and_its_folder(role):
    service = unit(f"belljar-{role}")["Service"]
    settings = tomllib.loads((DEPLOY / f"{role}.toml").read_text())
    assert service["ExecStart"].endswith(f"--config /etc/belljar/{role}.toml")
    assert settings["state_dir"] == f"/var/lib/{service['StateDirectory']}"
    assert int(settings["drain"].removesuffix("s")) + 5 < int(service["TimeoutStopSec"])


# ---- The settings -----------------------------------------------------------------------------


def test_a_workers_settings_know_nothing_of_the_ledger():
    assert not [name for name in tomllib.loads((DEPLOY / "worker.toml").read_text()) if "ledger" in name]
    assert "ledger" in tomllib.loads((DEPLOY / "gateway.toml").read_text())


@each_unit
def test_the_settings_are_known(role, known_settings):
    names = re.findall(r'_setting\(\s*"([a-z-]+)"', (ROOT / "src/api/setting_fields.h").read_text())
    known = {name.replace("-", "_") for name in names}
    assert set(tomllib.loads((DEPLOY / f"{role}.toml").read_text())) <= known
