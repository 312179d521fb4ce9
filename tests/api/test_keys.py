"""Keys: who may ask, for what, how often, and that nobody sees another's runs."""

import re
import socket
import sqlite3
import subprocess

import pytest

from service import READY, wait_until_ready
from support.client import PATIENCE
from support.command import binary, environment, wait_until
from support.service import out_of

PROGRAM = {"language": "python", "source": "print(1)"}
SLEEP = READY + "import time; time.sleep(600)"


@pytest.fixture(scope="module")
def keyed(service_maker):
    """A service that asks for a key on loopback too."""
    return service_maker("--require-key", "--concurrent", "4")


def test_keys_are_created_listed_and_revoked(keyed):
    name, secret = keyed.create_key("ada", "--name", "laptop")
    assert re.fullmatch("key_[a-z0-9]+", name) and re.fullmatch("bj_[0-9a-f]{64}", secret)

    def row():
        (line,) = [line for line in keyed.keys("list").splitlines() if line.startswith(name)]
        return line.split()

    assert row()[1:5] == ["valid", "ada", "laptop", "runs"]
    assert secret not in keyed.keys("list")
    assert out_of(keyed.run("print(1)", key=secret)) == "1\n"
    keyed.keys("revoke", name)
    assert row()[1] == "revoked"
    # A service that runs knows it at once.
    assert keyed.post("/v1/runs", PROGRAM, key=secret).status == 401
    keyed.keys("revoke", "key_none", code=2)


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer bj_" + "0" * 64, "Bearer x", "Basic YTpi", "bj_" + "0" * 64],
)
def test_without_a_valid_key_nothing_is_answered(keyed, header):
    headers = {} if header is None else {"Authorization": header}
    for method, path in [("POST", "/v1/runs"), ("GET", "/v1/runs"), ("GET", "/v1/runs/x"),
                         ("GET", "/v1/runs/interactive"), ("GET", "/metrics"), ("POST", "/execute"),
                         ("POST", "/run"), ("POST", "/pysandbox"), ("POST", "/v1/batches")]:  # fmt: skip
        answer = keyed.call(method, path, headers=headers)
        assert answer.status == 401, (method, path, answer)
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_the_scheme_of_a_key_has_no_case(keyed):
    _, secret = keyed.create_key("case")
    assert keyed.get("/v1/runs", headers={"Authorization": f"bearer {secret}"}).status == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v1/system", "/v1/languages", "/openapi.yaml"])
def test_what_needs_no_key(keyed, path):
    assert keyed.get(path).status == 200


def test_scopes(keyed):
    secrets = {scope: keyed.create_key("scopes", "--scope", scope)[1] for scope in ("runs", "metrics", "*")}
    _, both = keyed.create_key("scopes", "--scope", "runs", "--scope", "metrics")
    allowed = {
        "runs": (200, 403),
        "metrics": (403, 200),
        "*": (200, 200),
    }
    for scope, wanted in allowed.items():
        got = tuple(keyed.get(path, key=secrets[scope]).status for path in ("/v1/runs", "/metrics"))
        assert got == wanted, scope
    assert [keyed.get(path, key=both).status for path in ("/v1/runs", "/metrics")] == [200, 200]


def test_nobody_sees_the_runs_of_another(keyed):
    _, ada = keyed.create_key("ada")
    _, bob = keyed.create_key("bob")
    _, admin = keyed.create_key("root", "--scope", "*", "--scope", "admin")
    run = keyed.run("open('a', 'w').write('secret')", artifacts=["a"], key=ada)["id"]
    slept = keyed.submit(SLEEP, key=ada)
    wait_until_ready(keyed, slept, key=ada)
    batch = keyed.post("/v1/batches", {"runs": [PROGRAM]}, key=ada).json["id"]
    paths = [f"/v1/runs/{run}", f"/v1/runs/{run}?wait", f"/v1/runs/{run}/events", f"/v1/runs/{run}/artifacts",
             f"/v1/runs/{run}/artifacts/a", f"/v1/runs/{slept}", f"/v1/runs/{slept}/events",
             f"/v1/batches/{batch}"]  # fmt: skip
    for path in paths:
        answer = keyed.get(path, key=bob)
        assert answer.status == 404, (path, answer)
        # Not told apart from what is not there.
        real = re.search(r"(run|batch)_\w+", path)[0]
        none = keyed.get(path.replace(real, real[:-4] + "zzzz"), key=bob)
        assert re.sub(r"(run|batch)_\w+", "", none.json["detail"]) == re.sub(
            r"(run|batch)_\w+", "", answer.json["detail"]
        ), path
    assert keyed.post(f"/v1/runs/{slept}/cancel", key=bob).status == 404
    assert keyed.get("/v1/runs", key=bob).json["runs"] == []
    assert keyed.get(f"/v1/runs?batch={batch}", key=bob).json["runs"] == []
    assert keyed.look(slept, key=ada)["state"] == "running"
    # The owner and an administrator see them.
    for key in (ada, admin):
        assert keyed.get(f"/v1/runs/{run}/artifacts/a", key=key).body == b"secret"
        assert run in [each["id"] for each in keyed.get("/v1/runs", key=key).json["runs"]]
    assert keyed.post(f"/v1/runs/{slept}/cancel", key=admin).status == 202
    assert keyed.wait_for_state(slept, "cancelled", key=ada)


