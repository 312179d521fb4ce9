"""Where runs go: archives, labels, several streams of work, and what is counted over all gateways."""

import io
import json
import platform
import subprocess
import tarfile
import threading
import time
import zipfile

import pytest
import test_dispatch
from support import exposition
from support.client import PATIENCE
from support.command import as_user, binary, environment, scratch_folder, wait_until
from support.nats_wire import Wire
from support.service import LiveService, out_of
from support.worker import LiveWorker

fleet = test_dispatch.fleet
gauge = test_dispatch.gauge
nap = test_dispatch.nap


def archive_of(files):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def send(gateway, archive, query="language=python&entry=main.py", type="application/zip"):
    return gateway.call("POST", f"/v1/runs?wait&{query}", archive, {"Content-Type": type})


# ---- Archives --------------------------------------------------------------------------------


def test_an_archive_is_unpacked_by_a_worker(fleet):
    gateway = fleet.gateway()
    archive = archive_of({"main.py": "import helper; print(helper.WORD)", "helper.py": "WORD = 42"})
    assert send(gateway, archive).status == 503  # there is no worker yet
    fleet.worker()
    fleet.with_room(gateway, 1)
    answer = send(gateway, archive)
    assert (answer.status, out_of(answer.json)) == (200, "42\n"), answer
    assert gateway.wardens == []
    # Through the bucket, there and back.
    large = bytes(i * 31 % 251 for i in range(3_000_000))
    answer = send(gateway, archive_of({"main.py": "print(len(open('data', 'rb').read()))", "data": large}))
    assert out_of(answer.json) == "3000000\n"
    runs = gateway.call("GET", "/v1/runs?limit=100").json["runs"]
    assert len(runs) == 2, "an unpacking is no run"


def test_a_hostile_archive_is_refused_and_harms_nobody(fleet):
    gateway = fleet.gateway()
    fleet.worker()
    fleet.with_room(gateway, 1)
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        link = tarfile.TarInfo("main.py")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    bomb = archive_of({"main.py": b"\0" * 200_000_000})
    for content, type in (
        (archive_of({"../main.py": "pass"}), "application/zip"), (b"no archive", "application/zip"),
        (made.getvalue(), "application/x-tar"), (bomb, "application/zip"),
    ):  # fmt: skip
        answer = send(gateway, content, type=type)
        assert answer.status == 400 and "archive" in answer.json["detail"], answer
    assert out_of(send(gateway, archive_of({"main.py": "print(1)"})).json) == "1\n"


# ---- Labels ----------------------------------------------------------------------------------


def test_a_run_goes_to_a_worker_with_its_labels(fleet):
    gateway = fleet.gateway()
    eu = fleet.worker("--fleet-labels", "region=eu,tier=gold")
    us = fleet.worker("--fleet-labels", "region=us", "--fleet-pool", "named")
    fleet.with_room(gateway, 2)
    done = subprocess.run(
        as_user([binary(), "fleet", "--fleet", fleet.nats.url, "--json"]), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=PATIENCE, env=environment(), check=True,
    )  # fmt: skip
    seen = {each["labels"]["region"]: each for each in json.loads(done.stdout)["workers"]}
    arch = seen["eu"]["labels"]["arch"]
    assert seen["eu"]["labels"] == {"region": "eu", "tier": "gold", "arch": arch}
    assert seen["us"]["pool"].startswith("named-") and seen["eu"]["pool"] != seen["us"]["pool"]

    for wanted, worker in (({"region": "eu"}, eu), ({"region": "us", "arch": arch}, us)):
        for waits in (True, False):
            fields = {"labels": wanted}
            run = gateway.run("print(1)", **fields) if waits else gateway.submit("print(1)", **fields)
            run = run if waits else gateway.look(run, wait=True)
            assert out_of(run) == "1\n"
            other = us if worker is eu else eu
            assert run["outcome"]["status"] == "ok" and not other.has_ended
    # Only the one that fits is asked: without it there is nobody.
    assert eu.stop() == 0
    fleet.with_room(gateway, 1)
    for fields in ({"region": "eu"}, {"region": "us", "tier": "gold"}, {"arch": "sparc"}):
        answer = gateway.call("POST", "/v1/runs", gateway.request("pass", "python", {"labels": fields}))
        assert answer.status == 503 and answer.json["field"] == "labels", answer
        assert all(f"{name}={value}" in answer.json["detail"] for name, value in fields.items())
    # Of a batch with such a run none is taken.
    entries = [gateway.request("pass", "python", {"labels": {"region": name}}) for name in ("us", "eu")]
    before = len(gateway.call("GET", "/v1/runs").json["runs"])
    answer = gateway.call("POST", "/v1/batches", {"runs": entries})
    assert (answer.status, answer.json["field"]) == (503, "labels") and "region=eu" in answer.json["detail"], answer
    assert len(gateway.call("GET", "/v1/runs").json["runs"]) == before
    answer = send(gateway, archive_of({"main.py": "pass"}), "language=python&label=region=eu")
    assert (answer.status, answer.json["field"]) == (503, "labels"), answer
    assert out_of(gateway.run("print(2)", labels={"region": "us"})) == "2\n"


