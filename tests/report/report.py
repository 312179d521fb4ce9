"""What `./dev test` prints: one line per suite, then a summary.

Reads the results folder only. Per suite NAME:
  NAME.status   "exit-code start end", written by ./dev
  NAME.xml      JUnit, written by pytest; or several, NAME/*.xml
  NAME/*.json   GoogleTest's own reports, one per test program
  NAME.unsteady.json  what failed and passed when it was tried once more
and any other *.json at the top, which a suite may write to be summed up here:
  {"suite": "hostile",
   "catalogue": {"applies": ["T001", ...], "covered": ["T001", ...], "uncovered": {"T002": "why"}},
   "faults_injected": 120,
   "census": {"checked": 40, "left": []},
   "notes": ["one line", ...]}
Every key is optional.
"""

import fnmatch
import json
import pathlib
import sys
import xml.etree.ElementTree as ElementTree

UNSTEADY = ".unsteady.json"
MOST_UNSTEADY = 3  # of one run: with more, something is wrong that trying again must not hide
EXPECTED_SKIPS = pathlib.Path(__file__).resolve().parent.parent / "expected_skips.txt"


class Suite:
    """The counts of one suite, whatever ran it."""

    def __init__(self, results, name):
        self.name = name
        self.passed = 0
        self.failed = []  # (test, first line of the message)
        self.skipped = []  # (test, reason)
        self.unsteady = []  # (test, first line of the message)
        code, start, end = (results / f"{name}.status").read_text().split()
        self.code = int(code)
        self.start, self.end = float(start), float(end)
        self.seconds = self.end - self.start
        for junit in [results / f"{name}.xml", *sorted((results / name).glob("*.xml"))]:
            if junit.exists():
                self._read_junit(junit)
        for report in sorted((results / name).glob("*.json")):
            self._read_gtest(json.loads(report.read_text()))
        tried_again = results / f"{name}{UNSTEADY}"
        if tried_again.exists():
            self.unsteady = json.loads(tried_again.read_text())
        if self.code != 0 and not self.failed:
            what = "ran out of time" if self.code in (124, 137) else f"exit code {self.code}"
            self.failed.append((name, f"{what}; see {name}.log"))
        elif self.passed == 0 and not self.failed and not self.skipped:
            self.failed.append((name, f"no test ran; see {name}.log"))

    def _read_junit(self, path):
        try:
            cases = ElementTree.parse(path).iter("testcase")
        except ElementTree.ParseError as error:
            self.failed.append((self.name, f"unreadable report: {error}"))
            return
        for case in cases:
            test = f"{case.get('classname')}::{case.get('name')}"
            trouble = case.find("failure")
            if trouble is None:
                trouble = case.find("error")
            skip = case.find("skipped")
            if trouble is not None:
                self.failed.append((test, first_line(trouble.get("message"))))
            elif skip is not None:
                self.skipped.append((test, first_line(skip.get("message"))))
            else:
                self.passed += 1

    def _read_gtest(self, report):
        for group in report.get("testsuites", []):
            for case in group.get("testsuite", []):
                test = f"{group['name']}.{case['name']}"
                if case.get("failures"):
                    self.failed.append((test, first_line(case["failures"][0].get("failure"))))
                elif case.get("result") == "SKIPPED":
                    skips = case.get("skipped") or [{}]
                    reason = (skips[0].get("message") or "").strip().splitlines()
                    self.skipped.append((test, reason[-1] if reason else "no reason given"))
                elif case.get("status") == "RUN":
                    self.passed += 1

    def line(self):
        verdict = "FAIL" if self.failed else "ok"
        return (
            f"{verdict:<4}  {self.name:<10} {self.passed:>5} passed {len(self.failed):>4} failed"
            f" {len(self.skipped):>4} skipped {self.seconds:>7.1f} s"
            + (f" {len(self.unsteady):>4} UNSTEADY" if self.unsteady else "")
        )


def first_line(text):
    lines = (text or "").strip().splitlines()
    return lines[0][:200] if lines else "no message"


