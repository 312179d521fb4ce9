"""A PostgreSQL server of a test's own: on a socket in a folder, and on a network where it is asked for.

The system's own cluster is neither used nor started.
"""

import os
import pathlib
import signal
import subprocess

from support.client import PATIENCE
from support.command import wait_until
from support.host import LOOPBACK
from support.server import Server
from support.service import free_port

BINARIES = pathlib.Path("/usr/lib/postgresql/15/bin")
NOBODY = 65_534
PATH = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}


class Postgres(Server):
    """Ended by SIGINT, which cuts its clients off and writes what is committed; SIGQUIT is as a crash.

    `tls`: certificate and key; then it listens on loopback too, and asks for a password there. `host`: it listens
    there too, for everybody on that network.
    """

    END = signal.SIGINT

    def __init__(self, folder, password="", tls=None, host=LOOPBACK):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.folder.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)  # the server refuses to run as root
        self.data = self.folder / "data"
        self.port = free_port()
        self.databases = 0
        self._host = host
        self._settings = ["listen_addresses=", "dynamic_shared_memory_type=mmap", "fsync=off"]
        self._do(BINARIES / "initdb", "-D", self.data, "-A", "trust", "-U", "belljar", "-E", "UTF8", "--locale=C",
                 "--no-sync")  # fmt: skip
        if tls:
            for name, file in zip(("server.crt", "server.key"), tls):
                self._write(name, pathlib.Path(file).read_text())
            rules = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
            self._write("pg_hba.conf", rules)
            self._settings += ["listen_addresses=127.0.0.1", "ssl=on"]
        if host is not LOOPBACK:
            self._write("pg_hba.conf", "local all all trust\nhost all all samenet trust\n")
            self._settings.append(f"listen_addresses={host.address}")
        self.start()
        if password:
            self.sql(f"ALTER USER belljar PASSWORD '{password}'")

    def _as_nobody(self, words):
        drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
        return [*(drop if os.geteuid() == 0 else []), *map(str, words)]

    def _do(self, *words, **named):
        done = subprocess.run(
            self._as_nobody(words), capture_output=True, text=True, timeout=PATIENCE, env=PATH, cwd="/", check=False,
            **named,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _write(self, name, text):
        self._do("sh", "-c", f"umask 077; rm -f {self.data / name}; cat > {self.data / name}", input=text)

    def start(self):
        words = [BINARIES / "postgres", "-D", self.data, "-k", self.folder, "-p", self.port]
        for each in self._settings:
            words += ["-c", each]
        with open(self.folder.parent / f"{self.folder.name}.log", "ab") as log, self._host.inside():
            self.process = subprocess.Popen(
                self._as_nobody(words), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=PATH, cwd="/"
            )

        def answers():
            assert self.process.poll() is None, "PostgreSQL ended"
            ready = [BINARIES / "pg_isready", "-h", str(self.folder), "-p", str(self.port)]
            return subprocess.run(ready, capture_output=True, check=False).returncode == 0

        wait_until(answers, "PostgreSQL to start", PATIENCE)

    def sql(self, text, database="postgres"):
        """What it answers, one line a row."""
        return self._do(
            BINARIES / "psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p", self.port,
            "-U", "belljar", "-d", database, "-c", text,
        ).strip()  # fmt: skip

    def new_database(self):
        self.databases += 1
        name = f"ledger_{self.databases}"
        self.sql(f"CREATE DATABASE {name}")
        return name

    def url(self, database):
        if self._host is not LOOPBACK:
            return f"postgresql://belljar@{self._host.address}:{self.port}/{database}"
        return f"postgresql://belljar@/{database}?host={self.folder}&port={self.port}"
