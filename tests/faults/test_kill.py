"""kill -9 of each role at random moments, under each kind of load: nothing is left, the next cell works."""

import os
import pathlib
import random
import signal
import subprocess
import time

import pytest
from conftest import BELLJAR, FULL, ROOT, cell_cgroups, leftovers

ROUNDS = 200 if FULL else 12
LOADS = {
    "idle": "import time\ntime.sleep(60)\n",
    "fork bomb": "import os, signal\nfor s in range(1, 32):\n  try: signal.signal(s, signal.SIG_IGN)\n  except OSError: pass\n"
                 "while True:\n  try: os.fork()\n  except OSError: pass\n",
    "daemon": "import os, time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0: time.sleep(60)\n  os._exit(0)\ntime.sleep(60)\n",
    "memory": "b = []\nwhile True: b.append(bytearray(1 << 20))\n",
    "flood": "while True: print('y' * 1000)\n",
}


def family(client: int) -> dict[str, int]:
    """Warden and cell init of a client, as far as they are there."""
    found = {"client": client}
    wardens = children(client)
    if wardens:
        found["warden"] = wardens[0]
        inits = children(wardens[0])
        if inits:
            found["init"] = inits[0]
    return found


def children(pid: int) -> list[int]:
    try:
        return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def eventually(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def processes_left() -> list[str]:
    return [entry for entry in leftovers() if entry.startswith("process")]


def cgroup_processes() -> list[str]:
    held = []
    for top in cell_cgroups():
        # Folders come and go while this walks; os.walk passes over what is gone.
        for folder, _, _ in os.walk(top):
            try:
                held += pathlib.Path(folder, "cgroup.procs").read_text().split()
            except OSError:
                pass
    return held


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("role", ["client", "warden", "init"])
def test_a_killed_role_leaves_nothing(role, load, tmp_path):
    program = tmp_path / "load.py"
    program.write_text(LOADS[load])
    random.seed(f"{role} {load}")
    for _ in range(max(1, ROUNDS // 6)):
        client = subprocess.Popen([BELLJAR, "run", "--limit", "wall=20s", program], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wanted = eventually(lambda: role in family(client.pid) or client.poll() is not None)
        assert wanted
        time.sleep(random.random() * 0.1)
        target = family(client.pid).get(role)
        if target is not None:
            os.kill(target, signal.SIGKILL)
        if role == "init" or target is None:
            # The client tells what happened; a load that ends by itself may have been faster.
            assert client.wait(timeout=30) != 0
        else:
            client.wait(timeout=30)
        client.stderr.close()
        assert eventually(lambda: not processes_left() and not cgroup_processes()), (processes_left(), cgroup_processes())
    # The next cell works, and with it the next warden has cleared the cgroups of the killed ones.
    done = subprocess.run([BELLJAR, "run", ROOT / "examples/hello.py"], capture_output=True, text=True)
    assert done.stdout == "Hello from Python\n"
    assert leftovers() == []


def test_a_signal_ends_the_wait_for_a_warden_that_never_answers(program, tmp_path):
    # The warden's first message is held back; recvmsg is call 47 of x86-64.
    tracer = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", str(tmp_path / "log"), "-e", "trace=sendmsg",
         "-e", "inject=sendmsg:delay_enter=120000000:when=1", *program],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def waits():
        (client,) = children(tracer.pid) or [0]
        try:
            return client if pathlib.Path(f"/proc/{client}/syscall").read_text().startswith("47 ") else None
        except OSError:
            return None

    try:
        assert eventually(waits), "the client does not come to wait for the warden"
        client = waits()
        os.kill(client, signal.SIGINT)
        assert eventually(lambda: not children(tracer.pid) or client not in children(tracer.pid))
    finally:
        os.killpg(tracer.pid, signal.SIGKILL)
        tracer.wait()
    assert eventually(lambda: not processes_left()), processes_left()
