"""`./dev test-vm`: the cell's tests under Debian's own kernel, on pure cgroup v2, as root and as an
ordinary user. --smoke is what `./dev test` runs; without it the hostile and fault tests run too."""

import argparse
import json
import pathlib
import re
import sys

import machine

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTEST = "/usr/bin/python3 -B -m pytest -q -p no:cacheprovider --tb=short --color=no"
# Emulated processors are some fifteen times slower: the suites' own deadlines allow for it.
SMOKE = [("root", f"{PYTEST} tests/vm/guest"), ("tester", f"{PYTEST} tests/vm/guest")]
WHOLE = [
    ("root", f"{PYTEST} tests/faults/test_kill.py"),
    ("tester", f"{PYTEST} tests/faults/test_kill.py"),
    ("root", f"{PYTEST} tests/hostile"),
    ("root", f"{PYTEST} tests/faults/test_setup.py"),
]
CLOSING = re.compile(r"(?:(\d+) failed)?(?:, )?(?:(\d+) passed)?(?:, (\d+) skipped)?[^\n]* in [\d.]+s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--seconds", type=int, default=1800, help="for each job")
    arguments = parser.parse_args()
    guest = machine.Machine(ROOT / "build/vm", ROOT / "build/release/belljar")
    passed = failed = 0
    for user, command in SMOKE if arguments.smoke else SMOKE + WHOLE:
        print(f"{user}: {command}", flush=True)
        done = guest.run(command, user=user, seconds=arguments.seconds)
        print(done.output if done.code is not None else done.console, flush=True)
        counts = [match.groups(default="0") for match in CLOSING.finditer(done.output)]
        passed += sum(int(count[1]) for count in counts)
        failed += sum(int(count[0]) for count in counts)
        if done.code != 0 and not any(int(count[0]) for count in counts):
            failed += 1
            print(f"the job ended with {done.code} after {done.seconds:.0f} s")
    results = ROOT / "build/test-results"
    results.mkdir(parents=True, exist_ok=True)
    (results / "vm.json").write_text(json.dumps({"passed": passed, "failed": failed}))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