# ---- What is counted over all gateways -------------------------------------------------------


def test_a_rate_holds_over_gateways(fleet):
    options = ("--rate", "30")
    gateway, other = fleet.gateway(*options), fleet.gateway(*options)
    asked = [gateway.call("GET", "/v1/runs").status for _ in range(20)]
    assert asked == [200] * 20
    time.sleep(3)  # they tell each other twice a second
    asked = [other.call("GET", "/v1/runs").status for _ in range(20)]
    assert asked == [200] * 10 + [429] * 10
    refused = other.call("GET", "/v1/runs")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    time.sleep(3)
    assert gateway.call("GET", "/v1/runs").status == 429


def test_the_rate_of_another_systems_interface_holds_over_gateways_too(fleet):
    gateway, other = (fleet.gateway("--secure-sandbox-rate", "30") for _ in range(2))
    assert [gateway.call("POST", "/execute", {}).status for _ in range(20)] == [422] * 20
    time.sleep(3)
    assert [other.call("POST", "/execute", {}).status for _ in range(20)] == [422] * 10 + [429] * 10
    # Another count than that of the requests to its own interface.
    assert gateway.call("GET", "/v1/runs").status == 200


def test_a_rate_of_one_gateway_alone_is_as_ever(fleet):
    gateway = fleet.gateway("--rate", "5")
    assert [gateway.call("GET", "/v1/runs").status for _ in range(6)] == [200] * 5 + [429]


# ---- Attempts --------------------------------------------------------------------------------


@pytest.mark.parametrize("waits", [False, True], ids=["queued", "direct"])
def test_a_run_outlives_its_gateway_as_often_as_that_falls(fleet, waits):
    gateway = fleet.gateway()
    # With room for one more: what its gateway gives to the fleet once more comes to where it is.
    fleet.worker(capacity=2)
    fleet.with_room(gateway, 1)
    if waits:
        request = gateway.request(nap(20), "python", {"limits": {"wall": "60s"}})
        threading.Thread(target=ask_in_vain, args=(gateway, request), daemon=True).start()
        wait_until(lambda: gauge(gateway, "belljar_fleet_running") == 1, "it to run", PATIENCE)
        (run,) = wait_until(lambda: gateway.call("GET", "/v1/runs").json["runs"], "it to be recorded", PATIENCE)
        run = run["id"]
    else:
        run = gateway.submit(nap(20), limits={"wall": "60s"})
        wait_until(lambda: gateway.look(run)["state"] == "running", "it to run", PATIENCE)
    for fall in range(4):
        time.sleep(1)  # or the supervisor thinks that it only falls
        gateway.kill("gateway")
        wait_until(lambda: len(gateway.logged("ready")) == fall + 2, "another gateway", PATIENCE)  # noqa: B023
        fleet.with_room(gateway, 1)
    wait_until(lambda: gateway.look(run)["state"] != "running", "it to end", 3 * PATIENCE)
    found = gateway.look(run)
    assert (found["state"], found["attempts"], out_of(found)) == ("done", 1, "napped\n"), found


def ask_in_vain(gateway, request):
    try:
        gateway.call("POST", "/v1/runs?wait", request)
    except OSError:
        pass


def test_attempts_are_how_often_workers_were_given_it(fleet):
    gateway = fleet.gateway()
    first = fleet.worker(capacity=1)
    fleet.with_room(gateway, 1)
    run = gateway.submit(nap(2))
    wait_until(lambda: gateway.look(run)["state"] == "running", "it to run", PATIENCE)
    first.kill()
    fleet.worker(capacity=1)
    wait_until(lambda: gateway.look(run)["state"] == "done", "it to be run again", 3 * PATIENCE)
    assert gateway.look(run)["attempts"] == 2
    assert gauge(gateway, "belljar_fleet_redelivered") == 1


