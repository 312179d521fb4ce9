"""Runs one or more of CPython's own test modules and prints what each test did, as one JSON line.

Started the same way in a cell and outside: run_module.py test_json test_struct …
The line is {"test_json": {"test.test_json.….test_x": "passed" | "failed" | "skipped"}, …}.
"""

import json
import os
import sys
import unittest

MARK = "fidelity: "


class Recorder(unittest.TestResult):
    """Keeps one word per test; a failed subtest fails its test."""

    def __init__(self):
        super().__init__()
        self.words = {}
        self.why = {}

    def note(self, test, word, why=None):
        # Fixtures report under a name of their own: "setUpClass (test.test_x.Y)".
        name = test.id()
        if self.words.get(name) != "failed":
            self.words[name] = word
        if why and word == "failed":
            self.why.setdefault(name, why)

    def addSuccess(self, test):
        self.note(test, "passed")

    def addSkip(self, test, reason):
        self.note(test, "skipped")

    def addFailure(self, test, err):
        self.note(test, "failed", f"{err[0].__name__}: {err[1]}"[:300])

    addError = addFailure

    def addExpectedFailure(self, test, err):
        self.note(test, "passed")

    def addUnexpectedSuccess(self, test):
        self.note(test, "failed", "unexpected success")

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.note(test, "failed", f"{subtest}: {err[0].__name__}: {err[1]}"[:300])


def run(name):
    recorder = Recorder()
    try:
        unittest.defaultTestLoader.loadTestsFromName(f"test.{name}").run(recorder)
    except unittest.SkipTest:
        return {f"test.{name}": "skipped"}, {}
    return recorder.words, recorder.why


def main():
    from test import support

    # No "network", "cpu", "largefile", "audio", …: those are asked for by name or not run.
    support.use_resources = {}
    answer = os.fdopen(os.dup(1), "w")
    results, reasons = {}, {}
    for name in sys.argv[1:]:
        results[name], reasons[name] = run(name)
    print("\n" + MARK + json.dumps({"results": results, "why": reasons}), file=answer, flush=True)
    # Whatever a test left behind must not decide how this ends.
    os._exit(0)


if __name__ == "__main__":
    main()
