"""Webhooks: signed, tried again, never to where they must not go, and in nobody's way."""

import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import re
import ssl
import subprocess

import pytest

from receivers import OK, NameServer, Receiver, answer, hold
from sending import Service
from support.client import PATIENCE
from support.command import ordinary_user, scratch_folder, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]


def documented_verify():
    """`verify` as docs/webhooks.md shows it."""
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/webhooks.md").read_text(), re.DOTALL)
    names = {}
    exec(example, names)
    return names["verify"]


def secret_of(service):
    return (service.state / "webhook.secret").read_text().strip()


# ---- What is sent ----------------------------------------------------------------------------


def test_a_delivery_is_the_run_and_signed(serve):
    service = serve()
    with Receiver() as receiver:
        run = service.submit_for(receiver.url + "?a=%0d%0ab", "echo 'two\nlines'")
        request = receiver.next()
        service.event("webhook", result="delivered", run=run)
    assert request.line == "POST /hook?a=%0d%0ab HTTP/1.1"
    assert set(request.headers) == {
        "Host", "User-Agent", "Accept", "Connection", "Content-Type", "Content-Length",
        "Belljar-Run", "Belljar-Delivery", "Belljar-Timestamp", "Belljar-Signature",
    }
    assert request.headers["Host"] == f"127.0.0.1:{receiver.port}"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Belljar-Run"] == run
    told = json.loads(request.body)
    assert told == service.look(run)
    assert told["state"] == "done" and told["id"] == run

    verify = documented_verify()
    secret, headers = secret_of(service), request.headers
    assert verify(secret, headers, request.body)
    assert not verify(secret, headers, request.body + b" ")
    assert not verify(secret[:-1], headers, request.body)
    assert not verify(secret, {**headers, "Belljar-Delivery": headers["Belljar-Delivery"] + "0"}, request.body)
    later = str(int(headers["Belljar-Timestamp"]) + 1)
    assert not verify(secret, {**headers, "Belljar-Timestamp": later}, request.body)
    # Signed well, but of long ago.
    old = str(int(headers["Belljar-Timestamp"]) - 1000)
    text = f"{old}.{request.delivery}.".encode() + request.body
    signature = "v1=" + hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    replayed = {**headers, "Belljar-Timestamp": old, "Belljar-Signature": signature}
    assert not verify(secret, replayed, request.body)
    assert verify(secret, replayed, request.body, tolerance=100000)


def test_the_secret_is_kept_and_in_no_log(serve):
    service = serve()
    path = service.state / "webhook.secret"
    secret = secret_of(service)
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(secret) == 64
    with Receiver() as receiver:
        service.submit_for(receiver.url)
        receiver.next()
        service.event("webhook", result="delivered")
    service.stop()
    assert secret not in service.log
    again = serve(after=service)
    assert secret_of(again) == secret


def test_two_secrets_sign_both(serve):
    service = serve()
    service.stop()
    old = secret_of(service)
    (service.state / "webhook.secret").write_text(f"another secret of ours\n{old}\n")
    service = serve(after=service)
    with Receiver() as receiver:
        service.submit_for(receiver.url)
        request = receiver.next()
    verify = documented_verify()
    assert verify(old, request.headers, request.body)
    assert verify("another secret of ours", request.headers, request.body)
    assert not verify("a secret of somebody else", request.headers, request.body)


def test_a_run_that_failed_is_told_of_too(serve):
    service = serve()
    with Receiver() as receiver:
        service.submit_for(receiver.url, "exit 3")
        told = json.loads(receiver.next().body)
    assert told["state"] == "done" and told["outcome"]["status"] != "success"


def test_a_run_that_is_cancelled_in_the_queue_is_told_of(serve):
    service = serve("--concurrent", "1")
    with Receiver() as receiver:
        first = service.submit("sleep 30", "bash", limits={"wall": "40s"})
        run = service.submit_for(receiver.url)
        assert service.call("POST", f"/v1/runs/{run}/cancel").status == 202
        told = json.loads(receiver.next().body)
        assert (told["id"], told["state"]) == (run, "cancelled")
        service.call("POST", f"/v1/runs/{first}/cancel")


# ---- Again -----------------------------------------------------------------------------------


