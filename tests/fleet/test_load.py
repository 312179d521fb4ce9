"""What was accepted is recorded once and with its own output, whatever becomes of the database meanwhile."""

import contextlib
import os
import pathlib
import signal
import subprocess
import threading

import pytest
from support.client import PATIENCE
from support.command import scratch_folder, wait_until
from support.postgres import Postgres
from support.service import out_of
from test_dispatch import live_fleet

THREADS = 4


class Load:
    """Submits until it is told to stop, at several gateways in turn; keeps what was accepted."""

    def __init__(self, services):
        self.services = services
        self.accepted = {}  # id by what its program prints
        self.refused = 0
        self.wrong = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._submit, args=(number,)) for number in range(THREADS)]
        for each in self._threads:
            each.start()

    def _submit(self, thread):
        number = 0
        while not self._over.wait(0.05):
            text = f"{thread}-{number}"
            service = self.services[(thread + number) % len(self.services)]
            try:
                answer = service.call(
                    "POST", "/v1/runs", {"language": "python", "source": f"print('{text}')"}, {"Idempotency-Key": text}
                )
            except OSError as error:
                self.wrong.append(error)
                return
            if answer.status in (200, 202):
                self.accepted[text] = answer.json["id"]
                number += 1
            elif answer.status == 503 and "Retry-After" in answer.headers:
                self.refused += 1  # and is asked again, of the same gateway
            else:
                self.wrong.append(answer)
                return

    def until(self, accepted=0, refused=0):
        wait_until(
            lambda: self.wrong or (len(self.accepted) >= accepted and self.refused >= refused), "the load", PATIENCE
        )

    def stop(self):
        self._over.set()
        for each in self._threads:
            each.join(PATIENCE)
        assert not self.wrong, self.wrong


def check(load, server, database):
    """Everything accepted is done, each once, with its own output; nothing else is there."""
    left = dict(load.accepted)

    def all_done():
        for text, run in list(left.items()):
            if load.services[0].look(run)["state"] == "done":
                del left[text]
        return not left

    wait_until(all_done, "what was accepted to be done", PATIENCE)
    for text, run in load.accepted.items():
        assert out_of(load.services[-1].look(run)) == text + "\n"
    assert len(set(load.accepted.values())) == len(load.accepted)

    # Also what was recorded though its client was told otherwise.
    def counts():
        rows, ids, outcomes = server.sql(
            "SELECT count(*) || ' ' || count(DISTINCT id) || ' ' || (SELECT count(*) FROM belljar.outcomes) "
            "FROM belljar.runs", database,
        ).split()  # fmt: skip
        return rows == ids == outcomes and int(rows)

    rows = wait_until(counts, "every run to have one outcome", PATIENCE)
    assert rows >= len(load.accepted)


def until_ready(services):
    for each in services:
        wait_until(lambda s=each: s.call("GET", "/readyz").status == 200, "it to be ready", PATIENCE)


@pytest.fixture(params=["cells", "workers"])
def start(request, serve):
    """So many services on a database: with cells of their own, or with a worker that they share."""
    with contextlib.ExitStack() as stack:

        def start(url, count):
            if request.param == "cells":
                return [serve(url, "--concurrent", "2") for _ in range(count)]
            fleet = stack.enter_context(live_fleet(serve, url))
            services = [fleet.gateway() for _ in range(count)]
            fleet.worker()
            for each in services:
                fleet.with_room(each, 1)
            return services

        yield start


def test_a_database_that_stops_and_crashes_under_load_loses_nothing(own_postgres, start):
    database = own_postgres.new_database()
    services = start(own_postgres.url(database), 2)
    load = Load(services)
    for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGQUIT):
        load.until(accepted=len(load.accepted) + 10)
        before = load.refused
        own_postgres.stop(how)
        load.until(refused=before + 1)
        own_postgres.start()
        until_ready(services)
    load.until(accepted=len(load.accepted) + 10)
    load.stop()
    assert load.refused >= 3
    check(load, own_postgres, database)


@pytest.fixture
def small_disk():
    with scratch_folder("belljar-disk-") as folder:
        words = ["mount", "-t", "tmpfs", "-o", "size=160m,mode=755", "tmpfs", str(folder)]
        if os.geteuid() != 0 or subprocess.run(words, capture_output=True, check=False).returncode != 0:
            pytest.skip("no tmpfs can be mounted here")
        try:
            yield pathlib.Path(folder)
        finally:
            subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_of_the_database_is_recovered_from(small_disk, start):
    with Postgres(small_disk / "postgres") as server:
        database = server.new_database()
        services = start(server.url(database), 1)
        load = Load(services)
        load.until(accepted=10)
        before = load.refused
        ballast = small_disk / "ballast"
        with open(ballast, "wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
            while True:
                file.write(bytes(1 << 16))
        # What there was room for ahead is used up first.
        body = {"language": "python", "source": "print(1)", "input": os.urandom(1 << 19).hex()}
        wait_until(
            lambda: load.refused > before or services[0].call("POST", "/v1/runs", body).status == 503,
            "the disk to be full", PATIENCE,
        )  # fmt: skip
        load.until(refused=before + 1)
        ballast.unlink()
        if server.process.poll() is not None:
            server.start()  # it ends where it cannot write its log
        wait_until(lambda: is_up(server), "PostgreSQL to take connections", PATIENCE)
        until_ready(services)
        load.until(accepted=len(load.accepted) + 10)
        load.stop()
        check(load, server, database)
        for each in services:
            assert each.stop() == 0


def is_up(server):
    if server.process.poll() is not None:
        server.start()
    try:
        return server.sql("SELECT 1") == "1"
    except AssertionError:
        return False
