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
USERS = ROOT / "deploy/nats-users.sh"
NODES = 3


def certificates(folder, *options):
    done = subprocess.run(
        [ROOT / "deploy/fleet-certificates.sh", *options, folder],
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
    """What a role shows: `worker` stands for the first of them."""
    certificate = "workers/worker-1" if certificate == "worker" else certificate
    made = ssl.create_default_context(cafile=folder / "tls/ca.crt")
    if certificate:
        made.load_cert_chain(folder / f"tls/{certificate}.crt", folder / f"tls/{certificate}.key")
    return made


@pytest.fixture(scope="module")
def streams(folder, cluster):
    """What gateways make at their start: the streams, and the bucket's."""
    with Wire(cluster[0], tls=context(folder, "gateway"), inbox="_INBOX.gateway") as wire:
        for name, subjects, retention in (
            ("BELLJAR_WORK", ["belljar.work.0.>"], "workqueue"),
            ("BELLJAR_ENDS", ["belljar.gateway.*.end.*.*.*"], "workqueue"),
            ("BELLJAR_EVENTS", ["belljar.gateway.*.event.*.*.*"], "limits"),
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
    with Wire(cluster[0], tls=context(folder, "gateway"), inbox="_INBOX.gateway") as wire:
        yield wire


@pytest.fixture
def worker(folder, cluster, streams):
    with Wire(cluster[-1], tls=context(folder, "worker"), inbox="_INBOX.worker.worker-1") as wire:
        yield wire


@pytest.fixture
def other_worker(folder, cluster, streams):
    with Wire(cluster[-1], tls=context(folder, "workers/worker-2"), inbox="_INBOX.worker.worker-2") as wire:
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
                         ("gateway", ["gateway.belljar"]), ("workers/worker-2", ["worker-2.worker.belljar"])):  # fmt: skip
        shown = subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", folder / f"tls/{name}.crt"],
                               capture_output=True, text=True, check=True).stdout  # fmt: skip
        names = re.findall(r"DNS:([\w.-]+)", shown)
        assert set(wanted) <= set(names), shown
        if name.startswith("workers/"):
            assert names == wanted
    users = re.findall(r'user: "(.*)"', (folder / "tls/users.conf").read_text())
    assert users == ["gateway.belljar", *(f"worker-{number}.worker.belljar" for number in (1, 2, 3))]


