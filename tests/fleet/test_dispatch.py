"""Gateways without cells, workers without a ledger, and NATS between them."""

import base64
import contextlib
import json
import signal
import subprocess
import threading

import pytest
from support.client import PATIENCE
from support.command import as_user, binary, environment, give_to_user, scratch_folder, wait_until
from support.nats import Nats
from support.nats_wire import Wire
from support.service import out_of
from support.worker import LiveWorker

# A worker that died is missed after ten seconds at most.
LONG = 3 * PATIENCE


def nap(seconds, text="napped"):
    return f"import time; time.sleep({seconds}); print('{text}')"


class Fleet:
    """Gateways and workers on one NATS and one database."""

    def __init__(self, folder, nats, serve, url):
        self.folder = folder
        self.nats = nats
        self._serve = serve
        self.url = url
        self.gateways = []
        self.workers = []

    def gateway(self, *options, **named):
        made = self._serve(self.url, "--fleet", self.nats.url, *options, **named)
        self.gateways.append(made)
        return made

    def worker(self, *options, **named):
        made = LiveWorker(self.folder / f"worker{len(self.workers)}", self.nats.url, *options, **named)
        self.workers.append(made)
        return made

    def with_room(self, gateway, workers):
        """Waits until the gateway knows so many workers."""
        wait_until(lambda: gauge(gateway, "belljar_fleet_workers") == workers, "the gateway to know them", PATIENCE)


def gauge(gateway, name):
    for line in gateway.call("GET", "/metrics").body.decode().splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[1])
    return None


@contextlib.contextmanager
def live_fleet(serve, url):
    with scratch_folder("belljar-fleet-") as folder, Nats(folder / "nats") as nats:
        made = Fleet(folder, nats, serve, url)
        try:
            yield made
            # Gateways are ended by their own fixture, which wants NATS no more than a moment.
            codes = [(each, each.stop()) for each in made.workers if not each.has_ended]
        finally:
            for each in made.workers:
                if not each.has_ended:
                    each.kill()
    wrong = [f"exit code {code}:\n{each.log[-5000:]}" for each, code in codes if code != 0]
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def fleet(shared_postgres, serve):
    with live_fleet(serve, shared_postgres.url(shared_postgres.new_database())) as made:
        yield made


def events_of(service, run, after=0):
    return events_in(service, f"/v1/runs/{run}/events", after)


def events_in(service, path, after=0):
    """(number, name, data) of a stream, to its end."""
    answer = service.call("GET", path, headers={"Last-Event-ID": str(after)} if after else None)
    assert answer.status == 200, answer
    found = []
    for block in answer.body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "id" in fields:
            found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return found


# ---- What runs -------------------------------------------------------------------------------


def test_a_gateway_without_cells_runs_programs_at_a_worker(fleet):
    gateway = fleet.gateway()
    assert gateway.call("GET", "/readyz").status == 503
    assert gateway.call("POST", "/v1/runs", gateway.request("pass", "python", {})).status == 503
    worker = fleet.worker()
    fleet.with_room(gateway, 1)
    assert gateway.call("GET", "/readyz").status == 200
    assert gateway.wardens == []
    run = gateway.run("import sys; print(6 * 7); print(sys.stdin.read(), file=sys.stderr)", stdin="in")
    assert (out_of(run), out_of(run, "stderr")) == ("42\n", "in\n")
    run = gateway.submit("open('out.bin', 'wb').write(bytes(range(256)))", artifacts=["out.bin"])
    assert gateway.look(run, wait=True)["outcome"]["status"] == "ok"
    assert gateway.call("GET", f"/v1/runs/{run}/artifacts/out.bin").body == bytes(range(256))
    run = gateway.run("#include <stdio.h>\nint main() { puts(\"c\"); return 3; }", "c")
    assert (out_of(run), run["outcome"]["status"]) == ("c\n", "runtime_error")
    # A worker knows no ledger.
    assert not [each for each in worker.member.descriptor_targets() if "postgres" in each or "ledger" in each]


def test_what_is_larger_than_a_message_goes_and_comes_whole(fleet):
    gateway = fleet.gateway()
    fleet.worker()
    fleet.with_room(gateway, 1)
    text = "x" * 3_000_000
    run = gateway.run(
        f"import os; data = '{text}'; open('out', 'w').write(data); print(len(data))", artifacts=["out"],
        limits={"output": "8M"},
    )  # fmt: skip
    assert out_of(run) == "3000000\n", run["outcome"]["stages"]
    assert gateway.call("GET", f"/v1/runs/{run['id']}/artifacts/out").body == text.encode()