def test_a_worker_that_comes_before_the_first_gateway_waits_for_it(fleet):
    early = LiveWorker(fleet.folder / "early", fleet.nats.url, ready=False)
    fleet.workers.append(early)
    wait_until(lambda: early.logged("fleet_away"), "it to wait", PATIENCE)
    assert "no gateway" in early.logged("fleet_away")[0]["reason"]
    gateway = fleet.gateway()
    wait_until(lambda: early.logged("ready"), "it to come in", PATIENCE)
    fleet.with_room(gateway, 1)
    assert out_of(gateway.run("print(1)")) == "1\n"


# ---- Several streams, and what is waiting ----------------------------------------------------


def test_work_is_spread_over_streams_that_may_be_added(fleet):
    gateway = fleet.gateway()
    fleet.worker(capacity=2)
    fleet.with_room(gateway, 1)
    assert out_of(gateway.look(gateway.submit("print(0)"), wait=True)) == "0\n"
    more = fleet.gateway("--fleet-streams", "3")
    fleet.with_room(more, 1)
    runs = [more.submit(f"print({i})") for i in range(12)]
    assert [out_of(more.look(run, wait=True)) for run in runs] == [f"{i}\n" for i in range(12)]
    with Wire(fleet.nats.port) as wire:
        carried = [
            wire.ask(f"$JS.API.STREAM.INFO.{name}")["state"]["last_seq"]
            for name in ("BELLJAR_WORK", "BELLJAR_WORK_1", "BELLJAR_WORK_2")
        ]
    assert all(carried) and sum(carried) >= 13, carried


def test_what_waits_is_on_the_page_and_in_the_command(fleet):
    gateway = fleet.gateway()
    fleet.worker(capacity=1)
    fleet.with_room(gateway, 1)
    first = gateway.submit(nap(6))
    wait_until(lambda: gateway.look(first)["state"] == "running", "it to run", PATIENCE)
    runs = [gateway.submit("pass") for _ in range(3)]
    wait_until(lambda: sum(lanes(gateway).values()) == 3, "them to be queued", PATIENCE)
    assert set(lanes(gateway)) == {str(lane) for lane in range(8)}
    assert gauge(gateway, "belljar_fleet_oldest_waiting_seconds") > 0
    done = subprocess.run(
        as_user([binary(), "fleet", "--fleet", fleet.nats.url, "--json"]), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=PATIENCE, env=environment(), check=True,
    )  # fmt: skip
    seen = json.loads(done.stdout)
    (one,) = seen["gateways"]
    assert one["oldest_ms"] > 0 and one["redelivered"] == 0
    assert sum(each["waiting"] for each in seen["queues"]) == 3
    done = subprocess.run(
        as_user([binary(), "fleet", "--fleet", fleet.nats.url]), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=PATIENCE, env=environment(), check=True,
    )  # fmt: skip
    assert f"arch={platform.machine()}" in done.stdout and "oldest" in done.stdout, done.stdout
    for run in runs:
        gateway.look(run, wait=True)
    assert gauge(gateway, "belljar_fleet_oldest_waiting_seconds") == 0
    assert sum(lanes(gateway).values()) == 0


def lanes(gateway):
    families = exposition.read(gateway.call("GET", "/metrics").body.decode())
    return {dict(labels)["lane"]: value for (_, labels), value in families["belljar_fleet_waiting"].samples.items()}


def test_a_machine_alone_has_its_labels_too():
    with scratch_folder("belljar-alone-") as folder, LiveService(folder, "--fleet-labels", "region=eu") as alone:
        assert out_of(alone.run("print(1)", labels={"region": "eu"})) == "1\n"
        for labels in ({"region": "us"}, {"region": "eu", "tier": "gold"}):
            answer = alone.call("POST", "/v1/runs", alone.request("pass", "python", {"labels": labels}))
            assert (answer.status, answer.json["field"]) == (503, "labels"), answer
        batch = alone.call("POST", "/v1/batches", {"runs": [alone.request("pass", "python", {"labels": {"region": "us"}})]})
        assert batch.status == 503, batch