def test_a_failure_is_tried_again_with_the_same_delivery(serve):
    service = serve()
    with Receiver(answer(500), answer(404), lambda connection: None, b"SSH-2.0-x\r\n", OK) as receiver:
        run = service.submit_for(receiver.url)
        service.event("webhook", result="delivered", run=run)
        requests = [receiver.next() for _ in range(5)]
        assert receiver.requests.empty()
    assert len({request.delivery for request in requests}) == 1
    assert len({request.body for request in requests}) == 1
    stamps = [int(request.headers["Belljar-Timestamp"]) for request in requests]
    assert stamps == sorted(stamps)
    verify = documented_verify()
    assert all(verify(secret_of(service), request.headers, request.body) for request in requests)
    attempts = service.attempts(run=run)
    assert [each["attempt"] for each in attempts] == [1, 2, 3, 4, 5]
    assert [each.get("status") for each in attempts] == [500, 404, None, None, 200]
    assert "not HTTP" in attempts[3]["reason"]


def test_after_eight_attempts_it_is_given_up(serve):
    service = serve(retry="1ms")
    with Receiver(answer(503)) as receiver:
        run = service.submit_for(receiver.url)
        last = service.event("webhook", result="given_up", run=run)
    assert last["attempt"] == 8
    assert receiver.count == 8
    assert service.look(run)["state"] == "done"


def test_410_ends_it_at_once(serve):
    service = serve()
    with Receiver(answer(410)) as receiver:
        run = service.submit_for(receiver.url)
        assert service.event("webhook", run=run)["result"] == "refused"
        assert receiver.count == 1


def test_what_is_pending_survives_a_kill_of_the_service(serve):
    service = serve(retry="1s")
    with Receiver(answer(500), OK) as receiver:
        run = service.submit_for(receiver.url)
        service.event("webhook", result="failed", run=run)
        service.kill("gateway")
        service.event("webhook", result="delivered", run=run)
        assert receiver.next().delivery == receiver.next().delivery


def test_a_killed_sender_loses_nothing(serve):
    service = serve()
    with Receiver(hold, OK) as receiver:
        run = service.submit_for(receiver.url)
        first = receiver.next()
        before = service.sender()
        before.kill()
        second = receiver.next()
        service.event("webhook", result="delivered", run=run)
        assert first.delivery == second.delivery
        assert service.event("webhook_sender_ended")
        assert service.sender().pid != before.pid
    assert service.attempts(run=run)[0]["reason"] == "the sender ended"


# ---- Redirects and proxies -------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(serve, status):
    service = serve()
    with Receiver() as other, Receiver(answer(status, f"Location: {other.url}"), OK) as receiver:
        run = service.submit_for(receiver.url)
        service.event("webhook", result="delivered", run=run)
        assert service.attempts(run=run)[0]["status"] == status
        assert receiver.count == 2 and other.count == 0


def test_proxies_of_the_environment_are_ignored(serve):
    with Receiver() as proxy, Receiver() as receiver:
        names = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY")
        service = serve(env={name: f"http://127.0.0.1:{proxy.port}" for name in names})
        service.submit_for(receiver.url)
        assert receiver.next().line == "POST /hook HTTP/1.1"
        assert proxy.count == 0


# ---- Where it must not go --------------------------------------------------------------------


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    """A service as it is set up without any setting for webhooks, but that of the ports."""
    with scratch_folder("belljar-webhooks-") as folder, Service(folder, allow="") as service:
        yield service


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org:2121/", "file:///etc/passwd", "gopher://example.org:7070/", "example.org",
        "http://good@127.0.0.1:8080/", "http://user:pass@example.org:8080/", "http://example.org:8080/#x",
        "http://example.org:8080\\@127.0.0.1/", "http://example.org:8080/\r\nX: y", "http://exämple.org:8080/",
        "http://127。0。0。1:8080/", "http://127.0.0.1:8080/", "http://127.1:8080/", "http://0:8080/",
        "http://0x7f.1:8080/", "http://0x7f000001:8080/", "http://2130706433:8080/", "http://017700000001:8080/",
        "http://169.254.169.254:8080/", "http://10.0.0.1:8080/", "http://172.16.0.1:8080/", "http://192.168.1.1:8080/",
        "http://100.64.0.1:8080/", "http://224.0.0.1:8080/", "http://255.255.255.255:8080/", "http://[::]:8080/",
        "http://[::1]:8080/", "http://[::ffff:127.0.0.1]:8080/", "http://[fd00:ec2::254]:8080/",
        "http://[fe80::1]:8080/", "http://[64:ff9b::127.0.0.1]:8080/", "http://[2002:7f00:1::]:8080/",
        "http://localhost:8080/", "http://x.internal:8080/", "http://router:8080/", "http://example.org:22/",
        "http://example.org:25/", "http://example.org/", "http://example.org:0/", "http://example.org:65536/",
        "http://example.org:8080/" + "a" * 2048,
    ],
)  # fmt: skip
def test_a_url_is_refused_when_it_is_submitted(strict, url):
    answer = strict.call("POST", "/v1/runs", {"language": "bash", "source": "true", "webhook": url})
    assert answer.status == 400, answer
    assert answer.json["detail"].startswith("webhook: "), answer


