"""What sessions cost: each step over HTTP beside starting `python3` bare, interleaved, in one run.

A round makes a session, executes in it, and quits it, between two bare starts. An execution of
`pass` is a thaw, the code, and a freeze; a pause and a resume are a caller's, of a session whose
processes are frozen already, and so cost a request each. Figures are ratios to the p50 of bare `python3 -c`.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests"))

from shared.figures import markdown_table, percentile, ratio, spread
from shared.host import print_host
from shared.load import MS, PYTHON
from shared.memory import held_by_host
from support.service import LiveService

WARM_UP = 2  # rounds that fill caches and are not counted
NEXT = 10  # executions after the first, in each round
REST = 0.3  # seconds between rounds, for the pool to fill up
STEPS = ("bare python3 -c pass", "create", "first execution", "next execution", "pause", "resume", "quit")


def timed(action):
    begin = time.perf_counter()
    answer = action()
    return (time.perf_counter() - begin) * MS, answer


class Sessions:
    """One connection that is kept, as a client library would."""

    def __init__(self, live):
        self.client = live.client()

    def ask(self, method, path, status, **body):
        answer = self.client.call(method, path, json.dumps(body), {"Content-Type": "application/json"})
        assert answer.status == status, answer
        return answer.json

    def create(self):
        return self.ask("POST", "/v1/sessions", 201)["id"]

    def execute(self, session, code="pass"):
        made = self.ask("POST", f"/v1/sessions/{session}/executions?wait", 200, code=code)
        assert made["status"] == "ok", made

    def pause(self, session):
        self.ask("POST", f"/v1/sessions/{session}/pause", 200)

    def resume(self, session):
        self.ask("POST", f"/v1/sessions/{session}/resume", 200)

    def quit(self, session):
        self.ask("DELETE", f"/v1/sessions/{session}", 200)


def rounds(sessions, count):
    times = {step: [] for step in STEPS}
    for number in range(WARM_UP + count):
        taken = {step: [] for step in STEPS}

        def step(name, action, taken=taken):
            spent, answer = timed(action)
            taken[name].append(spent)
            return answer

        step(STEPS[0], lambda: subprocess.run([PYTHON, "-c", "pass"], check=True))
        session = step("create", sessions.create)
        step("first execution", lambda session=session: sessions.execute(session))
        for _ in range(NEXT):
            step("next execution", lambda session=session: sessions.execute(session))
        step("pause", lambda session=session: sessions.pause(session))
        step("resume", lambda session=session: sessions.resume(session))
        step("quit", lambda session=session: sessions.quit(session))
        step(STEPS[0], lambda: subprocess.run([PYTHON, "-c", "pass"], check=True))
        if number >= WARM_UP:
            for name, values in taken.items():
                times[name] += values
        time.sleep(REST)
    return times


def memory(sessions, count):
    """Of the host, for each of so many paused sessions that have executed something; and the next executions in one of them."""
    before = held_by_host()
    made = [sessions.create() for _ in range(count)]
    for each in made:
        sessions.execute(each, "x = 1")
        sessions.pause(each)
    time.sleep(1)
    each = (held_by_host() - before) / count
    sessions.resume(made[0])
    crowded = [timed(lambda: sessions.execute(made[0]))[0] for _ in range(NEXT * 5)]
    for session in made:
        sessions.quit(session)
    return each, crowded


def main():
    parser = argparse.ArgumentParser(prog="./dev bench sessions", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--paused", type=int, default=200, help="sessions whose memory is looked at")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="belljar-bench-") as folder:
        scratch = pathlib.Path(folder)
        scratch.chmod(0o755)
        (scratch / "hello.py").write_text("pass\n")
        print_host(os.environ["BELLJAR"], scratch / "hello.py")
        room = str(options.paused + 1)
        with LiveService(scratch / "service", "--sessions", room, "--sessions-per-caller", room) as live:
            sessions = Sessions(live)
            times = rounds(sessions, options.rounds)
            held, crowded = memory(sessions, options.paused)
    unit = percentile(times[STEPS[0]], 0.5)
    print(f"\nUnit: {STEPS[0]}, p50 {unit:.2f} ms.\n")
    rows = [
        [name, *spread(values, unit).split(" | "), ratio(percentile(values, 0.99), unit), len(values)]
        for name, values in times.items()
    ]
    print(markdown_table(["step", "p50", "p10–p90", "p99", "times"], rows))
    print(f"\nMemory of each of {options.paused} paused sessions, all in: {held:.1f} MiB of the host's.")
    print(f"The next execution in one of them, beside all others: {ratio(percentile(crowded, 0.5), unit)}.")


if __name__ == "__main__":
    main()
