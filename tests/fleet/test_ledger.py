"""Services whose ledger is in PostgreSQL: one and several, the server away, passwords and TLS."""

import os
import pathlib
import signal
import sqlite3
import subprocess

import pytest
from support.client import PATIENCE, in_thread
from support.command import as_user, binary, environment, scratch_folder, wait_until
from support.postgres import Postgres
from support.service import out_of
from support.tls import make_certificate

JSON = {"Content-Type": "application/json"}


def belljar(*words, code=0, program=None):
    done = subprocess.run(
        as_user([str(program or binary()), *map(str, words)]), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=PATIENCE, env=environment(), check=False,
    )  # fmt: skip
    assert done.returncode == code, done
    return done.stdout if code == 0 else done.stderr


def nap(seconds, text="napped"):
    return f"import time; time.sleep({seconds}); print('{text}')"


def ask(service, path):
    """Like a probe: nothing where it does not answer."""
    try:
        return service.call("GET", path)
    except OSError:
        return None


def until_ready(service):
    wait_until(lambda: (answer := ask(service, "/readyz")) and answer.status == 200, "it to be ready", PATIENCE)


# ---- One gateway -----------------------------------------------------------------------------


def test_runs_are_in_the_database_and_the_commands_read_them(shared_postgres, serve):
    database = shared_postgres.new_database()
    url = shared_postgres.url(database)
    service = serve(url)
    assert out_of(service.run("print(6 * 7)")) == "42\n"
    run = service.submit("open('out.txt', 'w').write('kept')", artifacts=["out.txt"])
    assert service.look(run, wait=True)["state"] == "done"
    assert service.call("GET", f"/v1/runs/{run}/artifacts/out.txt").body == b"kept"
    assert run in belljar("history", "--ledger", url, "--json")
    assert shared_postgres.sql("SELECT count(*) FROM belljar.runs", database) == "2"
    assert not (service.state / "ledger.db").exists()
    _, secret = belljar("keys", "create", "--for", "ada", "--ledger", url).split()
    assert service.call("GET", "/v1/runs", key=secret).status == 200
    service.assert_nothing_fell()


def test_only_the_gateway_is_the_second_file(shared_postgres, serve):
    service = serve(shared_postgres.url(shared_postgres.new_database()))
    service.run("pass")
    programs = {role: os.readlink(f"/proc/{service.children(role)[0].pid}/exe") for role in ("gateway", "warden")}
    assert pathlib.Path(programs["gateway"]).name == "belljar-fleet"
    assert pathlib.Path(programs["warden"]).name == "belljar"
    assert pathlib.Path(os.readlink(f"/proc/{service.process.pid}/exe")).name == "belljar"


def test_without_the_second_file_it_says_so(shared_postgres):
    with scratch_folder("belljar-alone-") as folder:
        alone = folder / "belljar"
        alone.write_bytes(pathlib.Path(binary()).read_bytes())
        alone.chmod(0o755)
        for words in (["serve", "--listen", "127.0.0.1:0"], ["history"], ["migrate"]):
            options = ["--state-dir", folder / "state", "--ledger", shared_postgres.url("postgres")]
            said = belljar(*words, *options, code=125 if words[0] else 0, program=alone)
            assert "belljar-fleet" in said


@pytest.mark.parametrize(
    "url, said",
    [
        ("postgresql://ada:secret@db/ledger", "ledger-password-file"),
        ("postgresql://ada@db/ledger?password=secret", "ledger-password-file"),
        ("mysql://db/ledger", "postgresql://"),
        ("postgresql://db/a b", "spaces"),
    ],
)
def test_a_url_that_is_wrong_is_refused(url, said):
    message = belljar("config", "check", "--ledger", url, code=2)
    assert said in message
    assert "secret" not in message


def test_an_open_address_needs_a_key(shared_postgres):
    url = shared_postgres.url(shared_postgres.new_database())
    with scratch_folder("belljar-open-") as folder:
        words = ["serve", "--ledger", url, "--listen", "0.0.0.0:0", "--state-dir", str(folder / "state")]
        done = subprocess.run(
            as_user([binary(), *words]), capture_output=True, text=True, timeout=PATIENCE, env=environment(), check=False
        )
        assert done.returncode != 0
        assert "there is no key" in done.stderr
        assert done.stderr.count("gateway_ended") == 1, "it is not tried again"


