"""What the guest boots from: Debian's kernel, a first file system, and a disk of the host's files.

All of it is made in build/vm without touching the host: the kernel package is downloaded and
unpacked, never installed. The disk holds the installed files of a few packages and of all that they
depend on, and is made again only when one of these packages has changed.
"""

import hashlib
import os
import pathlib
import re
import shutil
import stat
import subprocess

# What the guest's tests use; what these depend on comes along.
GUEST_PACKAGES = (
    "bash", "coreutils", "dash", "findutils", "gcc", "grep", "gzip", "libc-bin", "libc6-dev",
    "libnats3.4", "libpq5", "mount", "nats-server", "openssl", "perl-base", "postgresql-15", "procps",
    "python3", "python3-pytest", "sed", "strace", "systemd", "tar", "uidmap", "util-linux",
)  # fmt: skip
# What PostgreSQL's package wants for what is not done here, and all that only these want: a compiler
# of queries, and the scripts that make a cluster when it is installed.
NOT_WANTED = ("libllvm14", "locales", "postgresql-client-common", "postgresql-common", "ssl-cert")
NOT_COPIED = re.compile(
    r"/(usr/share/(doc|man|info|locale|lintian|bug|doc-base|i18n|zoneinfo)|etc(?!/ssl/openssl\.cnf$)|var|boot)(/|$)"
    # It is loaded where it is found, and cannot do without what is not wanted.
    r"|/usr/lib/postgresql/15/lib/(bitcode/|llvmjit)"
)
# Drivers that Debian's cloud kernel has as modules, in the order in which they are wanted.
MODULES = ("virtio_pci", "virtio_mmio", "virtio_blk", "virtio-rng", "overlay")
SLACK = 768 << 20
LAYOUT = "5"  # raise it when the disk's layout changes

PASSWD = """root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
tester:x:1000:1000:an ordinary user:/home/tester:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
GROUP = "root:x:0:\ndaemon:x:1:\ntty:x:5:\nshadow:x:42:\ntester:x:1000:\nnogroup:x:65534:\n"
ETC = {
    "passwd": PASSWD,
    "group": GROUP,
    "subuid": "tester:100000:65536\n",
    "subgid": "tester:100000:65536\n",
    "hostname": "guest\n",
    "hosts": "127.0.0.1 localhost guest\n",
    # Without one systemd takes this for the first start, and enables whatever there is.
    "machine-id": "00000000000000000000000000000001\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "fstab": "",
}


def output(*command, **options):
    return subprocess.run(
        command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options
    ).stdout


def kernel_package():
    """The package that Debian's linux-image-cloud-amd64 points to now."""
    for line in output("apt-cache", "depends", "linux-image-cloud-amd64").splitlines():
        match = re.search(r"Depends: (linux-image-\S+)", line)
        if match:
            return match.group(1)
    raise RuntimeError("apt knows no linux-image-cloud-amd64: run apt-get update")


class Kernel:
    def __init__(self, folder):
        package = kernel_package()
        self.release = package.removeprefix("linux-image-")
        self.root = folder / package
        if not self.root.exists():
            self._unpack(folder, package)
        self.image = self.root / "boot" / f"vmlinuz-{self.release}"

    def _unpack(self, folder, package):
        download = folder / "download"
        shutil.rmtree(download, ignore_errors=True)
        download.mkdir(parents=True)
        output("apt-get", "-o", "APT::Sandbox::User=root", "download", package, cwd=download)
        (archive,) = download.glob("*.deb")
        output("dpkg-deb", "-x", str(archive), str(download / "root"))
        output("depmod", "-b", str(download / "root"), self.release)
        (download / "root").rename(self.root)
        shutil.rmtree(download)

    def modules(self):
        """The module files to load, each after what it needs."""
        wanted = []
        for name in MODULES:
            lines = output(
                "/sbin/modprobe", "-d", str(self.root), "-S", self.release, "--show-depends", name
            )
            for line in lines.splitlines():
                kind, path, *_ = line.split()
                if kind == "insmod" and path not in wanted:
                    wanted.append(path)
        return [pathlib.Path(path) for path in wanted]


def make_initramfs(kernel, folder):
    """busybox, the drivers and init.sh: enough to reach the disk."""
    stage = folder / "initramfs"
    shutil.rmtree(stage, ignore_errors=True)
    for name in ("bin", "modules", "proc", "sys", "dev", "disk"):
        (stage / name).mkdir(parents=True)
    shutil.copy2("/bin/busybox", stage / "bin/busybox")
    here = pathlib.Path(__file__).parent
    # switch_root only leaves a file system that has an /init.
    for script, name in (("init.sh", "init"), ("guest.sh", "guest.sh")):
        shutil.copy2(here / script, stage / name)
        (stage / name).chmod(0o755)
    order = []
    for module in kernel.modules():
        shutil.copy2(module, stage / "modules" / module.name)
        order.append(module.name)
    (stage / "modules/order").write_text("\n".join(order) + "\n")
    names = "\n".join(sorted(str(path.relative_to(stage)) for path in stage.rglob("*"))) + "\n"
    image = folder / "initramfs.cpio"
    with image.open("wb") as out:
        subprocess.run(
            ["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"],
            cwd=stage, input=names.encode(), stdout=out, check=True,
        )  # fmt: skip
    return image


