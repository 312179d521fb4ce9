"""`belljar run` by somebody who is root of nothing but a user namespace, and without cgroups."""

import subprocess

import pytest

from shell import Done
from support.command import binary, environment

# A new user namespace in which the caller is uid 0, and no cgroup tree to be seen.
AS_ROOT_OF_A_NAMESPACE = ["unshare", "--user", "--map-root-user"]
WITHOUT_CGROUPS = [
    *AS_ROOT_OF_A_NAMESPACE, "--mount", "--",
    "sh", "-c", 'mount -t tmpfs -o ro none /sys/fs/cgroup && exec "$@"', "sh",
]  # fmt: skip


@pytest.fixture(autouse=True)
def user_namespaces():
    if subprocess.run([*AS_ROOT_OF_A_NAMESPACE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this host refuses user namespaces")


def run(prefix, *words):
    done = subprocess.run(
        [*prefix, binary(), "run", "--json", *map(str, words)], stdin=subprocess.DEVNULL,
        capture_output=True, timeout=60, check=False, env=environment(),
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


def write(folder, source, name="program.py"):
    path = folder / name
    path.write_text(source)
    return path


@pytest.mark.parametrize("prefix", [AS_ROOT_OF_A_NAMESPACE, WITHOUT_CGROUPS], ids=["root", "no-cgroups"])
def test_root_of_a_user_namespace_is_not_root_of_the_host(folder, prefix):
    outcome = run(prefix, write(folder, "import os; print(os.getuid() != 0)")).json
    assert (outcome["status"], outcome["host"]["rootless"]) == ("ok", True), outcome
    stage = outcome["stages"][-1]
    assert stage["stdout"]["text"] == "True\n"
    # What a user namespace cannot give is said, and what it can give stands.
    assert {"private-devices", "own-uid"} <= set(stage["missing_walls"])
    assert {"seccomp", "net-namespace", "private-root", "no-capabilities"} <= set(stage["walls"])


def test_a_required_wall_that_is_missing_stops_the_run(folder):
    done = run(AS_ROOT_OF_A_NAMESPACE, "--require", "own-uid", write(folder, "print('ran')"))
    assert b"ran" not in done.out and b"own-uid" in done.out + done.err, done


def test_judge_gives_no_verdict_that_no_cgroup_measured(folder):
    done = run(WITHOUT_CGROUPS, "--policy", "judge", write(folder, "print('ran')"))
    assert b"ran" not in done.out
    for wall in (b"memory-limit", b"process-limit", b"cpu-bill"):
        assert wall in done.out + done.err, done


PAST_THE_LIMIT = {
    "told": "while True: pass",
    "deaf": "import signal\nsignal.signal(signal.SIGXCPU, lambda *_: None)\nwhile True: pass",
}


@pytest.mark.parametrize("kind", PAST_THE_LIMIT)
def test_the_processor_limit_is_a_timeout_without_cgroups(folder, kind):
    outcome = run(WITHOUT_CGROUPS, "--limit", "cpu=1s,wall=30s", write(folder, PAST_THE_LIMIT[kind])).json
    stage = outcome["stages"][-1]
    assert "cpu-bill" in stage["missing_walls"] and stage["events"]["cpu_bill_partial"]
    assert (stage["status"], stage.get("clock")) == ("timeout", "cpu"), stage


def test_a_signal_of_its_own_is_not_a_timeout_without_cgroups(folder):
    program = write(folder, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    stage = run(WITHOUT_CGROUPS, "--limit", "cpu=1s", program).json["stages"][-1]
    assert (stage["status"], stage["signal"]) == ("signalled", "SIGKILL")