def test_many_runs_over_two_gateways_and_three_workers_are_each_recorded_once(fleet):
    gateways = [fleet.gateway(), fleet.gateway()]
    for _ in range(3):
        fleet.worker()
    for each in gateways:
        fleet.with_room(each, 3)
    wanted, answers = {}, {}

    def ask(first):
        for i in range(first, 60, 4):
            gateway = gateways[i % 2]
            if i % 3:
                answers[i] = gateway.run(f"print({i} * 7)")
            else:
                wanted[i] = gateway, gateway.submit(f"print({i} * 7)")

    threads = [threading.Thread(target=ask, args=(first,)) for first in range(4)]
    for each in threads:
        each.start()
    batch = gateways[0].call("POST", "/v1/batches", {
        "program": gateways[0].request("print(int(input()) + 1)", "python", {}),
        "inputs": [{"stdin": str(i)} for i in range(20)],
    })  # fmt: skip
    assert batch.status == 202, batch
    for each in threads:
        each.join(LONG)
    for i, (gateway, run) in wanted.items():
        answers[i] = gateway.look(run, wait=True)
    assert {i: out_of(run) for i, run in answers.items()} == {i: f"{i * 7}\n" for i in range(60)}
    for i, entry in enumerate(batch.json["runs"]):
        assert out_of(gateways[0].look(entry["id"], wait=True)) == f"{i + 1}\n"
    runs = gateways[1].call("GET", "/v1/runs?limit=1000").json["runs"]
    assert len(runs) == 80 and {each["state"] for each in runs} == {"done"}


# ---- What falls ------------------------------------------------------------------------------


@pytest.mark.parametrize("waits", [True, False], ids=["somebody waits", "nobody waits"])
def test_a_run_whose_worker_dies_is_run_by_another(fleet, waits):
    gateway = fleet.gateway()
    first = fleet.worker()
    fleet.with_room(gateway, 1)
    result = []
    if waits:
        thread = threading.Thread(target=lambda: result.append(gateway.run(nap(2))))
        thread.start()
        wait_until(lambda: gauge(gateway, "belljar_runs_running") == 1, "it to run", PATIENCE)
    else:
        run = gateway.submit(nap(2))
        wait_until(lambda: gateway.look(run)["state"] == "running", "it to run", PATIENCE)
    first.kill()
    fleet.worker()
    if waits:
        thread.join(LONG)
    else:
        wait_until(lambda: gateway.look(run)["state"] == "done", "it to be run again", LONG)
        result.append(gateway.look(run))
    assert out_of(result[0]) == "napped\n"


def test_a_run_that_its_workers_die_of_is_parked(fleet):
    gateway = fleet.gateway()
    fleet.worker(capacity=1)
    fleet.with_room(gateway, 1)
    run = gateway.submit(nap(30))
    for given in (1, 2, 3):
        wait_until(lambda: gateway.look(run)["attempts"] == given, "it to run", LONG)  # noqa: B023 - called at once
        fleet.workers[-1].kill()
        fleet.worker(capacity=1)
    wait_until(lambda: gateway.look(run)["state"] == "lost", "it to be parked", LONG)
    assert "died 3 times" in gateway.look(run)["reason"]
    assert gateway.look(run)["attempts"] == 3
    assert out_of(gateway.run("print(1)")) == "1\n"


def test_a_gateway_that_falls_records_what_ended_meanwhile(fleet):
    gateway = fleet.gateway()
    fleet.worker()
    fleet.with_room(gateway, 1)
    run = gateway.submit(nap(1))
    wait_until(lambda: gateway.look(run)["state"] == "running", "it to run", PATIENCE)
    gateway.kill("gateway")
    wait_until(lambda: len(gateway.logged("ready")) == 2, "another gateway", PATIENCE)
    wait_until(lambda: gateway.look(run)["state"] == "done", "its end to be recorded", LONG)
    assert out_of(gateway.look(run)) == "napped\n"


