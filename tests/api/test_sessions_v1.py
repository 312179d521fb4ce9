"""Sessions on a host that has no cgroup v2 tree: paused by the v1 freezer, which holds also what is killed."""

import json
import os
import pathlib
import subprocess
import time

import pytest

from service import READY, Service
from support.client import PATIENCE
from support.command import binary, scratch_folder, wait_until
from support.process import Process

UNIFIED = pathlib.Path("/sys/fs/cgroup/unified")
FREEZER = pathlib.Path("/sys/fs/cgroup/freezer")
WITHOUT_V2 = ["unshare", "--mount", "sh", "-c", f'umount {UNIFIED} && exec "$@"', "sh"]

pytestmark = pytest.mark.skipif(
    os.getuid() != 0 or not UNIFIED.is_mount() or not FREEZER.is_mount(),
    reason="only root of a host with v1 hierarchies can take the v2 tree away",
)

SPIN = """
import threading
def spin():
    while True: pass
threading.Thread(target=spin, daemon=True).start()
"""


class WithoutV2(Service):
    def command(self):
        return [*WITHOUT_V2, *super().command()]


@pytest.fixture
def service():
    with scratch_folder("belljar-v1-") as folder:
        with WithoutV2(folder, "--pool", "0", "--session-spares", "0") as service:
            yield service


def inside(service):
    """The processes of all its cells, and those that they have begun."""
    drivers = [each for warden in service.wardens for init in warden.children() for each in init.children()]
    return drivers + [child for each in drivers for child in each.children()]


def group_of(process):
    """Its folder in the freezer's hierarchy."""
    for line in pathlib.Path(f"/proc/{process.pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "freezer" in controllers.split(","):
            return FREEZER / path.lstrip("/")
    raise AssertionError(f"no freezer for {process}")


def state_of(group):
    return (group / "freezer.state").read_text().strip()


def times(processes):
    fields = [pathlib.Path(f"/proc/{each.pid}/stat").read_text().rpartition(")")[2].split() for each in processes]
    return [(int(each[11]), int(each[12])) for each in fields]


def doctor(*prefix):
    done = subprocess.run([*prefix, binary(), "doctor", "--json"], capture_output=True, timeout=PATIENCE, check=False)
    return json.loads(done.stdout)["host"]


def test_the_doctor_says_what_sessions_are_paused_by():
    with_v2, without = doctor(), doctor(*WITHOUT_V2)
    assert (with_v2["cgroup_mode"], with_v2["freezer"]) == ("hybrid", "v2")
    assert (without["cgroup_mode"], without["freezer"]) == ("v1", "v1")


def test_between_executions_the_freezer_holds_it(service):
    with service.session() as session:
        assert session.execute("x = 1\n" + SPIN)["status"] == "ok"
        processes = inside(service)
        (group,) = {group_of(each) for each in processes}
        assert state_of(group) == "FROZEN"
        # Whoever answers for it is not held.
        (init,) = service.wardens[0].children()
        assert group_of(init) != group
        before = times(processes)
        time.sleep(0.5)
        assert times(processes) == before
        assert service.call("PUT", session.path + "/files/given", b"word").status == 200
        assert state_of(group) == "FROZEN"
        assert session.value("x, open('given').read()") == "(1, 'word')"
        late = session.execute("while True: pass", limits={"wall": 1})
        assert (late["status"], late["clock"]) == ("timeout", "wall")
        assert session.value("x") == "1"
    wait_until(lambda: inside(service) == [] and not group.exists(), "all of it to go", PATIENCE)


HEEDLESS = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + READY + "time.sleep(600)"


@pytest.mark.parametrize("how", ["quit", "idle", "heedless", "warden"])
def test_however_it_ends_nothing_is_left(service, how):
    session = service.session(**({"idle": 1} if how == "idle" else {}))
    session.execute(SPIN)
    processes = inside(service)
    (group,) = {group_of(each) for each in processes}
    if how == "quit":
        session.quit()
    elif how == "heedless":
        assert session.execute(HEEDLESS, limits={"wall": 1})["status"] == "ended"
    elif how == "warden":
        service.kill("warden")
    wait_until(lambda: session.look()["state"] == "ended", "its end", PATIENCE)
    # What a killed warden leaves frozen the next one takes away, which is there when it is needed.
    with service.session() as other:
        assert other.value("6 * 7") == "42"
    wait_until(lambda: not any(Process(each.pid).is_there() for each in processes), "its processes to go", PATIENCE)
    wait_until(lambda: not group.exists(), "its group to go", PATIENCE)


def test_a_gateway_that_is_killed_loses_no_session(service):
    with service.session() as session:
        session.execute("x = 1")
        service.kill("gateway")
        wait_until(lambda: len(service.logged("ready")) == 2, "the next gateway", PATIENCE)
        assert session.value("x") == "1"
