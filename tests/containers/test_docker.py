"""Cells inside an ordinary container: with which flags they work, and what is said without them."""

import json
import os
import pathlib
import subprocess

import pytest
from containers import daemon
from support.command import binary

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNFILTERED = ["--security-opt", "seccomp=unconfined"]
PROFILE = ["--security-opt", f"seccomp={ROOT}/deploy/docker-seccomp.json"]
UNMASKED = ["--security-opt", "systempaths=unconfined"]
# Only where the host has AppArmor: its profile for containers forbids to mount.
APPARMOR = (
    ["--security-opt", "apparmor=unconfined"]
    if os.path.exists("/sys/kernel/security/apparmor/profiles")
    else []
)
ROOTS_CAPABILITIES = ["--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN", "--cap-add", "SYS_TIME"]
HOSTS_CGROUPS = [
    "--cgroupns=host",
    "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw",
    "--volume=/run/belljar:/run/belljar",  # the leases say whose cgroup directories are
]
USERS = {"root": [], "ordinary": ["--user", "1000:1000"]}
WITH_A_RANGE = ["--user", "2000:2000"]  # in /etc/subuid of the image
LIMIT_WALLS = {"memory-limit", "process-limit", "cpu-limit", "cpu-bill"}
OWN_UIDS = {"own-uid", "init-uid"}

PROGRAMS = {
    "hello.py": "print('the program ran')\n",
    "look.py": "import os\nprint(os.path.exists('/secret'), open('/proc/self/uid_map').read().split())\n",
    "loop.py": "while True: pass\n",
    "eat.py": "x = b'x' * (512 << 20)\nprint('all of it')\n",
}


@pytest.fixture(scope="session")
def docker():
    files = {
        "secret": "of the container\n",
        "etc/passwd": "root:x:0:0::/:/bin/sh\nperson:x:1000:1000::/:/bin/sh\nranged:x:2000:2000::/:/bin/sh\n",
        "etc/group": "root:x:0:\nperson:x:1000:\nranged:x:2000:\n",
        "etc/subuid": "ranged:100000:65536\n",
        "etc/subgid": "ranged:100000:65536\n",
        **PROGRAMS,
    }
    with daemon.docker_with(files) as engine:
        yield engine


@pytest.fixture(scope="session")
def missing_on_host():
    """What not even the kernel has: no container's fault."""
    done = subprocess.run([binary(), "doctor", "--json"], capture_output=True, stdin=subprocess.DEVNULL, check=False)
    return {wall["name"] for wall in json.loads(done.stdout)["walls"] if not wall["stands"]}


def run(docker, flags, program, *options):
    return docker.run([*flags, *APPARMOR], "belljar", "run", *options, f"/{program}")


def outcome(docker, flags, program, *options):
    done = run(docker, flags, program, "--json", *options)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def missing(docker, flags):
    ended = outcome(docker, flags, "hello.py")
    assert ended["status"] == "ok", ended["reason"]
    stage = ended["stages"][-1]
    assert stage["stdout"]["text"] == "the program ran\n"
    return set(stage["missing_walls"])


@pytest.fixture(params=USERS)
def user(request):
    return request.param


@pytest.fixture(params=["profile", "unconfined"])
def flags(request, user):
    """The least that cells need, for each user; that it is the least is tested below."""
    return [*USERS[user], *(PROFILE if request.param == "profile" else UNFILTERED), *UNMASKED]


def test_a_program_runs(docker, flags):
    done = run(docker, flags, "hello.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "the program ran\n", "")


def test_what_is_missing_is_named(docker, flags, user, missing_on_host):
    gaps = {"private-devices"} | LIMIT_WALLS | (OWN_UIDS if user == "ordinary" else set())
    assert missing(docker, flags) | missing_on_host == gaps | missing_on_host


def test_required_walls_that_are_missing_refuse(docker, flags):
    done = run(docker, flags, "hello.py", "--require", "FULL")
    assert done.returncode == 126, done.stderr
    assert "memory-limit" in done.stderr
    assert "the program ran" not in done.stdout


@pytest.mark.parametrize(
    "given, wanted",
    [([], "seccomp=unconfined"), (UNMASKED, "seccomp=unconfined"), (UNFILTERED, "systempaths=unconfined"),
     (PROFILE, "systempaths=unconfined")],
    ids=["none", "no-seccomp", "no-systempaths", "profile-but-no-systempaths"],
)  # fmt: skip
def test_without_a_flag_nothing_runs_and_the_flag_is_named(docker, user, given, wanted):
    # Again and again: the answer must not depend on who is faster, client or warden.
    for _ in range(2):
        done = run(docker, [*USERS[user], *given], "hello.py")
        assert done.returncode == 125, done.stderr
        assert wanted in done.stderr
        assert done.stdout == ""


def test_the_container_is_not_seen_from_a_cell(docker, user):
    flags = [*USERS[user], *PROFILE, *UNMASKED]
    assert docker.run(flags, "cat", "/secret").stdout == "of the container\n"
    assert run(docker, flags, "look.py").stdout.startswith("False ")


def test_a_cell_of_the_containers_root_is_not_the_hosts_root(docker):
    ended = outcome(docker, [*PROFILE, *UNMASKED], "look.py")
    # Pairs of a line of uid_map: inside, outside, how many. The first line is the warden's root.
    numbers = ended["stages"][-1]["stdout"]["text"].replace("'", "").strip(" []\n").split("[")[1].split(", ")
    assert numbers[:3] == ["0", "0", "1"]
    assert int(numbers[4]) >= 0x50000000
    assert OWN_UIDS <= set(ended["stages"][-1]["walls"])


def test_an_ordinary_user_with_a_range_has_uids_for_cells(docker, missing_on_host):
    flags = [*WITH_A_RANGE, *PROFILE, *UNMASKED]
    assert missing(docker, flags) - missing_on_host == {"private-devices"} | LIMIT_WALLS


def test_clocks_hold_without_a_cgroup(docker, user):
    ended = outcome(docker, [*USERS[user], *PROFILE, *UNMASKED], "loop.py", "--limit", "cpu=5s,wall=300ms")
    assert (ended["status"], ended["stages"][-1]["clock"]) == ("timeout", "wall")


def test_a_cgroup_namespace_of_the_containers_own_is_read_only(docker):
    assert LIMIT_WALLS <= missing(docker, [*PROFILE, *UNMASKED, "--cgroupns=private"])


@pytest.mark.parametrize("root", ["user-namespace", "capabilities"])
def test_with_the_hosts_cgroups_limits_hold(docker, root, missing_on_host):
    if not docker.own:
        pytest.skip("a daemon that is not the tests' own may be another host's")
    pathlib.Path("/run/belljar").mkdir(mode=0o700, exist_ok=True)
    # Root with the capabilities mounts a /proc whatever is masked, and needs no UNMASKED.
    flags = [*PROFILE, *HOSTS_CGROUPS, *(UNMASKED if root == "user-namespace" else ROOTS_CAPABILITIES)]
    gaps = {"private-devices"} if root == "user-namespace" else set()
    assert missing(docker, flags) - missing_on_host == gaps
    eaten = outcome(docker, flags, "eat.py", "--limit", "memory=64M")
    assert eaten["status"] == "memory_limit", eaten["reason"]
    unbounded = outcome(docker, [*PROFILE, *UNMASKED], "eat.py", "--limit", "memory=64M")
    assert unbounded["status"] == "ok", unbounded["reason"]