def test_a_worker_that_is_stopped_finishes_what_it_has(fleet):
    gateway = fleet.gateway()
    first = fleet.worker()
    fleet.with_room(gateway, 1)
    run = gateway.submit(nap(2))
    wait_until(lambda: gateway.look(run)["state"] == "running", "it to run", PATIENCE)
    second = fleet.worker()
    assert first.stop() == 0
    assert out_of(gateway.look(run, wait=True)) == "napped\n"
    assert out_of(gateway.run("print(2)")) == "2\n"
    assert not second.has_ended


def test_while_nats_is_away_nothing_is_taken_and_nothing_taken_is_lost(fleet):
    gateway = fleet.gateway()
    fleet.worker(capacity=1)
    fleet.with_room(gateway, 1)
    runs = [gateway.submit(nap(1, i)) for i in range(3)]
    fleet.nats.stop(signal.SIGKILL)
    wait_until(lambda: gateway.call("GET", "/readyz").status == 503, "it to be noticed", PATIENCE)
    refused = gateway.call("POST", "/v1/runs", gateway.request("pass", "python", {}))
    assert refused.status == 503, refused
    fleet.nats.start()
    wait_until(lambda: gateway.call("GET", "/readyz").status == 200, "it to come back", PATIENCE)
    for i, run in enumerate(runs):
        wait_until(lambda run=run: gateway.look(run)["state"] == "done", "it to be run", LONG)
        assert out_of(gateway.look(run)) == f"{i}\n"
    assert out_of(gateway.run("print(3)")) == "3\n"


def test_a_run_that_nats_has_lost_is_given_to_the_fleet_again(fleet):
    """As nodes leave it whose leaders fell one after the other: it is in no queue, and nobody has it."""
    gateway = fleet.gateway()
    fleet.worker(capacity=1)
    fleet.with_room(gateway, 1)
    busy = gateway.submit(nap(5))
    wait_until(lambda: gateway.look(busy)["state"] == "running", "it to run", PATIENCE)
    lost = gateway.submit("print('found')")
    kept = gateway.submit("print('kept')")
    with Wire(fleet.nats.port) as wire:
        stream = "BELLJAR_WORK"
        wait_until(lambda: wire.ask(f"$JS.API.STREAM.INFO.{stream}")["state"]["last_seq"] == 3, "all to be queued", PATIENCE)
        for number in (2, 3):
            message = wire.ask(f"$JS.API.STREAM.MSG.GET.{stream}", {"seq": number})["message"]
            if lost in base64.b64decode(message["data"]).decode():
                wire.ask(f"$JS.API.STREAM.MSG.DELETE.{stream}", {"seq": number})
    run = gateway.look(lost, wait=True)
    assert (run["state"], out_of(run), run["attempts"]) == ("done", "found\n", 1), run
    assert out_of(gateway.look(kept, wait=True)) == "kept\n"
    assert gauge(gateway, "belljar_fleet_given_again") == 1


def test_a_run_is_cancelled_through_another_gateway(fleet):
    gateway, other = fleet.gateway(), fleet.gateway()
    fleet.worker(capacity=1)
    fleet.with_room(gateway, 1)
    run = gateway.submit(nap(60))
    wait_until(lambda: gateway.look(run)["state"] == "running", "it to run", PATIENCE)
    assert other.call("POST", f"/v1/runs/{run}/cancel").status == 202
    assert gateway.look(run)["state"] == "cancelled"
    fleet.with_room(other, 1)
    # The worker has room again.
    assert out_of(other.run("print(4)")) == "4\n"


# ---- What it says ----------------------------------------------------------------------------


def test_the_stream_of_a_run_has_its_events_in_order(fleet):
    gateway = fleet.gateway()
    fleet.worker()
    fleet.with_room(gateway, 1)
    run = gateway.submit("import time\nfor i in range(3):\n  print(i, flush=True); time.sleep(.2)")
    events = events_of(gateway, run)
    assert [number for number, _, _ in events] == list(range(1, len(events) + 1))
    assert "".join(data["text"] for _, name, data in events if name == "stdout") == "0\n1\n2\n"
    assert events[0][1] == "status" and events[-1][1] == "outcome"
    assert events_of(gateway, run, after=events[1][0]) == events[2:]


