"""What was accepted is not lost, whatever falls: the gateway, a warden, all of it."""

import os
import signal
import sqlite3
import subprocess

import pytest

from service import READY, wait_until_ready
from support.client import PATIENCE, in_thread
from support.command import binary, wait_until
from support.service import out_of

SLEEP = READY + "import time; time.sleep(600)"
ENDED = {"done", "cancelled", "lost"}


def nap(seconds, text="napped"):
    return f"import time; time.sleep({seconds}); print('{text}')"


def back(service):
    """Until it answers again."""

    def ready():
        try:
            return service.get("/readyz").status == 200
        except OSError:
            return False

    wait_until(ready, "the service to answer again", PATIENCE)


def look_at_all(service, runs):
    ended = [service.look(run, wait=True) for run in runs]
    assert {run["state"] for run in ended} <= ENDED
    return ended


def test_a_killed_gateway_comes_back_and_runs_what_was_accepted(serve):
    service = serve("--concurrent", "2")
    runs = [service.submit(nap(0.5)) for _ in range(6)]
    service.wait_for_state(runs[0], "running")
    killed = service.kill("gateway")
    wait_until(lambda: not killed.is_there() and service.children("gateway"), "another gateway", PATIENCE)
    back(service)
    ended = look_at_all(service, runs)
    assert [out_of(run) for run in ended] == ["napped\n"] * 6
    assert ended[0]["attempts"] == 2 and ended[-1]["attempts"] == 1
    assert len(service.wardens) == 1


def test_what_keeps_killing_the_service_is_given_up(serve):
    service = serve("--concurrent", "1")
    run = service.submit(SLEEP, limits={"wall": "60s"})
    for attempt in range(1, 4):
        wait_until(lambda n=attempt: service.look(run)["attempts"] == n, f"attempt {attempt}", PATIENCE)
        service.kill("gateway")
        back(service)
    lost = service.wait_for_state(run, "lost")
    assert lost["attempts"] == 3 and "3 times" in lost["reason"] and lost["outcome"] is None


def test_a_run_that_somebody_typed_into_is_not_begun_again_without_that(serve):
    service = serve("--concurrent", "1")
    with service.converse() as talk:
        talk.start(READY + "print(input(), flush=True); input()")
        talk.expect(b"ready")
        talk.send("stdin", text="typed\n")
        talk.expect(b"typed")
        service.kill("gateway")
        back(service)
    lost = service.wait_for_state(talk.id, "lost")
    assert lost["attempts"] == 1 and "typed" in lost["reason"], lost
    kept = service.get(f"/v1/runs/{talk.id}/request").json
    assert out_of(service.post("/v1/runs?wait", {**kept, "stdin": "1\n2\n"}).json) == "ready\n1\n"


def test_on_wish_what_a_crash_cut_off_is_lost(serve):
    service = serve("--on-restart", "lost", "--concurrent", "1")
    done = service.run("print(1)")
    runs = [service.submit(SLEEP), service.submit("print(2)")]
    wait_until_ready(service, runs[0])
    service.kill("gateway")
    back(service)
    for run in runs:
        lost = service.look(run, wait=True)
        assert (lost["state"], lost["outcome"]) == ("lost", None) and lost["reason"]
    assert service.look(done["id"]) == done
    assert out_of(service.run("print(3)")) == "3\n"


