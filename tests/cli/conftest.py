"""Fixtures of the command line's tests, and the catalogue's cases that they cover."""

import json
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

covered = set()
failed = set()


def pytest_configure(config):
    config.addinivalue_line("markers", "catalogue(*ids): the hostile cases that a test covers")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    ids = [name for mark in item.iter_markers("catalogue") for name in mark.args]
    if report.failed:
        failed.update(ids)
    elif report.when == "call" and report.passed:
        covered.update(ids)


def pytest_sessionfinish(session):
    results = os.environ.get("BELLJAR_TEST_RESULTS")
    if results and covered:
        report = {"suite": "cli", "catalogue": {"covered": sorted(covered - failed)}}
        pathlib.Path(results, "cli.json").write_text(json.dumps(report))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty directory that is also the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
