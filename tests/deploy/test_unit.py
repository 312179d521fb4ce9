"""The systemd unit is well formed, and what it takes away is nothing that the service needs."""

import configparser
import json
import os
import pathlib
import shutil
import subprocess

import pytest
from support.command import binary, scratch_folder
from support.service import LiveService

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy/belljar.service"
INSTALLED = "/usr/local/bin/belljar"
HELLO = {"language": "python", "source": "print(1)"}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="a capability can be taken only from root")


@pytest.fixture
def folder():
    with scratch_folder("belljar-deploy-") as made:
        yield made


def setting(name):
    unit = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    unit.optionxform = str
    unit.read_string(UNIT.read_text())
    return unit["Service"][name]


def verify(text, folder):
    path = folder / "belljar.service"
    path.write_text(text)
    return subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (Debian: systemd)")
def test_systemd_understands_the_unit(tmp_path):
    text = UNIT.read_text()
    assert INSTALLED in text
    text = text.replace(INSTALLED, binary())
    done = verify(text, tmp_path)
    assert done.returncode == 0 and not done.stderr, done.stderr
    planted = verify(text.replace("KillMode=mixed", "KillMod=mixed"), tmp_path)
    assert "KillMod" in planted.stderr


def test_the_unit_leaves_time_for_the_drain():
    shown = subprocess.run([binary(), "config", "check"], capture_output=True, text=True, check=True).stdout
    line = next(line for line in shown.splitlines() if line.startswith("drain = "))
    drain = int(line.split('"')[1].removesuffix("ms")) / 1000
    assert drain + 5 < int(setting("TimeoutStopSec"))


class Confined(LiveService):
    """Started with these capabilities and no others."""

    def __init__(self, capabilities, folder):
        self.words = ["setpriv", "--no-new-privs", "--inh-caps=-all",
                      "--bounding-set=" + ",".join(["-all", *(f"+{each}" for each in capabilities)])]  # fmt: skip
        super().__init__(folder)

    def command(self):
        return [*self.words, *super().command()]


def missing_walls(service):
    answer = service.call("POST", "/v1/runs?wait=1", HELLO)
    assert answer.status == 200, answer
    return set(answer.json["outcome"]["stages"][-1]["missing_walls"])


def capabilities():
    return [name.removeprefix("CAP_").lower() for name in setting("CapabilityBoundingSet").split()]


@as_root
def test_the_units_capabilities_are_enough(folder):
    with LiveService(folder / "free") as service:
        free = missing_walls(service)
    # Twice: the second finds a ledger that belongs to the gateway's user.
    for _ in range(2):
        with Confined(capabilities(), folder / "confined") as service:
            assert missing_walls(service) == free
            assert service.stop() == 0


# Not on the way of a run that ends by itself: to open the gateway's ledger, and to end another uid.
SELDOM = ("dac_override", "fowner", "kill")


@as_root
@pytest.mark.parametrize("name", [each for each in capabilities() if each not in SELDOM])
def test_the_unit_has_no_capability_too_many(name, folder):
    """Without any one of them a wall is missing, or nothing works."""
    program = folder / "hello.py"
    program.write_text("print(1)\n")

    def run(names):
        bounds = ",".join(["-all", *(f"+{each}" for each in names)])
        return subprocess.run(
            ["setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set={bounds}", binary(), "run", "--json",
             str(program)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    with_all = json.loads(run(capabilities()).stdout)["stages"][-1]["missing_walls"]
    done = run([each for each in capabilities() if each != name])
    assert done.returncode in (0, 125), done.stderr
    if done.returncode == 0:
        assert set(json.loads(done.stdout)["stages"][-1]["missing_walls"]) > set(with_all), f"CAP_{name.upper()}"


# What the unit's Protect settings do, by hand: all of the host read-only but the two folders.
READ_ONLY = """set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mkdir -p /run/belljar
mount --bind /run/belljar /run/belljar
mount -o remount,bind,ro /
for folder in /proc/sys /home /root /boot; do
  if [ -d $folder ]; then mount --bind $folder $folder; mount -o remount,bind,ro $folder; fi
done
if touch /planted 2>/dev/null; then echo '/ is not read-only' >&2; exit 9; fi
shift
exec "$@"
"""


@as_root
def test_the_service_works_where_the_host_is_read_only(folder):
    with LiveService(folder / "free") as service:
        free = missing_walls(service)

    class ReadOnly(LiveService):
        def command(self):
            return ["unshare", "--mount", "sh", "-c", READ_ONLY, "sh", str(folder), *super().command()]

    with ReadOnly(folder / "read-only") as service:
        assert missing_walls(service) == free
        assert service.stop() == 0