def test_a_url_of_the_internet_is_taken(strict):
    # Nothing is sent: the run is refused for another reason.
    answer = strict.call("POST", "/v1/runs", {"language": "none", "source": "", "webhook": "https://example.org:8443/"})
    assert answer.status >= 400 and "webhook" not in answer.json["detail"]


def test_an_address_that_is_no_longer_allowed_is_refused_when_it_is_sent(serve):
    service = serve(retry="3s")
    with Receiver(answer(500), OK) as receiver:
        run = service.submit_for(receiver.url)
        service.event("webhook", result="failed", run=run)
        service.stop()
        service = serve(after=service, allow="")
        refused = service.event("webhook", run=run)
        assert refused["result"] == "refused" and "loopback" in refused["reason"]
        assert receiver.count == 1


# A receiver listens on every address of 127/8 that a name here has, so that a wrong step arrives.
FORBIDDEN = {
    "private.example.org": [["127.0.0.2"]],
    "mixed.example.org": [["127.0.0.1", "127.0.0.2"]],
    "many.example.org": [["127.0.0.1"] * 20 + ["127.0.0.2"]],
    "six.example.org": [["::1"]],
    "mapped.example.org": [["::ffff:127.0.0.2"]],
    "metadata.example.org": [["169.254.169.254"]],
    "unspecified.example.org": [["0.0.0.0"]],
}


@pytest.fixture(scope="module")
def named():
    """A service with a name server of the test's, and a receiver on every loopback address."""
    names = {
        "good.example.org": [["127.0.0.1"]],
        "dead-first.example.org": [["127.0.0.3", "127.0.0.1"]],
        "rebinding.example.org": [["127.0.0.1"], ["127.0.0.2"]],
        "silent.example.org": "silent",
        **FORBIDDEN,
    }
    with NameServer(names) as server, Receiver(address="0.0.0.0") as receiver, scratch_folder("belljar-webhooks-") as folder:
        with Service(folder, "--webhook-dns", server.address) as service:
            service.receiver, service.server = receiver, server
            yield service


def test_a_name_is_looked_up_once_and_its_address_dialled(named):
    run = named.submit_for(f"http://good.example.org:{named.receiver.port}/")
    assert named.receiver.next().headers["Host"] == f"good.example.org:{named.receiver.port}"
    named.event("webhook", result="delivered", run=run)
    assert named.server.asked.count(("good.example.org", 1)) == 1


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_name_with_a_forbidden_address_is_refused(named, name):
    before = named.receiver.count
    run = named.submit_for(f"http://{name}:{named.receiver.port}/")
    refused = named.event("webhook", run=run)
    assert refused["result"] == "refused" and "is not allowed" in refused["reason"]
    assert named.receiver.count == before


def test_a_name_that_changes_is_not_looked_up_again(named):
    run = named.submit_for(f"http://rebinding.example.org:{named.receiver.port}/")
    named.event("webhook", result="delivered", run=run)
    named.receiver.next()
    assert named.server.asked.count(("rebinding.example.org", 1)) == 1
    # And when it is for another delivery, its new address is checked as well.
    run = named.submit_for(f"http://rebinding.example.org:{named.receiver.port}/")
    assert named.event("webhook", run=run)["result"] == "refused"