# ---- Migration -------------------------------------------------------------------------------


def test_migrate_says_what_it_did_and_refuses_a_newer_ledger(shared_postgres):
    database = shared_postgres.new_database()
    url = shared_postgres.url(database)
    newest = shared_postgres.sql("SELECT 3", database)
    assert belljar("migrate", "--ledger", url) == f"made a ledger of version {newest}\n"
    assert belljar("migrate", "--ledger", url) == f"the ledger has version {newest} already\n"
    shared_postgres.sql("UPDATE belljar.ledger SET version = 99", database)
    assert "newer" in belljar("migrate", "--ledger", url, code=125)


def test_migrate_does_the_same_for_the_file():
    with scratch_folder("belljar-migrate-") as folder:
        state = folder / "state"
        assert belljar("migrate", "--state-dir", state).startswith("made a ledger of version ")
        assert belljar("migrate", "--state-dir", state).endswith(" already\n")
        ledger = sqlite3.connect(state / "ledger.db")
        ledger.execute("PRAGMA user_version = 99")
        ledger.close()
        assert "newer" in belljar("migrate", "--state-dir", state, code=125)


# ---- Passwords and TLS -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded():
    """A server that takes only TLS and a password, its certificate, and the password's file."""
    with scratch_folder("belljar-guarded-") as folder:
        certificate, key, password = (folder / name for name in ("tls.crt", "tls.key", "password"))
        make_certificate(certificate, key)
        password.write_text("correct-horse\n")
        password.chmod(0o600)
        with Postgres(folder / "postgres", "correct-horse", (certificate, key)) as server:
            database = server.new_database()
            url = f"postgresql://belljar@127.0.0.1:{server.port}/{database}"
            yield server, f"{url}?sslmode=verify-full&sslrootcert={certificate}", password


def test_a_password_comes_from_a_file_that_the_gateway_need_not_read(guarded, serve):
    server, url, password = guarded
    service = serve(url, "--ledger-password-file", password)
    assert out_of(service.run("print(1)")) == "1\n"
    assert server.sql("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
                      "WHERE application_name = 'belljar'") == "t"  # fmt: skip
    for process in [service.supervisor, service.gateway]:
        for what in ("cmdline", "environ"):
            assert b"correct-horse" not in pathlib.Path(f"/proc/{process.pid}/{what}").read_bytes()
    assert "correct-horse" not in service.log
    assert "run_" in belljar("history", "--ledger", url, "--ledger-password-file", password)


def test_a_wrong_password_or_certificate_opens_nothing(guarded):
    _, url, password = guarded
    wrong = password.parent / "wrong"
    wrong.write_text("incorrect-horse\n")
    said = belljar("history", "--ledger", url, "--ledger-password-file", wrong, code=125)
    assert "password" in said and "horse" not in said
    other = url.replace("127.0.0.1:", "localhost:")
    assert "certificate" in belljar("history", "--ledger", other, "--ledger-password-file", password, code=125)


# ---- The server is away ----------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
def test_while_the_server_is_away_nothing_is_taken_and_nothing_lost(own_postgres, serve, how):
    service = serve(own_postgres.url(own_postgres.new_database()), "--concurrent", "2")
    begun = service.submit(nap(3))
    waiting = service.submit("print('waited')")
    wait_until(lambda: service.look(begun)["state"] == "running", "it to begin", PATIENCE)
    own_postgres.stop(how)
    refused = service.call("POST", "/v1/runs", {"language": "python", "source": "pass"})
    assert refused.status == 503, refused
    assert refused.headers["Retry-After"]
    assert "ledger" in refused.json["detail"]
    assert ask(service, "/readyz").status == 503
    assert ask(service, "/healthz").status == 200
    wait_until(lambda: b"belljar_runs_total" in ask(service, "/metrics").body, "runs to end", PATIENCE)
    own_postgres.start()
    until_ready(service)
    assert out_of(service.look(begun, wait=True)) == "napped\n"
    assert out_of(service.look(waiting, wait=True)) == "waited\n"
    wait_until(lambda: service.look(begun)["state"] == "done", "the end to be recorded", PATIENCE)
    assert service.look(begun)["attempts"] == 1, "its outcome was kept, and it was not run again"
    assert out_of(service.run("print(6 * 7)")) == "42\n"


