"""T208 to T213: uploads that unpack to something else than a few plain files."""

import gzip
import io
import re
import stat
import tarfile
import warnings
import zipfile

import pytest

MAIN = ("main.py", b"import os\nprint(sorted(os.listdir('.')))\n")
TYPES = {"zip": "application/zip", "tar": "application/x-tar", "gz": "application/gzip"}


def upload(service, data, kind):
    return service.call("POST", "/v1/runs?wait=1&language=python&entry=main.py", data, {"Content-Type": TYPES[kind]})


def zipped(*files, method=zipfile.ZIP_DEFLATED):
    """A name may be a ZipInfo."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", method) as archive:
        warnings.simplefilter("ignore")  # of names that stand there twice
        for name, content in (MAIN, *files):
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(*members, format=tarfile.PAX_FORMAT):
    """Members are TarInfo, or a name and its content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
        for member in (MAIN, *members):
            if isinstance(member, tuple):
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
            else:
                archive.addfile(member)
    return buffer.getvalue()


def special(name, kind, target="", mode=0o644):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, mode
    return info


def refused(answer):
    """Whole, before anything ran, with the reason."""
    assert answer.status == 400, answer
    assert re.search("archive|path", answer.json["detail"]), answer
    assert "/tmp" not in answer.json["detail"], answer


def listing(answer):
    assert answer.status == 200, answer
    return answer.json["outcome"]["stages"][-1]["stdout"]["text"]


@pytest.mark.catalogue("T208", "T209", "T210", "T211", "T212", "T213")
@pytest.mark.parametrize("kind", TYPES)
def test_a_plain_archive_is_taken(service, kind):
    data = {"zip": zipped, "tar": tarred, "gz": lambda *files: gzip.compress(tarred(*files))}[kind]
    assert listing(upload(service, data(("data.txt", b"x")), kind)) == "['data.txt', 'main.py']\n"


NAMES = ["../x", "/etc/x", "a/../../x", "a/../x", "..", "a//../../x", "\n/../x", "x" * 300, "a/" * 200 + "x"]


@pytest.mark.catalogue("T208")
@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_leads_out(service, name):
    refused(upload(service, zipped((name, "x")), "zip"))
    refused(upload(service, tarred((name, b"x")), "tar"))
    refused(upload(service, tarred((name, b"x"), format=tarfile.GNU_FORMAT), "tar"))


@pytest.mark.catalogue("T208")
@pytest.mark.parametrize("name", ["C:\\x", "..\\x", "a\\..\\..\\x", "x. ."])
def test_a_name_that_leads_out_elsewhere_is_a_name_here(service, name):
    """Or is refused; but it is never a path."""
    answer = upload(service, tarred((name, b"x")), "tar")
    if answer.status == 200:
        assert listing(answer) == f"{sorted([name, 'main.py'])}\n"
    else:
        refused(answer)


@pytest.mark.catalogue("T208")
def test_a_pax_header_renames_nothing_to_outside(service):
    info = tarfile.TarInfo("fine")
    info.pax_headers = {"path": "../../outside"}
    refused(upload(service, tarred(info), "tar"))


@pytest.mark.catalogue("T209")
@pytest.mark.parametrize(
    "members",
    [
        [special("link", tarfile.SYMTYPE, "/etc"), ("link/x", b"x")],
        [special("link", tarfile.SYMTYPE, "..")],
        [special("link", tarfile.LNKTYPE, "/etc/passwd")],
        [special("link", tarfile.LNKTYPE, "main.py")],
        [special("d", tarfile.DIRTYPE, mode=0o755), special("d", tarfile.SYMTYPE, "/etc"), ("d/x", b"x")],
    ],
    ids=["through", "upwards", "hard", "hard-within", "replaced"],
)
def test_links_in_a_tar(service, members):
    refused(upload(service, tarred(*members), "tar"))


@pytest.mark.catalogue("T209")
def test_a_link_in_a_zip(service):
    info = zipfile.ZipInfo("link")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    refused(upload(service, zipped((info, "/etc/passwd")), "zip"))