@pytest.mark.parametrize("name", ["missing.example.org", "silent.example.org"])
def test_a_name_that_cannot_be_looked_up_is_tried_again(named, name):
    run = named.submit_for(f"http://{name}:{named.receiver.port}/")
    failed = named.event("webhook", run=run)
    assert failed["result"] == "failed" and "could not be looked up" in failed["reason"]


# ---- In nobody's way -------------------------------------------------------------------------


def test_slow_receivers_hold_up_nobody_else(serve):
    service = serve(retry="60m")
    with contextlib.ExitStack() as stack:
        slow = stack.enter_context(Receiver(hold))
        good = stack.enter_context(Receiver())
        slow_runs = [service.submit_for(f"{slow.url}?{number}") for number in range(4)]
        for _ in range(2):
            slow.next()
        fast_runs = [service.submit_for(good.url) for _ in range(4)]
        for run in fast_runs:
            service.event("webhook", result="delivered", run=run)
        # Two at once of one origin, whatever is due.
        assert slow.most_open == 2
        # And each of the others has its turn.
        for run in slow_runs:
            assert service.event("webhook", run=run)["result"] == "failed"
        assert slow.count == 4


def test_one_receiver_is_told_so_often_and_no_more(serve):
    """Whoever's runs they are, and whether it is a first attempt or another one."""
    service = serve("--webhook-rate", "3")
    with Receiver(answer(500), OK) as victim, Receiver() as other:
        runs = [service.submit_for(victim.url) for _ in range(6)]
        for run in runs:
            assert service.look(run, wait=True)["state"] == "done"
        asked = [victim.next() for _ in range(3)]
        assert asked
        # Another receiver's come all the same, after the victim's were due.
        told = [service.submit_for(other.url) for _ in range(3)]
        assert {other.next().headers["Belljar-Run"] for _ in told} == set(told)
        for run in told:
            service.event("webhook", result="delivered", run=run)
        assert victim.requests.empty()
        assert len(service.attempts(origin=f"http://127.0.0.1:{victim.port}")) == 3


def test_one_caller_has_half_of_the_places(serve):
    service = serve(retry="60m")
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(Receiver(hold)) for _ in range(6)]
        for receiver in slow:
            service.submit_for(receiver.url)
        service.event("webhook", result="failed")
        begun = sum(receiver.count for receiver in slow)
        assert begun <= 4 + len(service.attempts())
        wait_until(lambda: len(service.attempts()) >= 6, "all attempts", PATIENCE)


def endless_head(connection):
    connection.sendall(b"HTTP/1.1 200 " + b"a" * 100)
    while True:
        connection.sendall(b"a" * 65536)


def endless_interim(connection):
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)


def endless_body(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 10000000000\r\n\r\n")
    while True:
        connection.sendall(b"a" * 65536)


@pytest.mark.parametrize("how, result", [(endless_head, "failed"), (endless_interim, "failed"), (endless_body, "delivered")])
def test_an_endless_answer_is_left(serve, how, result):
    service = serve(retry="60m")
    with Receiver(how) as receiver:
        run = service.submit_for(receiver.url)
        assert service.event("webhook", run=run)["result"] == result


def test_a_receiver_that_trickles_runs_out_of_time(serve):
    service = serve(retry="60m")

    def trickles(connection):
        connection.sendall(b"HTTP/1.1 ")
        while not receiver.released.wait(0.2):
            connection.sendall(b"2")

    with Receiver(trickles) as receiver:
        run = service.submit_for(receiver.url)
        failed = service.event("webhook", run=run)
        assert failed["result"] == "failed" and "in time" in failed["reason"]


ODD_ANSWERS = [
    b"\0" * 5000, b"\r\n\r\n", b"HTTP/9.9 200 OK\r\n\r\n", b"HTTP/1.1 200", b"HTTP/1.1 -1 OK\r\n\r\n",
    b"HTTP/1.1 99999999999999999999 OK\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"\x16\x03\x01\x02\x00" * 50,
    b"HTTP/1.1 600 \r\n\r\n", b"220 ESMTP\r\n", b"<html>", b"HTTP/1.1 1\xff\xff OK\r\n\r\n",
]  # fmt: skip


def test_odd_answers_are_failures_and_the_sender_stays(serve):
    service = serve(retry="60m")
    with Receiver(*ODD_ANSWERS) as odd, Receiver() as good:
        service.submit_for(good.url)
        good.next()
        sender = service.sender()
        runs = [service.submit_for(odd.url) for _ in ODD_ANSWERS]
        for run in runs:
            assert service.event("webhook", run=run)["result"] == "failed"
        run = service.submit_for(good.url)
        service.event("webhook", run=run, result="delivered")
        assert service.sender().pid == sender.pid


# ---- TLS -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority, a certificate of it for 127.0.0.1 and good.example.org, and another authority."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=PATIENCE)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for name in ("ca", "other"):
        openssl("req", "-x509", *key, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}", "-days", "2")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=whatever")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:good.example.org\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", "server.pem", "-days", "2", "-extfile", "names")
    return folder


