"""A virtual machine with Debian's kernel that does one job and brings back what came of it."""

import contextlib
import dataclasses
import io
import os
import pathlib
import re
import select
import shlex
import signal
import subprocess
import tarfile
import tempfile
import time

import image

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What of the repository a job sees, under /work.
PAYLOAD = ("tests", "src", "runtimes", "policies", "examples", "docs", "deploy")
RESULT_BYTES = 64 << 20


@dataclasses.dataclass
class Done:
    code: int | None  # None: the guest did not get as far as to say
    output: str
    console: str
    results: dict  # name -> bytes of what the job left in /results
    seconds: float


class Machine:
    """Images are made once; each job boots afresh and leaves the disk as it was."""

    def __init__(self, folder, belljar):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.belljar = pathlib.Path(belljar)
        self.kernel = image.Kernel(self.folder)
        self.initramfs = image.make_initramfs(self.kernel, self.folder)
        self.disk = image.make_disk(self.folder)

    def run(self, command, user="root", seconds=600, echo=None):
        """Runs a shell command line as root or as an ordinary user; `echo` sees output as it comes. The user `systemd` is
        root where that is pid 1: the job is a service of it, and belljar-fleet is there."""
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="job-", dir=self.folder) as name:
            folder = pathlib.Path(name)
            payload, results, console = (folder / part for part in ("job.tar", "results", "console"))
            self._write_payload(payload, command, user, seconds)
            with results.open("wb") as file:
                file.truncate(RESULT_BYTES)
            text = self._boot(payload, results, console, seconds + 120, echo)
            match = re.search(r"\n?\nguest: exit (\d+)\s*$", text)
            return Done(
                code=int(match.group(1)) if match else None,
                output=text[: match.start()] if match else text,
                console=console.read_text(errors="replace") if console.exists() else "",
                results=read_results(results),
                seconds=time.monotonic() - started,
            )

    def _write_payload(self, path, command, user, seconds):
        def ours(entry):
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            return None if "__pycache__" in entry.name else entry

        with tarfile.open(path, "w") as tar:
            for name in PAYLOAD:
                if (ROOT / name).exists():
                    tar.add(ROOT / name, name, filter=ours)
            # The large one only for who uses it: unpacking it takes the guest seconds.
            fleet = [self.belljar.with_name("belljar-fleet")] if user == "systemd" else []
            for program in (self.belljar, *fleet):
                if program.exists():
                    tar.add(program, f"build/release/{program.name}", filter=ours)
            job = "cd /work && export BELLJAR=/work/build/release/belljar BELLJAR_TEST_EMULATED=1 HOME=$(mktemp -d)\n" + command
            settings = f"job_user={shlex.quote(user)}\njob_seconds={int(seconds)}\n"
            for name, text in (("job.sh", job + "\n"), ("job.env", settings)):
                entry = tarfile.TarInfo(name)
                entry.size = len(text.encode())
                entry.mode = 0o644
                tar.addfile(entry, io.BytesIO(text.encode()))

    def _boot(self, payload, results, console, deadline, echo):
        qemu = [
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-M", "pc,usb=off,vmport=off", "-accel", "tcg,thread=multi", "-cpu", "max",
            "-smp", "2", "-m", "3072",
            "-kernel", str(self.kernel.image), "-initrd", str(self.initramfs),
            "-append", "console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on",
            "-serial", f"file:{console}", "-serial", "stdio",
            "-device", "virtio-rng-pci",
            # Written to nowhere that lasts: the disk is the same for every job.
            "-drive", f"file={self.disk},if=virtio,format=raw,snapshot=on",
            "-drive", f"file={payload},if=virtio,format=raw,readonly=on",
            "-drive", f"file={results},if=virtio,format=raw",
        ]  # fmt: skip
        process = subprocess.Popen(
            qemu, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        chunks = []
        end = time.monotonic() + deadline
        try:
            os.set_blocking(process.stdout.fileno(), False)
            while process.poll() is None and time.monotonic() < end:
                drain(process.stdout, chunks, echo, patience=0.2)
            drain(process.stdout, chunks, echo, patience=0)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
        return b"".join(chunks).decode(errors="replace").replace("\r\n", "\n")


def drain(pipe, chunks, echo, patience):
    while select.select([pipe], [], [], patience)[0]:
        chunk = pipe.read(65536)
        if not chunk:
            time.sleep(patience)
            return
        chunks.append(chunk)
        if echo:
            echo(chunk)


def read_results(path):
    results = {}
    with contextlib.suppress(tarfile.ReadError), tarfile.open(path) as tar:
        for entry in tar:
            if entry.isfile():
                results[entry.name.removeprefix("./")] = tar.extractfile(entry).read()
    return results