def expected_skips(path=EXPECTED_SKIPS):
    """Patterns of "suite test", one a line; what follows " # " is the reason."""
    patterns = []
    if path.exists():
        for line in path.read_text().splitlines():
            pattern = line.split(" # ", 1)[0].strip()
            if pattern and not pattern.startswith("#"):
                patterns.append(pattern)
    return patterns


def summary_lines(results):
    """The lines that the suites' own summaries add up to."""
    applies, covered, uncovered = set(), set(), {}
    faults, censuses, left, notes = 0, 0, [], []
    for path in sorted(results.glob("*.json")):
        if path.name.endswith(UNSTEADY):
            continue
        report = json.loads(path.read_text())
        catalogue = report.get("catalogue", {})
        applies.update(catalogue.get("applies", []))
        covered.update(catalogue.get("covered", []))
        uncovered.update(catalogue.get("uncovered", {}))
        faults += report.get("faults_injected", 0)
        censuses += report.get("census", {}).get("checked", 0)
        left += report.get("census", {}).get("left", [])
        notes += [f"{report.get('suite', path.stem)}: {note}" for note in report.get("notes", [])]
    lines = []
    if applies or covered:
        applies |= covered | set(uncovered)
        lines.append(f"catalogue: {len(covered)} of {len(applies)} ids covered")
        for name in sorted(applies - covered):
            lines.append(f"  not covered: {name}: {uncovered.get(name, 'NO REASON GIVEN')}")
    lines.append(f"faults injected: {faults}")
    if censuses:
        lines.append(f"census: {censuses} taken, {len(left)} things left behind")
        lines += [f"  left: {thing}" for thing in left]
    return lines + notes


def print_suite(results, name):
    suite = Suite(results, name)
    print(suite.line(), flush=True)
    if not suite.failed:
        return
    for test, message in suite.failed[:20]:
        print(f"        {test}: {message}")
    if len(suite.failed) > 20:
        print(f"        and {len(suite.failed) - 20} more")
    log = (results / f"{name}.log").read_text(errors="replace").splitlines()
    print(f"      the end of {name}.log:")
    for line in log[-40:]:
        print(f"      | {line}")
    sys.stdout.flush()


def print_summary(results, names):
    suites = [Suite(results, name) for name in names]
    patterns = expected_skips()
    unexpected = []
    print("\nsummary")
    for line in summary_lines(results):
        print(line)
    for suite in suites:
        for test, reason in suite.skipped:
            known = any(fnmatch.fnmatch(f"{suite.name} {test}", pattern) for pattern in patterns)
            print(f"skipped{'' if known else ' UNEXPECTEDLY'}: {suite.name} {test}: {reason}")
            if not known:
                unexpected.append(test)
    failed = sum(len(suite.failed) for suite in suites)
    for suite in suites:
        for test, message in suite.failed:
            print(f"failed: {suite.name} {test}: {message}")
    unsteady = [(suite.name, *entry) for suite in suites for entry in suite.unsteady]
    for suite, test, message in unsteady:
        print(f"UNSTEADY, tried twice: {suite} {test}: {message}")
    if len(unsteady) > MOST_UNSTEADY:
        print(f"{len(unsteady)} tests were tried twice, more than {MOST_UNSTEADY}: that fails the run")
    if unexpected:
        print(f"{len(unexpected)} skips are not in tests/expected_skips.txt: that fails the run")
    took = max(suite.end for suite in suites) - min(suite.start for suite in suites)
    print(f"time: {took:.0f} s for {len(suites)} suites, which take {sum(suite.seconds for suite in suites):.0f} s")
    passed = sum(suite.passed for suite in suites)
    skipped = sum(len(suite.skipped) for suite in suites)
    print(f"{passed} passed, {failed + len(unexpected)} failed, {skipped - len(unexpected)} skipped")
    return 1 if failed or unexpected or len(unsteady) > MOST_UNSTEADY else 0


def main():
    what, results, *names = sys.argv[1:]
    if what == "suite":
        print_suite(pathlib.Path(results), names[0])
        return 0
    return print_summary(pathlib.Path(results), names)


if __name__ == "__main__":
    sys.exit(main())