@pytest.mark.parametrize(
    "authority, host, reason",
    [
        ("ca", "127.0.0.1", None),
        ("ca", "good.example.org", None),
        ("ca", "wrong.example.org", "mismatch"),
        ("other", "127.0.0.1", "certificate"),
        (None, "127.0.0.1", "certificate"),
    ],
)
def test_tls_is_verified(serve, certificates, authority, host, reason):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    names = {name: [["127.0.0.1"]] for name in ("good.example.org", "wrong.example.org")}
    with NameServer(names) as server, Receiver(context=context) as receiver:
        settings = ["--webhook-dns", server.address]
        if authority:
            settings += ["--webhook-ca", str(certificates / f"{authority}.pem")]
        service = serve(*settings, retry="60m")
        run = service.submit_for(f"https://{host}:{receiver.port}/hook")
        end = service.event("webhook", run=run)
        if reason is None:
            assert end["result"] == "delivered"
            assert receiver.next().headers["Host"] == f"{host}:{receiver.port}"
        else:
            assert end["result"] == "failed" and reason in end["reason"]
            assert receiver.count == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_is_refused(serve, certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with Receiver(context=context) as receiver:
        service = serve("--webhook-ca", str(certificates / "ca.pem"), retry="60m")
        run = service.submit_for(f"https://127.0.0.1:{receiver.port}/")
        end = service.event("webhook", run=run)
        assert end["result"] == "failed" and "TLS" in end["reason"]


# ---- The process that sends ------------------------------------------------------------------


def test_the_sender_has_no_rights_and_no_ledger(serve):
    service = serve()
    with Receiver() as receiver:
        service.submit_for(receiver.url)
        receiver.next()
    sender = service.sender()
    status = dict(line.split(":\t", 1) for line in (sender.folder / "status").read_text().splitlines())
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    gateway = service.gateway
    if os.geteuid() == 0 and ordinary_user() is None:
        assert int(status["CapBnd"], 16) == 0
        uids = set(status["Uid"].split())
        owner = str((service.state / "ledger.db").stat().st_uid)
        assert len(uids) == 1 and "0" not in uids and owner not in uids
    # The control: the gateway does have it.
    def files(process):
        return {os.readlink(each) for each in (process.folder / "fd").iterdir()}

    assert any("ledger.db" in name for name in files(gateway))
    assert not any("ledger" in name or "secret" in name for name in files(sender))
    secret = secret_of(service).encode()
    assert holds(gateway, secret)
    assert not holds(sender, secret)


def holds(process, text):
    """Whether a process has these bytes in its writable memory."""
    with open(process.folder / "mem", "rb", 0) as memory:
        for line in (process.folder / "maps").read_text().splitlines():
            ends, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            first, last = (int(each, 16) for each in ends.split("-"))
            with contextlib.suppress(OSError):
                memory.seek(first)
                if text in memory.read(last - first):
                    return True
    return False


def test_deliveries_are_counted(serve):
    service = serve(retry="60m")
    with Receiver(OK, answer(500)) as receiver:
        for result in ("delivered", "failed"):
            run = service.submit_for(receiver.url)
            service.event("webhook", run=run, result=result)
    page = service.call("GET", "/metrics").body.decode()
    for result in ("delivered", "failed"):
        assert f'belljar_webhooks_total{{result="{result}"}} 1' in page