@pytest.mark.catalogue("T210")
@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE], ids=["char", "block", "fifo"])
def test_a_special_file(service, kind):
    refused(upload(service, tarred(special("odd", kind)), "tar"))


@pytest.mark.catalogue("T210")
def test_rights_and_owners_are_not_taken_over(service):
    info = special("rights", tarfile.REGTYPE, mode=0o7777)
    info.uid = info.gid = 0
    look = "import os\ns = os.stat('rights')\nprint(oct(s.st_mode & 0o7000), s.st_uid == os.getuid())"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        main = tarfile.TarInfo("main.py")
        main.size = len(look)
        archive.addfile(main, io.BytesIO(look.encode()))
        archive.addfile(info)
    assert listing(upload(service, buffer.getvalue(), "tar")).startswith("0o0 ")


@pytest.mark.catalogue("T211")
@pytest.mark.parametrize("kind", ["zip", "gz"])
def test_a_bomb_is_counted_while_it_unpacks(service, kind):
    zeros = bytes(200_000_000)
    data = zipped(("zeros", zeros)) if kind == "zip" else gzip.compress(tarred(("zeros", zeros)), 1)
    assert len(data) < 4_000_000
    before = service.gateway.resident()
    for _ in range(2):
        refused(upload(service, data, kind))
    assert service.gateway.resident() - before < 64 << 20


@pytest.mark.catalogue("T211")
def test_an_archive_in_an_archive_stays_one(service):
    inner = zipped(("inner.txt", "x"))
    assert listing(upload(service, zipped(("inner.zip", inner)), "zip")) == "['inner.zip', 'main.py']\n"


@pytest.mark.catalogue("T211")
def test_a_size_that_is_a_lie(service):
    data = bytearray(zipped(("big", bytes(100_000))))
    at = data.rindex(b"PK\1\2")  # the central directory's word of the last file
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    answer = upload(service, bytes(data), "zip")
    assert answer.status in (200, 400), answer


@pytest.mark.catalogue("T211")
def test_a_chain_of_gzip_members_is_counted_together(service):
    chain = gzip.compress(tarred(("zeros", bytes(10_000_000)))) + gzip.compress(bytes(100_000_000)) * 2
    answer = upload(service, chain, "gz")
    assert answer.status in (200, 400), answer


@pytest.mark.catalogue("T212")
@pytest.mark.parametrize(
    "files",
    [
        [(f"f{n}", b"") for n in range(20_000)],
        [("a", b"1"), ("a", b"2")],
        [("a", b"1"), ("a/b", b"2")],
        [("main.py", b"print('another')")],
    ],
    ids=["many", "twice", "file-and-folder", "main-twice"],
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_entries_that_cannot_all_be(service, files, kind):
    refused(upload(service, {"zip": zipped, "tar": tarred}[kind](*files), kind))


@pytest.mark.catalogue("T212")
def test_an_encrypted_zip(service):
    data = bytearray(zipped(("secret", b"x" * 100), method=zipfile.ZIP_STORED))
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.rindex(mark) + offset] |= 1
    refused(upload(service, bytes(data), "zip"))


@pytest.mark.catalogue("T212")
def test_what_is_not_an_archive(service):
    for kind in TYPES:
        for data in (b"", b"x", b"PK\3\4garbage", b"\x1f\x8b" + bytes(100), bytes(2048), b"#!/bin/sh\nid"):
            assert upload(service, data, kind).status == 400, (kind, data)


@pytest.mark.catalogue("T213")
@pytest.mark.parametrize("kind", TYPES)
def test_an_archive_that_is_cut_or_damaged(service, kind):
    """Some of the places; the fuzzer of the reader has all. Whatever comes of it is the cell's."""
    whole = zipped(("data", b"x" * 500)) if kind == "zip" else tarred(("data", b"x" * 500))
    if kind == "gz":
        whole = gzip.compress(whole)
    for at in range(1, len(whole), max(1, len(whole) // 9)):
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        for data in (whole[:at], bytes(damaged)):
            assert upload(service, data, kind).status in (200, 400)
