"""A pytest plugin: writes down what failed and is tried once more (--reruns), for report.py to tell.

NAME.unsteady.json beside NAME.xml: [[test, first line of what went wrong], ...]
"""

import json
import pathlib

from report.report import first_line


class Unsteady:
    def __init__(self, path):
        self.path = path
        self.seen = []

    def pytest_runtest_logreport(self, report):
        if report.outcome != "rerun":
            return
        crash = getattr(report.longrepr, "reprcrash", None)
        self.seen.append([report.nodeid, first_line(crash.message if crash else report.longreprtext)])
        self.path.write_text(json.dumps(self.seen))


def pytest_configure(config):
    if config.option.xmlpath:
        path = pathlib.Path(config.option.xmlpath).with_suffix(".unsteady.json")
        config.pluginmanager.register(Unsteady(path), "unsteady")
