"""The example settings are accepted, and container and compose file fit the rest of the tree."""

import json
import pathlib
import re
import subprocess
import tomllib

import pytest
import yaml
from support.command import binary

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def check(path, *options):
    return subprocess.run(
        [binary(), "config", "check", "--config", str(path), *options],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def shown(text):
    """The settings as `belljar config check` shows them: TOML with the help as comments."""
    return tomllib.loads(text)


def test_the_example_settings_are_accepted():
    done = check(DEPLOY / "belljar.toml")
    assert done.returncode == 0, done.stderr
    settings = shown(done.stdout)
    assert settings["require_key"] is True
    assert settings["keep_bytes"] == 4 << 30


def test_what_the_example_leaves_out_is_the_default(tmp_path):
    (tmp_path / "empty.toml").write_text("")
    default = shown(check(tmp_path / "empty.toml").stdout)
    for name, value in re.findall(r"^#(\w+) = (.*)$", (DEPLOY / "belljar.toml").read_text(), re.MULTILINE):
        assert default[name] == tomllib.loads(f"x = {value}")["x"], name


def test_a_wrong_setting_in_the_example_is_found(tmp_path):
    planted = tmp_path / "belljar.toml"
    planted.write_text((DEPLOY / "belljar.toml").read_text() + "keep_dayz = 1\n")
    done = check(planted)
    assert done.returncode != 0
    assert "keep_dayz" in done.stderr


@pytest.fixture
def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["belljar"]


def instructions():
    text = re.sub(r"\\\n(?:\s*#.*\n)*", " ", (DEPLOY / "Containerfile").read_text())
    return [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]


def test_compose_needs_no_privileges(compose):
    assert "privileged" not in compose
    assert compose["cap_drop"] == ["ALL"]
    assert set(compose["cap_add"]) <= {"SETUID", "SETGID"}
    assert not {"SYS_ADMIN", "ALL"} & set(compose["cap_add"])


def test_compose_and_containerfile_fit_together(compose):
    assert (DEPLOY / compose["build"]["context"] / compose["build"]["dockerfile"]).exists()
    profile = next(each for each in compose["security_opt"] if each.startswith("seccomp="))
    json.loads((DEPLOY / profile.removeprefix("seccomp=")).read_text())
    words = dict(instructions())
    port = words["EXPOSE"]
    assert compose["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"0.0.0.0:{port}" in words["ENV"]
    (volume,) = compose["volumes"]
    assert volume.split(":")[1] == words["VOLUME"]
    assert f"BELLJAR_STATE_DIR={words['VOLUME']}" in words["ENV"]
    assert words["USER"] == "belljar"


def test_the_image_has_the_second_file_and_what_it_needs():
    words = [words for name, words in instructions() if name in ("RUN", "COPY")]
    assert any("build/release/belljar-fleet" in each for each in words)
    assert any("libpq5" in each.split() for each in words)


def test_compose_uses_the_flags_that_the_document_names(compose):
    page = (ROOT / "docs/service.md").read_text()
    for option in compose["security_opt"]:
        assert option.partition("=")[0] in page


def test_the_environment_of_compose_and_containerfile_is_known(compose):
    words = dict(instructions())
    known = set(re.findall(r'"(BELLJAR_[A-Z_]+)"', (ROOT / "src/api/setting_fields.h").read_text()))
    used = set(compose["environment"]) | set(re.findall(r"(BELLJAR_[A-Z_]+)=", words["ENV"]))
    assert used <= known
    assert len(known) > 20


def test_compose_stops_after_the_drain(compose, tmp_path):
    (tmp_path / "empty.toml").write_text("")
    drain = shown(check(tmp_path / "empty.toml").stdout)["drain"]
    assert int(drain.removesuffix("ms")) / 1000 < int(compose["stop_grace_period"].removesuffix("s"))