def test_idempotency_keys_are_each_callers_own(keyed):
    header = {"Idempotency-Key": "same"}
    runs = {keyed.submit("", key=keyed.create_key(user)[1], headers=header) for user in ("ada", "bob")}
    assert len(runs) == 2


def test_requests_a_minute(keyed):
    _, limited = keyed.create_key("hasty", "--per-minute", "3")
    _, other = keyed.create_key("calm")
    statuses = [keyed.get("/v1/runs", key=limited).status for _ in range(3)]
    refused = keyed.get("/v1/runs", key=limited)
    assert statuses == [200] * 3 and refused.status == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert keyed.post("/v1/runs", PROGRAM, key=limited).status == 429
    assert keyed.get("/v1/runs", key=other).status == 200


def test_each_run_of_a_batch_counts_as_a_request(keyed):
    """All of them or none: what does not fit is refused before anything is taken."""
    _, secret = keyed.create_key("rated", "--per-minute", "6")
    programs = {"runs": [PROGRAM] * 3}
    inputs = {"program": PROGRAM, "inputs": [{"stdin": str(each)} for each in range(3)]}
    assert keyed.post("/v1/batches", programs, key=secret).status == 202  # 3 of 6
    for batch in ({"runs": [PROGRAM] * 7}, {**inputs, "inputs": [{}] * 7}):
        never = keyed.post("/v1/batches", batch, key=secret)  # 4 and 5: a request costs one, whatever it was
        assert (never.status, never.json["field"]) == (400, "runs" if "runs" in batch else "inputs")
        assert "at most 6" in never.json["detail"]
    refused = keyed.post("/v1/batches", inputs, key=secret)  # 6
    assert refused.status == 429 and "more than 6 a minute" in refused.json["detail"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert keyed.get("/v1/runs", key=secret).status == 429
    _, admin = keyed.create_key("looker", "--scope", "admin", "--scope", "runs")
    owners = keyed.keys("list")
    assert "rated" in owners
    with sqlite3.connect(keyed.state / "ledger.db", timeout=PATIENCE) as ledger:
        (name,) = ledger.execute("SELECT id FROM keys WHERE user = 'rated'").fetchone()
        (count,) = ledger.execute("SELECT count(*) FROM runs WHERE caller = ?", (name,)).fetchone()
    ledger.close()
    assert count == 3
    # One that has no rate has no such bound.
    assert keyed.post("/v1/batches", {"runs": [PROGRAM] * 7}, key=admin).status == 202


def test_a_batch_over_the_days_runs_is_refused_as_a_whole(keyed):
    _, secret = keyed.create_key("counted", "--per-day", "4")
    assert keyed.post("/v1/batches", {"runs": [PROGRAM] * 3}, key=secret).status == 202
    for batch in ({"runs": [PROGRAM] * 2}, {"program": PROGRAM, "inputs": [{}, {}]}):
        refused = keyed.post("/v1/batches", batch, key=secret)
        assert refused.status == 429 and "day" in refused.json["detail"], refused
    assert len(keyed.get("/v1/runs", key=secret).json["runs"]) == 3
    assert keyed.post("/v1/runs", PROGRAM, key=secret).status == 202


def test_runs_a_day(keyed):
    _, secret = keyed.create_key("daily", "--per-day", "2")
    header = {"Idempotency-Key": "daily"}
    first = keyed.submit("", key=secret, headers=header)
    keyed.submit("", key=secret)
    refused = keyed.post("/v1/runs", PROGRAM, key=secret)
    assert refused.status == 429 and "day" in refused.json["detail"]
    assert int(refused.headers["Retry-After"]) >= 1
    # What was answered before is answered again, and what is there can be looked at.
    assert keyed.submit("", key=secret, headers=header) == first
    assert keyed.look(first, wait=True, key=secret)["state"] == "done"


def test_runs_at_once(keyed):
    _, secret = keyed.create_key("narrow", "--at-once", "1")
    _, other = keyed.create_key("wide")
    first = keyed.submit(SLEEP, key=secret)
    wait_until_ready(keyed, first, key=secret)
    second = keyed.submit("print(2)", key=secret)
    # There is room for more, but not for this key's.
    assert out_of(keyed.run("print(3)", key=other)) == "3\n"
    assert keyed.look(second, key=secret)["state"] == "queued"
    keyed.post(f"/v1/runs/{first}/cancel", key=secret)
    assert out_of(keyed.look(second, wait=True, key=secret)) == "2\n"


def test_a_key_expires(keyed):
    name, secret = keyed.create_key("brief", "--expires", "1")
    assert keyed.get("/v1/runs", key=secret).status == 200
    # A day later, as far as the ledger can tell.
    with sqlite3.connect(keyed.state / "ledger.db", timeout=PATIENCE) as ledger:
        ledger.execute("UPDATE keys SET expires_ms = created_ms + 1 WHERE id = ?", (name,))
    ledger.close()
    assert keyed.get("/v1/runs", key=secret).status == 401
    assert re.search(rf"^{name} +expired", keyed.keys("list"), re.MULTILINE)


@pytest.mark.parametrize("words", [("create",), ("create", "--for", ""), ("create", "--for", "x", "--per-day", "-1"),
                                   ("create", "--for", "x", "--scope", "a b"), ("destroy",), ("revoke",)])  # fmt: skip
def test_keys_that_cannot_be_made(keyed, words):
    keyed.keys(*words, code=2)


# ---- Where it listens, and who asks ----


def test_on_another_address_than_loopback_there_must_be_a_key(tmp_path):
    done = subprocess.run(
        [binary(), "serve", "--listen", "0.0.0.0:0", "--state-dir", str(tmp_path / "state")],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False,
        env=environment(),
    )  # fmt: skip
    assert done.returncode != 0 and "listening" not in done.stderr
    assert "belljar keys create" in done.stderr and "--open-to-all" in done.stderr


def test_without_keys_a_caller_is_his_address(serve):
    service = serve("--rate", "5", "--proxies", "127.0.0.1")
    first = {"X-Forwarded-For": "203.0.113.5"}
    run = service.post("/v1/runs", PROGRAM, headers=first).json["id"]
    # Told apart by what the proxy says, and only by the nearest address that is not a proxy.
    assert service.get(f"/v1/runs/{run}", headers=first).status == 200
    same = {"X-Forwarded-For": "198.51.100.7, 203.0.113.5, 127.0.0.1"}
    assert service.get(f"/v1/runs/{run}", headers=same).status == 200
    for other in ("203.0.113.6", "203.0.113.5, 203.0.113.6", "nonsense", ""):
        assert service.get(f"/v1/runs/{run}", headers={"X-Forwarded-For": other}).status == 404, other
    statuses = [service.get("/v1/runs", headers=first).status for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert service.get("/v1/runs", headers={"X-Forwarded-For": "203.0.113.9"}).status == 200


def test_six_addresses_of_one_network_are_one_caller(serve):
    service = serve("--proxies", "127.0.0.1")

    def sees(run, address):
        return service.get(f"/v1/runs/{run}", headers={"X-Forwarded-For": address}).status == 200

    run = service.post("/v1/runs", PROGRAM, headers={"X-Forwarded-For": "2001:db8:1:2::3"}).json["id"]
    assert sees(run, "2001:db8:1:2:ffff::9") and not sees(run, "2001:db8:1:3::3")
    run = service.post("/v1/runs", PROGRAM, headers={"X-Forwarded-For": "::ffff:203.0.113.5"}).json["id"]
    assert sees(run, "203.0.113.5") and not sees(run, "203.0.113.6")


def test_who_is_no_proxy_cannot_say_who_asks(serve):
    service = serve("--rate", "3")
    run = service.post("/v1/runs", PROGRAM, headers={"X-Forwarded-For": "203.0.113.5"}).json["id"]
    assert service.get(f"/v1/runs/{run}", headers={"X-Forwarded-For": "203.0.113.6"}).status == 200
    statuses = [service.get("/v1/runs", headers={"X-Forwarded-For": f"203.0.113.{n}"}).status for n in range(2)]
    assert statuses == [200, 429]


def has_loopback_of_six():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


@pytest.mark.skipif(not has_loopback_of_six(), reason="this host has no ::1")
def test_it_listens_on_six(serve):
    service = serve(listen="[::1]:0")
    assert service.address[0] == "::1"
    assert out_of(service.run("print(6)")) == "6\n"


def test_loopback_answers_only_by_its_own_names(serve):
    service = serve("--hosts", "belljar.example")
    _, secret = service.create_key("ada")
    port = service.port

    def status(host, **options):
        return service.post("/v1/runs", PROGRAM, headers={"Host": host}, **options).status

    for host in (f"127.0.0.1:{port}", f"localhost:{port}", "[::1]:80", "belljar.example", "belljar.example:8000"):
        assert status(host) == 202, host
    for host in ("evil.example", f"evil.example:{port}", "localhost.evil.example", "127.0.0.1.evil.example", "127.evil.example"):
        assert status(host) == 403, host
    assert status("evil.example", key=secret) == 202
    assert status("evil.example", key="bj_" + "0" * 64) == 401


@pytest.mark.parametrize("listen", ["127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "::1:80", "example:80", ""])
def test_an_address_that_is_none(tmp_path, listen):
    done = subprocess.run(
        [binary(), "serve", "--listen", listen, "--state-dir", str(tmp_path / "state")],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False,
        env=environment(),
    )  # fmt: skip
    assert done.returncode == 2 and "ADDRESS:PORT" in done.stderr


def test_the_gateway_is_nobody_and_may_not_write_elsewhere(keyed):
    status = (keyed.gateway.folder / "status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert "0" not in fields["Uid"].split() and "0" not in fields["Gid"].split()
    assert fields["NoNewPrivs"].strip() == "1" and fields["Groups"].strip() == ""
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(fields[kind], 16) == 0, kind
    wait_until(lambda: keyed.get("/readyz").status == 200, "the service to be ready")