def test_a_service_that_starts_before_its_server_waits_for_it(own_postgres, serve):
    url = own_postgres.url(own_postgres.new_database())
    own_postgres.stop()
    started = in_thread(lambda: serve(url))
    own_postgres.start()
    assert out_of(started().run("print(1)")) == "1\n"


# ---- Several gateways ------------------------------------------------------------------------


def test_two_services_are_one_to_their_callers(shared_postgres, serve):
    url = shared_postgres.url(shared_postgres.new_database())
    services = [serve(url), serve(url)]
    body = {"language": "python", "source": "print('once')"}
    for round_ in range(5):
        headers = {"Idempotency-Key": f"key-{round_}"}
        asked = [in_thread(lambda s=s: s.call("POST", "/v1/runs", body, headers)) for s in services * 2]
        answers = [finish() for finish in asked]
        assert {each.status for each in answers} <= {200, 202}, answers
        assert len({each.json["id"] for each in answers}) == 1
    runs = [each["id"] for each in services[0].call("GET", "/v1/runs").json["runs"]]
    assert len(runs) == 5
    for run in runs:
        for service in services:
            wait_until(lambda s=service, r=run: s.look(r)["state"] == "done", "it to be done", PATIENCE)
            assert service.look(run)["attempts"] == 1
            assert out_of(service.look(run)) == "once\n"


def test_a_quota_holds_over_two_services(shared_postgres, serve):
    url = shared_postgres.url(shared_postgres.new_database())
    services = [serve(url), serve(url)]
    _, key = belljar("keys", "create", "--for", "ada", "--per-day", "6", "--ledger", url).split()
    body = {"language": "python", "source": "pass"}
    asked = [in_thread(lambda s=s: s.call("POST", "/v1/runs", body, key=key)) for s in services * 5]
    statuses = sorted(finish().status for finish in asked)
    assert statuses == [202] * 6 + [429] * 4


def test_what_a_service_leaves_behind_another_one_runs(shared_postgres, serve):
    database = shared_postgres.new_database()
    url = shared_postgres.url(database)
    first = serve(url, "--concurrent", "1", own_group=True)
    second = serve(url)
    runs = [first.submit(nap(30, "slept")), *(first.submit(f"print({i})") for i in range(3))]
    wait_until(lambda: first.look(runs[0])["state"] == "running", "it to begin", PATIENCE)
    assert second.call("POST", f"/v1/runs/{runs[0]}/cancel").status in (200, 202)
    os.killpg(first.process.pid, signal.SIGKILL)
    first.process.wait(PATIENCE)
    # As if the time had passed after which it counts as gone, and the other had been there for it.
    shared_postgres.sql("UPDATE belljar.gateways SET since = now() - interval '2 min'", database)
    shared_postgres.sql(
        "UPDATE belljar.gateways SET until = now() - interval '1 min' WHERE id = "
        "(SELECT owner FROM belljar.runs WHERE state = 'queued' LIMIT 1)", database,
    )  # fmt: skip
    for number, run in enumerate(runs[1:]):
        wait_until(lambda r=run: second.look(r)["state"] == "done", "it to be taken over", PATIENCE)
        assert out_of(second.look(run)) == f"{number}\n"
    assert second.look(runs[0])["state"] == "cancelled"


def test_a_service_that_is_killed_takes_its_own_runs_again(shared_postgres, serve):
    url = shared_postgres.url(shared_postgres.new_database())
    service = serve(url, "--concurrent", "1")
    runs = [service.submit(nap(0.5)), service.submit("print('later')")]
    service.kill("gateway")
    until_ready(service)
    assert [out_of(service.look(run, wait=True)) for run in runs] == ["napped\n", "later\n"]
