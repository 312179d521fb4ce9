"""`./dev test-vm`: the cell's tests under Debian's own kernel, on pure cgroup v2, as root and as an
ordinary user. --smoke is what `./dev test` runs; without it the hostile and fault tests run too."""

import argparse
import os
import pathlib
import sys
import xml.etree.ElementTree as ElementTree

import machine

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTEST = (
    "/usr/bin/python3 -B -m pytest -q -rfEs -p no:cacheprovider --tb=short --color=no"
    " --junitxml=/results/junit.xml"
)
# Emulated processors are some fifteen times slower: the suites' own deadlines allow for it.
SMOKE = [("root", "tests/vm/guest"), ("tester", "tests/vm/guest"), ("systemd", "tests/vm/units")]
WHOLE = [
    ("root", "tests/faults/test_kill.py"),
    ("tester", "tests/faults/test_kill.py"),
    ("root", "tests/hostile"),
    ("tester", "tests/hostile"),
    ("root", "tests/faults/test_setup.py"),
    ("tester", "tests/faults/test_setup.py"),
]


def main():
    parser = argparse.ArgumentParser(prog="./dev test-vm")
    parser.add_argument("--smoke", dest="jobs", action="store_const", const=SMOKE)
    parser.add_argument("--whole", dest="jobs", action="store_const", const=SMOKE + WHOLE)
    parser.add_argument("--seconds", type=int, default=5400, help="for each job")
    parser.add_argument("--user", choices=("root", "tester", "systemd"), default="root", help="of --command")
    parser.add_argument("--command", help="run this in the guest instead, under /work")
    options = parser.parse_args()
    belljar = os.environ.get("BELLJAR") or ROOT / "build/release/belljar"
    guest = machine.Machine(ROOT / "build/vm", belljar)
    if options.command:
        done = guest.run(options.command, user=options.user, seconds=options.seconds, echo=show)
        return done.code if done.code is not None else 125
    reports = pathlib.Path(os.environ.get("BELLJAR_TEST_RESULTS") or ROOT / "build/test-results", "vm")
    reports.mkdir(parents=True, exist_ok=True)
    for old in reports.glob("*.xml"):
        old.unlink()
    bad = 0
    for number, (user, tests) in enumerate(options.jobs or SMOKE + WHOLE):
        print(f"{user}: {tests}", flush=True)
        done = guest.run(f"{PYTEST} {tests}", user=user, seconds=options.seconds, echo=show)
        if done.code is None:
            print(f"the guest did not get to its end in {done.seconds:.0f} s\n{done.console}")
        report = done.results.get("junit.xml")
        if report is None:
            bad += 1
        else:
            (reports / f"{number}.xml").write_bytes(named(report, f"{user}."))
            bad += done.code != 0
    return 1 if bad else 0


def named(report, prefix):
    """The same test runs as two users: each says which."""
    tree = ElementTree.fromstring(report)
    for case in tree.iter("testcase"):
        case.set("classname", prefix + (case.get("classname") or ""))
    return ElementTree.tostring(tree)


def show(chunk):
    sys.stdout.buffer.write(chunk)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
