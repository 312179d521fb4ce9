"""deploy/nats.conf and the certificates beside it, on three live nodes: each role may do its part and no other's."""

import contextlib
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import time

import pytest
from support.client import PATIENCE
from support.command import as_user, binary, environment, give_to_user, scratch_folder, wait_until
from support.nats_wire import Refused, Wire, nats_server
from support.postgres import NOBODY, Postgres
from support.service import LiveService, free_port, out_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONF = ROOT / "deploy/nats.conf"
NODES = 3


def certificates(folder, *names):
    done = subprocess.run(
        [ROOT / "deploy/fleet-certificates.sh", folder, *names],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def configuration(folder, number, ports, routes, text=None):
    """The file as it is, with this test's folders and ports in it."""
    text = text or CONF.read_text()
    for old, new in [
        ("/etc/nats/tls", f"{folder}/tls"),
        ('"/data"', f'"{folder}/data-{number}"'),
        ("0.0.0.0:4222", f"127.0.0.1:{ports[number]}"),
        ("0.0.0.0:6222", f"127.0.0.1:{routes[number]}"),
        ('http: "0.0.0.0:8222"', "http: 127.0.0.1:-1"),
        *((f"nats-{each + 1}:6222", f"127.0.0.1:{routes[each]}") for each in range(NODES)),
    ]:
        assert old in text, old
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def folder():
    with scratch_folder("belljar-nats-") as made:
        certificates(made / "tls")
        yield made


@pytest.fixture(scope="module")
def node_environment():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NATS_NAME", "nats-1")
        yield patch


@pytest.fixture(scope="module")
def cluster(folder, node_environment):
    """The ports of three nodes."""
    ports, routes = ([free_port() for _ in range(NODES)] for _ in range(2))
    with contextlib.ExitStack() as stack:
        for number, port in enumerate(ports):
            node_environment.setenv("NATS_NAME", f"nats-{number + 1}")
            text = configuration(folder, number, ports, routes)
            stack.enter_context(nats_server(folder, text, port, f"nats-{number + 1}.log"))
        yield ports


def context(folder, certificate):
    made = ssl.create_default_context(cafile=folder / "tls/ca.crt")
    if certificate:
        made.load_cert_chain(folder / f"tls/{certificate}.crt", folder / f"tls/{certificate}.key")
    return made


@pytest.fixture(scope="module")
def streams(folder, cluster):
    """What gateways make at their start: the streams, and the bucket's."""
    with Wire(cluster[0], tls=context(folder, "gateway")) as wire:
        for name, subjects, retention in (
            ("BELLJAR_WORK", ["belljar.work.0.>"], "workqueue"),
            ("BELLJAR_ENDS", ["belljar.gateway.*.end.*"], "workqueue"),
            ("BELLJAR_EVENTS", ["belljar.gateway.*.event.*"], "limits"),
            ("OBJ_belljar", ["$O.belljar.C.>", "$O.belljar.M.>"], "limits"),
        ):
            settings = {"name": name, "subjects": subjects, "retention": retention, "storage": "file", "num_replicas": 3,
                        "allow_rollup_hdrs": name.startswith("OBJ_")}  # fmt: skip
            patiently(lambda: wire.ask(f"$JS.API.STREAM.CREATE.{name}", settings))  # noqa: B023 - called at once


def patiently(action, seconds=40):
    """Until the nodes have found each other and chosen who leads."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return action()
        except Refused:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


@pytest.fixture
def gateway(folder, cluster, streams):
    with Wire(cluster[0], tls=context(folder, "gateway")) as wire:
        yield wire


@pytest.fixture
def worker(folder, cluster, streams):
    with Wire(cluster[-1], tls=context(folder, "worker")) as wire:
        yield wire


# ---- The file ---------------------------------------------------------------------------------


def check(folder, text):
    file = folder / "checked.conf"
    file.write_text(text)
    done = subprocess.run(["nats-server", "-t", "-c", file], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_nats_understands_the_file(folder, node_environment):
    text = configuration(folder, 0, [4222, 4223, 4224], [6222, 6223, 6224])
    code, said = check(folder, text)
    assert code == 0, said
    code, said = check(folder, text.replace("verify_and_map", "verify_and_mop"))
    assert code != 0 and "verify_and_mop" in said


def test_the_names_of_the_compose_file_are_in_the_certificates(folder):
    for name, wanted in (("nats", ["nats-1", "nats-2", "nats-3"]), ("ledger", ["ledger"]),
                         ("gateway", ["gateway.belljar"]), ("worker", ["worker.belljar"])):  # fmt: skip
        shown = subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", folder / f"tls/{name}.crt"],
                               capture_output=True, text=True, check=True).stdout  # fmt: skip
        names = re.findall(r"DNS:([\w.-]+)", shown)
        assert set(wanted) <= set(names), shown
    conf = CONF.read_text()
    assert '"gateway.belljar"' in conf and '"worker.belljar"' in conf


def test_keys_are_for_their_owner_and_stay_when_called_again(folder):
    keys = sorted((folder / "tls").glob("*.key"))
    assert {each.stem for each in keys} == {"ca", "gateway", "ledger", "nats", "route", "route-ca", "worker"}
    secrets = [*keys, folder / "tls/ledger-password"]
    assert {each.stat().st_mode & 0o777 for each in secrets} == {0o600}
    before = {each: each.read_text() for each in (folder / "tls").iterdir()}
    certificates(folder / "tls")
    assert {each: each.read_text() for each in (folder / "tls").iterdir()} == before


# ---- Who comes in -----------------------------------------------------------------------------


@pytest.mark.parametrize("certificate", [None, "nats", "ledger"])
def test_who_has_no_role_stays_out(folder, cluster, certificate):
    with pytest.raises((Refused, OSError)):
        Wire(cluster[0], tls=context(folder, certificate)).ask("$JS.API.INFO")


def test_another_authoritys_certificate_stays_out(folder, cluster):
    certificates(folder / "others")
    foreign = ssl.create_default_context(cafile=folder / "tls/ca.crt")
    foreign.load_cert_chain(folder / "others/gateway.crt", folder / "others/gateway.key")
    with pytest.raises((Refused, OSError)):
        Wire(cluster[0], tls=foreign)


def test_without_tls_nobody_comes_in(cluster):
    with pytest.raises((Refused, OSError)):
        Wire(cluster[0])


@pytest.mark.parametrize("certificate, comes_in", [("route", True), ("worker", False), ("nats", False)])
def test_only_a_node_is_a_route(folder, cluster, certificate, comes_in):
    inside = int(re.search(r"Listening for route connections on 127.0.0.1:(\d+)", (folder / "nats-1.log").read_text())[1])
    tls = ssl.create_default_context(cafile=folder / "tls/route-ca.crt")
    tls.load_cert_chain(folder / f"tls/{certificate}.crt", folder / f"tls/{certificate}.key")
    said = b""
    with socket.create_connection(("127.0.0.1", inside), PATIENCE) as plain, contextlib.suppress(OSError):
        with tls.wrap_socket(plain, server_hostname="127.0.0.1") as route:
            said = route.recv(1 << 16)
    assert said.startswith(b"INFO ") == comes_in, said


def test_a_worker_that_comes_before_the_first_gateway_waits_and_asks_for_nothing_else(folder, cluster, worker_process):
    before = len(refusals(folder))
    log = folder / "worker.log"
    wait_until(lambda: "no gateway has made the stream" in log.read_text(), "it to wait", PATIENCE)
    assert worker_process.poll() is None
    assert len(refusals(folder)) == before, refusals(folder)[before:]


# ---- What each may ----------------------------------------------------------------------------


def test_a_run_goes_its_way(gateway, worker):
    """All that a worker does with one run, end to end, through nodes of their own."""
    state = gateway.subscribe("belljar.workers.*")
    gateway.settle()
    for name in ("WORK", "ENDS", "EVENTS"):
        patiently(lambda: worker.ask(f"$JS.API.STREAM.INFO.BELLJAR_{name}"))  # noqa: B023 - called at once
    worker.ask("$JS.API.STREAM.INFO.OBJ_belljar")
    consumer = {"stream_name": "BELLJAR_WORK",
                "config": {"durable_name": "p-0", "ack_policy": "explicit", "filter_subject": "belljar.work.0.p.0"}}  # fmt: skip
    worker.ask("$JS.API.CONSUMER.DURABLE.CREATE.BELLJAR_WORK.p-0", consumer)
    assert worker.is_allowed("belljar.workers.w1", b"here")
    assert gateway.next()[2] == b"here"
    gateway.send(f"UNSUB {state}\r\n".encode())

    gateway.ask("belljar.work.0.p.0", {"run": 1})
    worker.subscribe("_INBOX.mine")
    worker.publish("$JS.API.CONSUMER.MSG.NEXT.BELLJAR_WORK.p-0", b'{"batch":1,"expires":30000000000}', "_INBOX.mine")
    subject, reply, data = worker.next()
    assert (subject, data) == ("belljar.work.0.p.0", b'{"run": 1}')
    for kind in ("told", "event", "end"):
        assert worker.is_allowed(f"belljar.gateway.g1.{kind}.r1", b"x"), kind
    assert worker.is_allowed(reply, b"+WPI") and worker.is_allowed(reply, b"+ACK")
    for subject in ("$O.belljar.C.o1", "$O.belljar.M.n1"):
        assert worker.ask(subject, {})["stream"] == "OBJ_belljar"
    assert worker.ask("$JS.API.STREAM.MSG.GET.OBJ_belljar", {"last_by_subj": "$O.belljar.M.n1"})["message"]


@pytest.mark.parametrize("subject", ["belljar.order.w1", "belljar.wake.p", "belljar.control.*", "_INBOX.a.>"])
def test_a_worker_listens_to_what_is_for_workers(worker, subject):
    assert worker.may_listen(subject)


@pytest.mark.parametrize("number", range(1, 8))
def test_a_worker_takes_from_every_stream_of_work_that_there_may_be(worker, number):
    name = f"BELLJAR_WORK_{number}"
    for subject in (f"$JS.API.CONSUMER.DURABLE.CREATE.{name}.p-0", f"$JS.API.CONSUMER.MSG.NEXT.{name}.p-0", f"$JS.ACK.{name}.p-0.1"):
        assert worker.is_allowed(subject), subject
    assert not worker.is_allowed(f"$JS.API.STREAM.CREATE.{name}")


@pytest.mark.parametrize("subject", [
    "belljar.work.0.p.0", "belljar.order.w2", "belljar.wake.p", "belljar.control.r1", "belljar.gateways.g1",
    "belljar.gateway.g1.other.r1",
    "$JS.API.STREAM.CREATE.OTHER", "$JS.API.STREAM.UPDATE.BELLJAR_WORK", "$JS.API.STREAM.PURGE.BELLJAR_WORK",
    "$JS.API.STREAM.DELETE.OBJ_other", "$JS.API.STREAM.MSG.GET.BELLJAR_WORK", "$JS.API.STREAM.MSG.GET.BELLJAR_EVENTS",
    "$JS.API.STREAM.MSG.DELETE.BELLJAR_WORK", "$JS.API.DIRECT.GET.BELLJAR_WORK", "$JS.API.CONSUMER.CREATE.BELLJAR_EVENTS",
    "$JS.API.CONSUMER.DURABLE.CREATE.BELLJAR_ENDS.mine", "$JS.API.CONSUMER.DELETE.BELLJAR_WORK.p-0",
    "$JS.API.CONSUMER.MSG.NEXT.BELLJAR_ENDS.ends-g1", "$JS.ACK.BELLJAR_ENDS.ends-g1.1.1.1.1.0",
])  # fmt: skip
def test_a_worker_may_not_say_what_a_gateway_says(gateway, worker, subject):
    """Nothing to nobody's harm is sent: an empty message, which JetStream refuses where it would need one."""
    assert not worker.is_allowed(subject)
    if subject != "belljar.gateway.g1.other.r1":
        assert gateway.is_allowed(subject) or subject.startswith("$JS.API.DIRECT")


@pytest.mark.parametrize(
    "subject", ["belljar.work.>", "belljar.gateway.>", "belljar.workers.*", "belljar.gateways.*", "belljar.>", ">"]
)
def test_a_worker_may_not_listen_to_what_is_for_gateways(gateway, worker, subject):
    assert not worker.may_listen(subject)
    assert gateway.may_listen(subject) == (subject != ">")


@pytest.mark.parametrize("subject", ["$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.PING"])
def test_neither_asks_about_the_servers(gateway, worker, subject):
    assert not worker.is_allowed(subject)
    assert not gateway.is_allowed(subject)


@pytest.fixture
def worker_process(folder, cluster):
    """Started with the certificate of its role; must end well."""
    with open(folder / "worker.log", "wb") as log:
        process = subprocess.Popen(
            as_user([binary(), "worker", "--state-dir", folder / "worker", "--headers", "none", *role(folder, cluster, "worker")]),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(),
        )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        try:
            code = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
    assert code == 0, (folder / "worker.log").read_text()


def role(folder, cluster, name, owner=None):
    """The options of `belljar` by which a role finds the cluster, and shows who it is with files of its own."""
    own = folder / f"{name}-tls"
    own.mkdir(exist_ok=True)
    for file in (folder / "tls/ca.crt", folder / f"tls/{name}.crt", folder / f"tls/{name}.key"):
        shutil.copy(file, own)
    for each in (own, *own.iterdir()):
        if owner is None:
            give_to_user(each)
        else:
            os.chown(each, owner, owner)
    return ["--fleet", ",".join(f"tls://127.0.0.1:{port}" for port in cluster), "--fleet-replicas", "3",
            "--fleet-ca-file", own / "ca.crt", "--fleet-certificate-file", own / f"{name}.crt",
            "--fleet-key-file", own / f"{name}.key"]  # fmt: skip


class Unprivileged(LiveService):
    """As the unit and the container have it: an ordinary user without any capability to be had."""

    def command(self):
        if os.geteuid() != 0:
            return super().command()
        os.chown(self.folder, NOBODY, NOBODY)
        drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs",
                "--inh-caps=-all", "--bounding-set=-all"]  # fmt: skip
        return [*drop, *super().command()]