def test_limits_and_all_else_survive_a_restart(serve):
    service = serve("--concurrent", "1")
    first = service.submit(SLEEP, limits={"wall": "3s"})
    wait_until_ready(service, first)
    fields = {
        "limits": {"wall": "7s", "wall_ms": None, "memory": "100M", "processes": 9, "cpus": "0.5"},
        "args": ["a b", ""],
        "env": {"A": "x=\u00e9"},
        "stdin": {"content": "/wA=", "encoding": "base64"},
        "artifacts": ["*.txt"],
        "policy": "strict",
        "expected": "wrong",
    }
    source = (
        "import os, sys; open('/box/o.txt', 'w').close() if os.access('/box', os.W_OK) else None\n"
        "print(sys.argv[1:], os.environ['A'], sys.stdin.buffer.read())"
    )
    run = service.submit(source, **fields)
    service.kill("gateway")
    back(service)
    service.post(f"/v1/runs/{first}/cancel")
    ended = service.look(run, wait=True)
    assert ended["state"] == "done", ended
    assert out_of(ended) == "['a b', ''] x=\u00e9 b'\\xff\\x00'\n"
    limits = ended["outcome"]["stages"][-1]["limits"]
    assert (limits["wall_ms"], limits["memory_bytes"], limits["processes"], limits["cpus"]) == (
        7000, 100 << 20, 9, 0.5
    )  # fmt: skip
    assert (ended["policy"], ended["outcome"]["verdict"]) == ("strict", "wrong_answer")


def test_a_killed_warden_is_replaced(serve):
    service = serve("--concurrent", "2")
    quiet = service.submit(nap(0.5), limits={"wall": "20s"})
    loud = service.submit(READY + nap(0.5), limits={"wall": "20s"})
    wait_until_ready(service, loud)
    waiting = [service.submit("print('waited')") for _ in range(2)]
    service.kill("warden")
    quiet, loud, *waiting = look_at_all(service, [quiet, loud, *waiting])
    # What nobody has seen of is run again; of what somebody has, there is no second beginning.
    assert quiet["state"] == "done", quiet
    assert out_of(quiet) == "napped\n"
    assert loud["state"] == "lost" and loud["reason"]
    assert [out_of(run) for run in waiting] == ["waited\n"] * 2
    assert out_of(service.run("print(1)")) == "1\n"
    assert len(service.wardens) == 1


def test_who_waits_is_told_that_the_run_is_lost(serve):
    service = serve()
    source = {"language": "python", "source": SLEEP}
    finish = in_thread(lambda: service.post("/v1/runs?wait", source))
    listed = "/v1/runs?state=running"
    run = wait_until(lambda: service.get(listed).json["runs"], "the run")[0]["id"]
    wait_until_ready(service, run)
    service.kill("warden")
    answer = finish()
    assert answer.status == 503 and answer.headers["Location"] == f"/v1/runs/{run}"
    with service.events(f"/v1/runs/{run}/events") as events:
        seen = list(events)
    assert (seen[-1].name, seen[-1].data["state"]) == ("outcome", "lost")
    # What had been seen can still be read.
    assert b"".join(event.bytes for event in seen if event.name == "stdout") == b"ready\n"
    listed = service.look(run)
    assert (listed["state"], listed["outcome"]) == ("lost", None) and listed["reason"]


def test_cells_end_with_their_gateway(serve):
    service = serve("--pool", "0")
    run = service.submit(SLEEP)
    wait_until_ready(service, run)
    (warden,) = service.wardens
    (init,) = warden.children()
    service.kill("gateway")
    wait_until(lambda: not init.is_there(), "the cell to end", PATIENCE)
    back(service)
    # Itself it is the next gateway's.
    assert [each.pid for each in service.wardens] == [warden.pid]
    service.wait_for_state(run, "running")
    service.post(f"/v1/runs/{run}/cancel")
    service.wait_for_state(run, "cancelled")


def test_all_of_it_is_killed_and_started_again(serve):
    service = serve("--concurrent", "1")
    done = service.run("print('kept')", artifacts=["*"])
    key = {"Idempotency-Key": "across"}
    keyed = service.submit("print('keyed')", headers=key)
    service.look(keyed, wait=True)
    runs = [service.submit(nap(0.3)) for _ in range(3)]
    service.wait_for_state(runs[0], "running")
    os.kill(service.process.pid, signal.SIGSTOP)  # so that it starts nothing again
    for each in [service.gateway, *service.wardens, service.supervisor]:
        each.kill()
    service.process.wait(PATIENCE)
    service.process.returncode = 0  # as it was meant
    service = serve("--concurrent", "1", folder=service.folder)
    assert service.look(done["id"]) == done
    assert service.submit("print('keyed')", headers=key) == keyed
    assert [out_of(run) for run in look_at_all(service, runs)] == ["napped\n"] * 3