@pytest.mark.parametrize("name", ["a b", "a.b", "*", ">", "A", '"', ""])
def test_a_name_that_would_be_more_than_one_word_is_refused(tmp_path, name):
    done = subprocess.run([USERS, name], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and not done.stdout.count("worker.belljar")
    if name and " " not in name:
        done = subprocess.run([ROOT / "deploy/fleet-certificates.sh", "-w", name, tmp_path / "made"],
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 2 and not (tmp_path / "made").exists()


def test_a_worker_can_be_added_to_those_that_are_there(tmp_path):
    certificates(tmp_path, "-w", "a")
    before = (tmp_path / "workers/a.key").read_text()
    certificates(tmp_path, "-w", "b")
    assert re.findall(r'user: "(.)\.worker', (tmp_path / "users.conf").read_text()) == ["a", "b"]
    assert (tmp_path / "workers/a.key").read_text() == before


def test_keys_are_for_their_owner_and_stay_when_called_again(folder):
    keys = sorted((folder / "tls").rglob("*.key"))
    assert {each.stem for each in keys} == {
        "ca", "gateway", "ledger", "nats", "route", "route-ca", "worker-1", "worker-2", "worker-3"
    }  # fmt: skip
    secrets = [*keys, folder / "tls/ledger-password"]
    assert {each.stat().st_mode & 0o777 for each in secrets} == {0o600}

    def texts():
        return {each: each.read_text() for each in (folder / "tls").rglob("*") if each.is_file()}

    before = texts()
    certificates(folder / "tls")
    assert texts() == before


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
    file = "workers/worker-1" if certificate == "worker" else certificate
    tls.load_cert_chain(folder / f"tls/{file}.crt", folder / f"tls/{file}.key")
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
    state = gateway.subscribe("belljar.workers.*.*")
    gateway.settle()
    for name in ("WORK", "ENDS", "EVENTS"):
        patiently(lambda: worker.ask(f"$JS.API.STREAM.INFO.BELLJAR_{name}"))  # noqa: B023 - called at once
    worker.ask("$JS.API.STREAM.INFO.OBJ_belljar")
    consumer = {"stream_name": "BELLJAR_WORK",
                "config": {"durable_name": "p-0", "ack_policy": "explicit", "filter_subject": "belljar.work.0.p.0"}}  # fmt: skip
    worker.ask("$JS.API.CONSUMER.DURABLE.CREATE.BELLJAR_WORK.p-0", consumer)
    assert worker.is_allowed("belljar.workers.worker-1.w", b"here")
    assert gateway.next()[2] == b"here"
    gateway.send(f"UNSUB {state}\r\n".encode())

    gateway.ask("belljar.work.0.p.0", {"run": 1})
    mine = "_INBOX.worker.worker-1.mine"
    worker.subscribe(mine)
    worker.publish("$JS.API.CONSUMER.MSG.NEXT.BELLJAR_WORK.p-0", b'{"batch":1,"expires":30000000000}', mine)
    subject, reply, data = worker.next()
    assert (subject, data) == ("belljar.work.0.p.0", b'{"run": 1}')
    for kind in ("told", "event", "done", "end"):
        assert worker.is_allowed(f"belljar.gateway.g1.{kind}.worker-1.w.r1", b"x"), kind
    assert worker.is_allowed(reply, b"+WPI") and worker.is_allowed(reply, b"+ACK")
    for subject in ("$O.belljar.C.o1", "$O.belljar.M.n1"):
        assert worker.ask(subject, {})["stream"] == "OBJ_belljar"
    assert worker.ask("$JS.API.STREAM.MSG.GET.OBJ_belljar", {"last_by_subj": "$O.belljar.M.n1"})["message"]


OWN = ["belljar.order.{}.w", "belljar.order.{}.*", "belljar.heard.{}.*", "belljar.session.{}.*", "belljar.control.{}.w.*", "_INBOX.worker.{}.>"]


@pytest.mark.parametrize("subject", [*OWN, "belljar.wake.p", "belljar.call", "belljar.cancel.*"])
def test_a_worker_listens_to_what_is_for_it(worker, subject):
    assert worker.may_listen(subject.format("worker-1"))


@pytest.mark.parametrize("subject", OWN)
def test_a_worker_does_not_hear_another_one(worker, other_worker, subject):
    assert not worker.may_listen(subject.format("worker-2"))
    assert other_worker.may_listen(subject.format("worker-2"))


@pytest.mark.parametrize("subject", ["belljar.order.*.*", "belljar.order.>", "belljar.heard.>", "belljar.control.>", "_INBOX.>",
                                     "_INBOX.worker.>", "_INBOX.gateway.>", "_INBOX.*.*.*", "*.*.*.*"])  # fmt: skip
def test_a_worker_does_not_hear_all_of_them(gateway, worker, subject):
    assert not worker.may_listen(subject)
    assert worker.may_listen("belljar.order.worker-1.>")
    if subject == "_INBOX.gateway.>" or subject.startswith("belljar."):
        assert gateway.may_listen(subject)


def test_what_another_one_is_answered_is_not_heard(folder, cluster, worker, other_worker):
    """Work that another one has pulled, an order to it, what it is told, end to end. All are at one node: another one
    would learn a little later who listens."""
    answer = "_INBOX.worker.worker-2.answer"
    for mine, others in ((worker, "worker-2"), (other_worker, "worker-2")):
        for subject in ("belljar.order.{}.w", "belljar.control.{}.w.r", "_INBOX.worker.{}.answer"):
            mine.subscribe(subject.format(others))
        mine.settle()
    with Wire(cluster[-1], tls=context(folder, "gateway"), inbox="_INBOX.gateway") as gateway:
        for subject in ("belljar.order.worker-2.w", "belljar.control.worker-2.w.r"):
            gateway.publish(subject, b"secret")
        gateway.settle()
    other_worker.publish("$JS.API.STREAM.INFO.OBJ_belljar", b"", answer)
    heard = [other_worker.next()[0] for _ in range(3)]
    assert set(heard) == {"belljar.order.worker-2.w", "belljar.control.worker-2.w.r", answer}
    # What had been for this one too would be here before the answer to a question of its own.
    worker.ask("$JS.API.STREAM.INFO.OBJ_belljar")
    assert worker.waiting == []


TOLD = [f"belljar.gateway.g1.{kind}.{{}}.w.r1" for kind in ("told", "event", "done", "end")]


@pytest.mark.parametrize("subject", [*TOLD, "belljar.workers.{}.w"])
def test_a_worker_speaks_under_its_own_name_alone(worker, other_worker, subject):
    assert not worker.is_allowed(subject.format("worker-2"))
    assert not worker.is_allowed(subject.format("gateway"))
    assert worker.is_allowed(subject.format("worker-1")) and other_worker.is_allowed(subject.format("worker-2"))


@pytest.mark.parametrize("number", range(1, 8))
def test_a_worker_takes_from_every_stream_of_work_that_there_may_be(worker, number):
    name = f"BELLJAR_WORK_{number}"
    for subject in (f"$JS.API.CONSUMER.DURABLE.CREATE.{name}.p-0", f"$JS.API.CONSUMER.MSG.NEXT.{name}.p-0", f"$JS.ACK.{name}.p-0.1"):
        assert worker.is_allowed(subject), subject
    assert not worker.is_allowed(f"$JS.API.STREAM.CREATE.{name}")


@pytest.mark.parametrize("subject", [
    "belljar.work.0.p.0", "belljar.order.worker-2.w", "belljar.order.worker-1.w", "belljar.wake.p", "belljar.call", "belljar.cancel.r1",
    "belljar.control.worker-1.w.r1", "belljar.heard.worker-1.w", "belljar.gateways.g1",
    "belljar.gateway.g1.other.worker-1.w.r1", "_INBOX.gateway.a", "_INBOX.worker.worker-2.a",
    "$JS.API.STREAM.INFO.OTHER", "$JS.API.STREAM.CREATE.OTHER", "$JS.API.STREAM.UPDATE.BELLJAR_WORK", "$JS.API.STREAM.PURGE.BELLJAR_WORK",
    "$JS.API.STREAM.DELETE.OBJ_other", "$JS.API.STREAM.MSG.GET.BELLJAR_WORK", "$JS.API.STREAM.MSG.GET.BELLJAR_EVENTS",
    "$JS.API.STREAM.MSG.DELETE.BELLJAR_WORK", "$JS.API.DIRECT.GET.BELLJAR_WORK", "$JS.API.CONSUMER.CREATE.BELLJAR_EVENTS",
    "$JS.API.CONSUMER.DURABLE.CREATE.BELLJAR_ENDS.mine", "$JS.API.CONSUMER.DELETE.BELLJAR_WORK.p-0",
    "$JS.API.CONSUMER.MSG.NEXT.BELLJAR_ENDS.ends-g1", "$JS.ACK.BELLJAR_ENDS.ends-g1.1.1.1.1.0",
])  # fmt: skip
def test_a_worker_may_not_say_what_a_gateway_says(gateway, worker, subject):
    """Nothing to nobody's harm is sent: an empty message, which JetStream refuses where it would need one."""
    assert not worker.is_allowed(subject)
    if subject.startswith("_INBOX."):
        assert not gateway.is_allowed(subject)
    elif ".other." not in subject:
        assert gateway.is_allowed(subject) or subject.startswith("$JS.API.DIRECT")


@pytest.mark.parametrize(
    "subject", ["belljar.work.>", "belljar.gateway.>", "belljar.workers.*.*", "belljar.gateways.*", "belljar.>", ">"]
)
def test_a_worker_may_not_listen_to_what_is_for_gateways(gateway, worker, subject):
    assert not worker.may_listen(subject)
    assert gateway.may_listen(subject) == (subject != ">")


def test_a_gateway_does_not_hear_what_workers_are_answered(gateway, worker):
    assert not gateway.may_listen("_INBOX.worker.worker-1.>")
    assert worker.may_listen("_INBOX.worker.worker-1.>")


@pytest.mark.parametrize("subject", ["$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.PING"])
def test_neither_asks_about_the_servers(gateway, worker, subject):
    assert not worker.is_allowed(subject)
    assert not gateway.is_allowed(subject)


@pytest.fixture
def worker_process(folder, cluster):
    """Started with the certificate of its role; must end well."""
    with open(folder / "worker.log", "wb") as log:
        process = subprocess.Popen(
            as_user([binary(), "worker", "--state-dir", folder / "worker", "--headers", "none", "--fleet-name", "worker-1",
                     *role(folder, cluster, "worker")]),
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
    files = folder / "tls" / ("workers/worker-1" if name == "worker" else name)
    shutil.copy(folder / "tls/ca.crt", own)
    for suffix in ("crt", "key"):
        shutil.copy(f"{files}.{suffix}", own / f"{name}.{suffix}")
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
    with Wire(cluster[0], tls=context(folder, "worker"), inbox="_INBOX.worker.worker-1") as wire:
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
    assert used <= set(re.findall(r"belljar\.[a-z]+", USERS.read_text() + " belljar.work belljar.gateways"))
    assert streams == {"BELLJAR_WORK", "BELLJAR_ENDS", "BELLJAR_EVENTS"}
