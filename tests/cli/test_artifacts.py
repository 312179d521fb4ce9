"""`--artifact`: what a program leaves behind, brought to the caller's disk."""

import base64
import os

import pytest

from shell import belljar


def run(folder, source, *options):
    (folder / "x.py").write_text(source)
    return belljar("run", *options, "x.py")


def test_brings_back_what_matches(folder):
    source = (
        "import os\n"
        "os.makedirs('out/deep')\n"
        "for name in ('plot.png', 'out/a.txt', 'out/deep/b.txt', 'other.dat'):\n"
        "    open(name, 'w').write(name)\n"
    )
    done = run(folder, source, "--artifact", "*.png", "--artifact=out/**")
    assert (done.code, done.err) == (0, b"")
    found = sorted(str(path.relative_to(folder / "artifacts"))
                   for path in (folder / "artifacts").rglob("*") if path.is_file())  # fmt: skip
    assert found == ["out/a.txt", "out/deep/b.txt", "plot.png"]
    assert (folder / "artifacts/out/deep/b.txt").read_text() == "out/deep/b.txt"


def test_a_name_that_is_no_text_has_all_its_bytes_in_json(folder):
    source = "open(b'a\\xff', 'w').close(); open('\\u00e9', 'w').close()"
    done = run(folder, source, "--json", "--artifact", "*")
    found = {artifact["path"]: artifact.get("path_base64") for artifact in done.json["artifacts"]}
    assert found["a\ufffd"] == base64.b64encode(b"a\xff").decode()
    assert found["\u00e9"] is None
    assert os.path.exists(b"artifacts/a\xff")


def test_makes_no_folder_for_nothing(folder):
    assert run(folder, "", "--artifact", "*.png").code == 0
    assert not (folder / "artifacts").exists()


def test_leaves_what_is_there_unless_forced(folder):
    (folder / "kept").mkdir()
    (folder / "kept/f").write_text("mine")
    options = ("--artifact", "f", "--artifacts-dir", "kept")
    done = run(folder, "open('f', 'w').write('theirs')", *options)
    assert done.code == 125
    assert b"--force" in done.err and (folder / "kept/f").read_text() == "mine"
    assert run(folder, "open('f', 'w').write('theirs')", "--force", *options).code == 0
    assert (folder / "kept/f").read_text() == "theirs"


def test_comes_with_json_too(folder):
    done = run(folder, "open('f', 'w').write('12345')", "--json", "--artifact", "f")
    assert done.json["artifacts"] == [{"path": "f", "bytes": 5, "executable": False}]
    assert (folder / "artifacts/f").read_text() == "12345"


def test_comes_after_a_failure_as_well(folder):
    done = run(folder, "open('f', 'w').write('x'); raise SystemExit(4)", "--artifact", "f")
    assert done.code == 4
    assert (folder / "artifacts/f").read_text() == "x"


@pytest.mark.catalogue("T214")
def test_hostile_names_and_links_stay_away(folder):
    (folder / "outside").mkdir()
    (folder / "artifacts").mkdir()
    os.symlink("../outside", folder / "artifacts/way")
    source = (
        "import os\n"
        "os.mkdir('way'); open('way/x', 'w').write('1')\n"
        "for name in ('new\\nline', 'esc\\x1b[2J', '\\x9b', '..hidden'):\n"
        "    open(name, 'w').write('1')\n"
        "os.symlink('/etc/passwd', 'link'); os.mkfifo('pipe'); os.link('..hidden', 'hard')\n"
    )
    done = run(folder, source, "--artifact", "**")
    assert list((folder / "outside").iterdir()) == []
    assert b"\x1b" not in done.err
    names = os.listdir(folder / "artifacts")
    assert not any(ord(c) < 32 for name in names for c in name)
    assert "link" not in names and "pipe" not in names


def test_too_much_is_said(folder):
    source = "for i in range(8): open(f'f{i}', 'wb').write(bytes(100000))"
    done = run(folder, source, "--limit", "artifacts=300K", "--artifact", "f*")
    assert b"artifacts limit" in done.err
    assert 0 < len(os.listdir(folder / "artifacts")) <= 3