def test_a_fleet_does_its_work_and_is_refused_nothing(known_settings, folder, cluster, streams, worker_process):
    before = len(refusals(folder))
    large = "x" * 700_000  # through the bucket, there and back
    echo = "import sys; sys.stdout.write(sys.stdin.read() + 'y')"
    with Postgres(folder / "postgres") as server:
        ledger = server.url(server.new_database())
        options = role(folder, cluster, "gateway", NOBODY if os.geteuid() == 0 else None)
        with Unprivileged(folder / "gateway", "--ledger", ledger, *options) as live:
            hello = live.request("print(6 * 7)", "python", {})
            wait_until(lambda: live.call("POST", "/v1/runs?wait", hello).status == 200, "the worker to be there", PATIENCE)
            assert out_of(live.run("print(6 * 7)")) == "42\n"
            limits = {"output": len(large) + 1}
            assert out_of(live.run(echo, stdin=large, limits=limits)) == large + "y"
            queued = live.submit("print(6 * 7)")
            assert out_of(live.look(queued, wait=True)) == "42\n"
    assert len(refusals(folder)) == before, refusals(folder)[before:]
    # What is refused is seen there.
    with Wire(cluster[0], tls=context(folder, "worker")) as wire:
        assert not wire.is_allowed("belljar.work.0.planted.0")
    assert any("belljar.work.0.planted.0" in line for line in refusals(folder))


def refusals(folder):
    """What the nodes have written down."""
    lines = "".join((folder / f"nats-{each + 1}.log").read_text() for each in range(NODES)).splitlines()
    return [line for line in lines if "Violation" in line]


def test_the_subjects_of_the_sources_are_in_the_file():
    """A name that the program begins to use has to be allowed here first."""
    sources = ROOT / "src/fleet"
    if not sources.is_dir():
        pytest.skip("there are no sources of a fleet yet")
    text = "".join(path.read_text() for path in sources.glob("*.cpp"))
    used = set(re.findall(r'"(belljar\.[a-z]+)\.', text))
    streams = set(re.findall(r'"(BELLJAR_[A-Z]+)"', "".join(path.read_text() for path in sources.glob("*.h"))))
    assert used and streams
    assert used <= set(re.findall(r"belljar\.[a-z]+", CONF.read_text() + " belljar.work belljar.gateways"))
    assert streams == {"BELLJAR_WORK", "BELLJAR_ENDS", "BELLJAR_EVENTS"}