def test_a_stream_is_gone_on_with_at_another_gateway(fleet):
    gateway, other = fleet.gateway(), fleet.gateway()
    fleet.worker()
    fleet.with_room(gateway, 1)
    run = gateway.submit("import time\nfor i in range(8):\n  print(i, flush=True); time.sleep(.3)")
    wait_until(lambda: gateway.look(run)["state"] == "running", "it to run", PATIENCE)
    # While it runs, and through a gateway that did not take it.
    elsewhere = events_of(other, run)
    here = events_of(gateway, run)
    assert elsewhere == here
    assert "".join(data["text"] for _, name, data in here if name == "stdout") == "".join(f"{i}\n" for i in range(8))
    # And when it is over.
    assert events_of(other, run, after=3) == here[3:]


def test_a_gateway_that_falls_in_the_middle_of_a_stream_loses_none_of_it(fleet):
    gateway = fleet.gateway()
    fleet.worker()
    fleet.with_room(gateway, 1)
    run = gateway.submit("import time\nfor i in range(10):\n  print(i, flush=True); time.sleep(.3)")
    wait_until(lambda: gateway.look(run)["state"] == "running", "it to run", PATIENCE)
    gateway.kill("gateway")
    wait_until(lambda: len(gateway.logged("ready")) == 2, "another gateway", PATIENCE)
    events = events_of(gateway, run)
    assert "".join(data["text"] for _, name, data in events if name == "stdout") == "".join(f"{i}\n" for i in range(10))
    assert [number for number, _, _ in events] == list(range(1, len(events) + 1))
    assert events[-1][2]["outcome"]["status"] == "ok"


def test_the_command_shows_who_is_there(fleet):
    gateway = fleet.gateway()
    fleet.worker("--fleet-pool", "pythons", capacity=3)
    fleet.with_room(gateway, 1)
    run = gateway.submit(nap(4))
    wait_until(lambda: gateway.look(run)["state"] == "running", "it to run", PATIENCE)
    done = subprocess.run(
        as_user([binary(), "fleet", "--fleet", fleet.nats.url, "--json"]), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=PATIENCE, env=environment(), check=True,
    )  # fmt: skip
    seen = json.loads(done.stdout)
    (worker,) = seen["workers"]
    assert (worker["pool"], worker["capacity"], worker["running"], worker["draining"]) == ("pythons", 3, 1, False)
    assert "python" in worker["languages"]
    (one,) = seen["gateways"]
    assert (one["running"], one["waiting"]) == (1, 0)
    assert [(each["pool"], each["out"]) for each in seen["queues"]] == [("pythons", 1)]


def test_tls_with_files_that_only_root_may_read(shared_postgres, serve):
    with scratch_folder("belljar-fleet-") as folder:
        certificate, key = folder / "tls.crt", folder / "tls.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
             "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
            check=True, capture_output=True, timeout=PATIENCE,
        )  # fmt: skip
        files = (
            "--fleet-ca-file", certificate, "--fleet-certificate-file", certificate, "--fleet-key-file", key,
        )  # fmt: skip
        give_to_user(folder)
        for each in (certificate, key):
            give_to_user(each)
            each.chmod(0o600)
        with Nats(folder / "nats", (certificate, key)) as nats:
            url = shared_postgres.url(shared_postgres.new_database())
            gateway = serve(url, "--fleet", nats.url, *files)
            worker = LiveWorker(folder / "worker", nats.url, *files)
            try:
                wait_until(lambda: gauge(gateway, "belljar_fleet_workers") == 1, "the worker", PATIENCE)
                assert out_of(gateway.run("print(6 * 7)")) == "42\n"
            finally:
                code = worker.stop()
            assert code == 0, worker.log
            assert gateway.stop() == 0, gateway.log
            without = LiveWorker(folder / "without", nats.url, "--fleet-ca-file", certificate, ready=False)
            wait_until(lambda: without.logged("fleet_away"), "it to be turned away", PATIENCE)
            assert without.stop() == 0


def test_settings_that_do_not_fit_are_told():
    for words, said in (
        (("serve", "--fleet", "nats://127.0.0.1:1"), "--ledger"),
        (("worker",), "--fleet"),
        (("worker", "--fleet", "http://127.0.0.1:1"), "nats://"),
        (("worker", "--fleet", "nats://a:secret@127.0.0.1:1"), "nats://"),
    ):
        with scratch_folder("belljar-fleet-") as folder:
            done = subprocess.run(
                as_user([binary(), *words, "--state-dir", str(folder / "state")]), stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=PATIENCE, env=environment(), check=False,
            )  # fmt: skip
        assert done.returncode == 2 and said in done.stderr, done
