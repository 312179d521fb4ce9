"""Small images: what is installed here, and no more of it than a container needs."""

import contextlib
import io
import os
import re
import shutil
import struct
import subprocess
import sysconfig
import tarfile

from support.command import binary

SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PROGRAMS = ("dash", "cat", "head", "tail", "sleep", "newuidmap", "newgidmap", "python3")
LEFT_OUT = re.compile(r"/(__pycache__|test|idlelib|tkinter|lib2to3|ensurepip|dist-packages|config-3[^/]*)$")
# What setcap(8) would write, in place of the set-user-id bit: capabilities(7), struct vfs_cap_data.
FILE_CAPABILITIES = {
    name: struct.pack("<5I", 0x02000001, 1 << bit, 0, 0, 0).decode(errors="surrogateescape")
    for name, bit in {"newuidmap": 7, "newgidmap": 6}.items()
}


class Root:
    """The file system of an image while it is written."""

    def __init__(self, tar):
        self._tar = tar
        self._libraries = set()
        for name in ("usr", "usr/bin", "usr/lib", "usr/lib64", "usr/sbin", "etc", "dev", "proc", "sys", "run", "var"):
            self.folder(name)
        self.folder("tmp", mode=0o1777)
        for name in ("bin", "lib", "lib64", "sbin"):
            self.link(name, f"usr/{name}")
        self.link("var/run", "/run")
        self.link("usr/bin/sh", "dash")

    def folder(self, name, mode=0o755, owner=0):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.uid, info.gid = tarfile.DIRTYPE, mode, owner, owner
        self._tar.addfile(info)

    def link(self, name, target):
        info = tarfile.TarInfo(name)
        info.type, info.linkname = tarfile.SYMTYPE, target
        self._tar.addfile(info)

    def text(self, name, content, mode=0o644):
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content.encode()), mode
        self._tar.addfile(info, io.BytesIO(content.encode()))

    def tree(self, path, leave_out=None):
        self._tar.add(path, path.lstrip("/"), filter=lambda info: None if leave_out and leave_out.search(info.name) else info)

    def program(self, program, place=None):
        """By its name it goes to /usr/bin, by a path to the same; what it links to comes along."""
        found = shutil.which(program, path=SEARCH)
        if found is None:
            raise RuntimeError(f"the image needs {program}")
        name = os.path.basename(program)
        place = place or (found if "/" in program else f"/usr/bin/{name}")
        info = self._tar.gettarinfo(os.path.realpath(found), place.lstrip("/"))
        info.uid = info.gid = 0
        if name in FILE_CAPABILITIES:
            info.mode &= 0o777
            info.pax_headers["SCHILY.xattr.security.capability"] = FILE_CAPABILITIES[name]
        with open(found, "rb") as content:
            self._tar.addfile(info, content)
        for library in libraries_of(found) - self._libraries:
            self._libraries.add(library)
            self._tar.add(os.path.realpath(library), "usr/" + library.removeprefix("/usr/").lstrip("/"))


def libraries_of(program):
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    return set(re.findall(r"(/\S+) \(0x", listed.stdout))


@contextlib.contextmanager
def root_in(archive):
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        yield Root(tar)


# As deploy/Containerfile makes them.
ACCOUNTS = {
    "etc/passwd": "root:x:0:0::/:/bin/sh\nbelljar:x:1000:1000::/var/lib/belljar:/bin/sh\n",
    "etc/group": "root:x:0:\nbelljar:x:1000:\n",
    "etc/subuid": "belljar:100000:65536\n",
    "etc/subgid": "belljar:100000:65536\n",
}


def add_belljar(root, files):
    """Belljar, Python to run in cells, and files: text by path."""
    for name in PROGRAMS:
        root.program(name)
    root.tree(sysconfig.get_path("stdlib"), LEFT_OUT)
    for name in ("belljar", "belljar-fleet"):
        root.program(os.path.join(os.path.dirname(binary()), name), f"/usr/bin/{name}")
    for name, text in files.items():
        root.text(name, text)