def installed_packages():
    """name -> (version, the names it depends on, each a list of alternatives)."""
    packages, provided = {}, {}
    fields = "${Package}\t${Version}\t${Pre-Depends}, ${Depends}\t${Provides}\t${db:Status-Status}\n"
    for line in output("dpkg-query", "-W", "-f", fields).splitlines():
        name, version, depends, provides, status = line.split("\t")
        if status != "installed":
            continue
        needs = [
            [re.sub(r"[ :(].*", "", choice.strip()) for choice in need.split("|")]
            for need in depends.split(",")
            if need.strip()
        ]
        packages[name] = (version, needs)
        for other in provides.split(","):
            provided.setdefault(re.sub(r"[ :(].*", "", other.strip()), name)
    return packages, provided


def closure(wanted):
    """The wanted packages and all they depend on but NOT_WANTED, as sorted "name=version"."""
    packages, provided = installed_packages()
    seen, queue = set(), list(wanted)
    while queue:
        name = queue.pop()
        if name in seen or name not in packages or name in NOT_WANTED:
            continue
        seen.add(name)
        for choices in packages[name][1]:
            found = next((choice for choice in choices if choice in packages), None)
            found = found or next((provided[choice] for choice in choices if choice in provided), None)
            if found:
                queue.append(found)
    missing = set(wanted) - seen
    if missing:
        raise RuntimeError(f"not installed: {', '.join(sorted(missing))}")
    return sorted(f"{name}={packages[name][0]}" for name in seen)


class Tree:
    """Host files copied under a folder, at the same places, links kept."""

    def __init__(self, root):
        self.root = root
        self.bytes = 0
        self.inodes = 0
        for name in ("bin", "sbin", "lib", "lib64"):
            if os.path.islink(f"/{name}"):
                root.mkdir(parents=True, exist_ok=True)
                (root / name).symlink_to(os.readlink(f"/{name}"))

    def add(self, path):
        # The real folder: on a host with merged /usr, /bin/cat belongs to /usr/bin.
        folder, name = os.path.split(path)
        real = os.path.join(os.path.realpath(folder), name)
        target = self.root / real.lstrip("/")
        if os.path.lexists(target):
            return
        state = os.lstat(real)
        if stat.S_ISDIR(state.st_mode):
            target.mkdir(parents=True, exist_ok=True)
            return
        if not stat.S_ISLNK(state.st_mode) and not os.access(real, os.R_OK):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(real, target, follow_symlinks=False)
        self.bytes += (state.st_size + 4095) // 4096 * 4096
        self.inodes += 1
        if name.endswith(".py"):
            cached = os.path.join(
                os.path.dirname(real), "__pycache__", name[:-3] + ".cpython-311.pyc"
            )
            if os.path.exists(cached):
                self.add(cached)

    def add_alternatives(self):
        """The links that update-alternatives made to what was copied."""
        for folder in ("/usr/bin", "/usr/sbin"):
            for entry in os.scandir(folder):
                if not entry.is_symlink() or not os.readlink(entry.path).startswith("/etc/alternatives/"):
                    continue
                if os.path.exists(self.root / os.path.realpath(entry.path).lstrip("/")):
                    self.add(entry.path)
                    self.add(os.readlink(entry.path))


def make_disk(folder):
    """An ext4 file system with the guest's packages; kept while their versions stay."""
    packages = closure(GUEST_PACKAGES)
    key = hashlib.sha256("\n".join([LAYOUT, *packages]).encode()).hexdigest()[:16]
    image = folder / f"disk-{key}.ext4"
    if image.exists():
        return image
    for old in folder.glob("disk-*"):
        old.unlink()
    stage = folder / "disk"
    shutil.rmtree(stage, ignore_errors=True)
    tree = Tree(stage)
    names = [package.split("=")[0] for package in packages]
    for path in output("dpkg-query", "-L", *names).splitlines():
        if path.startswith("/") and not NOT_COPIED.match(path) and os.path.lexists(path):
            tree.add(path)
    tree.add_alternatives()
    for name in ("dev", "proc", "sys", "run", "tmp", "root", "home/tester", "etc", "var/tmp", "work", "usr/local/bin"):
        (stage / name).mkdir(parents=True, exist_ok=True)
    for name, text in ETC.items():
        (stage / "etc" / name).write_text(text)
    for name in ("tmp", "var/tmp"):
        (stage / name).chmod(0o1777)
    partial = folder / "disk.partial"
    partial.unlink(missing_ok=True)
    blocks = (tree.bytes + SLACK) // 1024
    # Everything in the guest belongs to its root, whoever makes the disk.
    as_root = [] if os.geteuid() == 0 else ["fakeroot"]
    output(
        *as_root, "/sbin/mke2fs", "-q", "-t", "ext4", "-d", str(stage), "-m", "0", "-E", "root_owner=0:0",
        "-N", str(tree.inodes + 65536), str(partial), f"{blocks}k",
    )  # fmt: skip
    partial.rename(image)
    shutil.rmtree(stage)
    return image
