"""Other ways to run a program, and a process that spawns them and takes the time."""

import ctypes
import json
import os
import subprocess
import time

HOST_FOLDERS = ("usr", "etc")
HOST_LINKS = ("bin", "sbin", "lib", "lib64")


def bubblewrap(scratch, argv):
    command = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
    for name in HOST_FOLDERS:
        command += ["--ro-bind", f"/{name}", f"/{name}"]
    for name in HOST_LINKS:
        command += ["--symlink", f"usr/{name}", f"/{name}"]
    command += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
    command += ["--ro-bind", str(scratch / "box"), "/box", "--chdir", "/box", "--", *argv]
    return command


# A cgroup manager that crun does not need here is off; runc cannot do without.
OCI_OPTIONS = {"crun": ["--cgroup-manager=disabled"], "runc": []}


def oci_runtime(tool, scratch, name, argv):
    """crun or runc on an OCI bundle of its own."""
    bundle = scratch / f"{tool}-{name}"
    (bundle / "rootfs").mkdir(parents=True)
    subprocess.run([tool, "spec"], cwd=bundle, check=True, stdin=subprocess.DEVNULL)
    config = json.loads((bundle / "config.json").read_text())
    for link in HOST_LINKS:
        (bundle / "rootfs" / link).symlink_to(f"usr/{link}")
    for folder in ("proc", "dev", "sys", "tmp", "box", *HOST_FOLDERS):
        (bundle / "rootfs" / folder).mkdir()
    config["process"].update(terminal=False, args=argv, cwd="/box")
    for kind in ("bounding", "effective", "permitted"):
        config["process"]["capabilities"][kind] = []
    config["process"]["capabilities"].pop("ambient", None)
    config["mounts"] = [
        mount for mount in config["mounts"] if mount["destination"] != "/sys/fs/cgroup"
    ]
    binds = {f"/{folder}": f"/{folder}" for folder in HOST_FOLDERS} | {"/box": str(scratch / "box")}
    for target, source in binds.items():
        config["mounts"].append(
            {"destination": target, "source": source, "type": "bind", "options": ["rbind", "ro"]}
        )
    (bundle / "config.json").write_text(json.dumps(config))
    root = scratch / f"{tool}-state"
    prefix = [tool, f"--root={root}", *OCI_OPTIONS[tool], "run", f"--bundle={bundle}"]
    counter = iter(range(10**9))
    return lambda: [*prefix, f"bench-{os.getpid()}-{name}-{next(counter)}"]


class Spawner:
    """A process that spawns commands and times them; one may live in a mount namespace of its own."""

    def __init__(self, prepare=None):
        self.trouble = None
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._requests)
            os.close(self._answers)
            self._serve(os.fdopen(requests), os.fdopen(answers, "w"), prepare)
            os._exit(0)
        os.close(requests)
        os.close(answers)
        self._requests = os.fdopen(self._requests, "w")
        self._answers = os.fdopen(self._answers)
        self.trouble = json.loads(self._answers.readline())

    @staticmethod
    def _serve(requests, answers, prepare):
        trouble = None
        try:
            if prepare:
                prepare()
        except (OSError, subprocess.CalledProcessError) as error:
            trouble = str(error)
        print(json.dumps(trouble), file=answers, flush=True)
        null = os.open("/dev/null", os.O_RDWR)
        while argv := json.loads(requests.readline() or "null"):
            print(json.dumps(elapsed(argv, null)), file=answers, flush=True)

    def time(self, argv):
        """Milliseconds from spawn to exit, exit code, the last error line, and milliseconds of CPU."""
        print(json.dumps(argv), file=self._requests, flush=True)
        return json.loads(self._answers.readline())

    def close(self):
        # Said, not shown by closing: a later spawner has a copy of this pipe's end.
        print("null", file=self._requests, flush=True)
        os.waitpid(self.pid, 0)


def elapsed(argv, null):
    errors, into = os.pipe()
    files = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1)]
    files.append((os.POSIX_SPAWN_DUP2, into, 2))
    start = time.perf_counter_ns()
    child = os.posix_spawn(argv[0], argv, os.environ, file_actions=files)
    _, status, usage = os.wait4(child, 0)
    took = time.perf_counter_ns() - start
    spent = usage.ru_utime + usage.ru_stime
    os.close(into)
    with os.fdopen(errors) as pipe:
        said = pipe.read().strip().splitlines()
    return took / 1e6, os.waitstatus_to_exitcode(status), said[-1] if said else "", spent * 1e3


def hide_unified_cgroup():
    """crun refuses a hybrid host before it reads its flags: show OCI runtimes the v1 tree alone."""
    clone_newns = 0x00020000
    if ctypes.CDLL(None, use_errno=True).unshare(clone_newns) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["umount", "/sys/fs/cgroup/unified"], check=True)


def which(argv):
    for folder in os.environ["PATH"].split(":"):
        path = os.path.join(folder, argv[0])
        if os.access(path, os.X_OK):
            return [path, *argv[1:]]
    return argv