def test_a_killed_supervisor_takes_the_rest_with_it(serve):
    service = serve()
    run = service.submit(SLEEP)
    wait_until_ready(service, run)
    left = [service.gateway, *service.wardens]
    assert len(left) == 2
    service.supervisor.kill()
    service.process.wait(PATIENCE)
    service.process.returncode = 0
    try:
        wait_until(lambda: not any(each.is_there() for each in left), "the rest to end", 10)
    finally:
        for each in left:
            if each.is_there():
                each.kill()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_it_finishes_what_runs_and_then_ends(serve, name):
    service = serve("--concurrent", "1")
    finish = in_thread(lambda: service.run(READY + nap(0.5)))
    running = wait_until(lambda: service.get("/v1/runs?state=running").json["runs"], "the run")
    wait_until_ready(service, running[0]["id"])
    queued = service.submit("print('queued')")
    # Begun before, answered after: connections that are open are still served.
    os.kill(service.process.pid, getattr(signal, name))
    wait_until(lambda: service.get("/readyz").status == 503, "it to say that it stops")
    assert service.get("/healthz").status == 200
    refused = service.post("/v1/runs", {"language": "python", "source": ""})
    assert refused.status == 503
    assert out_of(finish()) == "ready\nnapped\n"
    assert service.process.wait(PATIENCE) == 0
    service = serve(folder=service.folder)
    ended = service.look(queued, wait=True)
    assert (ended["state"], out_of(ended), ended["attempts"]) == ("done", "queued\n", 1)


def test_a_signal_to_the_whole_group_drains_as_well(serve):
    # As a terminal's Ctrl-C and a service manager do it.
    service = serve("--concurrent", "1", own_group=True)
    finish = in_thread(lambda: service.run(READY + nap(0.5)))
    running = wait_until(lambda: service.get("/v1/runs?state=running").json["runs"], "the run")
    wait_until_ready(service, running[0]["id"])
    os.killpg(service.process.pid, signal.SIGINT)
    run = finish()
    assert (run["state"], out_of(run), run["attempts"]) == ("done", "ready\nnapped\n", 1)
    assert service.process.wait(PATIENCE) == 0


def test_what_does_not_end_in_time_is_not_waited_for(serve):
    service = serve("--concurrent", "1", "--drain", "200ms")
    runs = [service.submit(SLEEP, limits={"wall": "15s"}), service.submit("print('later')")]
    wait_until_ready(service, runs[0])
    assert service.stop() == 0
    service = serve(folder=service.folder)
    # The one that ran is run again or told to be lost; the one that waited has its turn.
    shown = service.look(runs[0])
    assert shown["state"] in {"queued", "running", "lost", "cancelled"}, shown
    service.post(f"/v1/runs/{runs[0]}/cancel")
    assert out_of(service.look(runs[1], wait=True)) == "later\n"


def test_the_ledger_is_sound_while_it_is_used(serve):
    service = serve()
    run = service.run("print(1)")
    with sqlite3.connect(service.state / "ledger.db") as ledger:
        assert ledger.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    ledger.close()
    service.stop()
    service = serve(folder=service.folder)
    assert service.look(run["id"]) == run


def test_connections_to_a_warden_that_died_idle_lose_nothing(serve):
    service = serve("--concurrent", "4")
    # Each of the four has had a connection to the warden, and holds it while nothing runs.
    look_at_all(service, [service.submit(nap(0.2)) for _ in range(4)])
    service.kill("warden")
    ended = look_at_all(service, [service.submit(nap(0.1)) for _ in range(12)])
    assert [run["reason"] for run in ended] == ["exit code 0"] * 12


def test_a_second_service_on_one_ledger_refuses_to_start(serve):
    first = serve()
    done = subprocess.run(
        [binary(), "serve", "--listen", "127.0.0.1:0", "--state-dir", str(first.state)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode != 0
    assert "another service is using" in done.stderr
