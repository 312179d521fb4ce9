"""Rule (c) of the catalogue: each case also among others, chosen at random, all at once."""

import concurrent.futures
import random

import pytest

from hostile import oracle, table
from hostile.bench import FULL
from hostile.rows import run_case

CROWD = 8
SEED = 20240229
# What the crowd's own weight decides: how much of a processor is left, and the wall's clock.
MEASURED = ("cpu_limit_kept", "bill_covers", "facts", "clock", "reason")


def crowds():
    """Groups of cases, every case in one of them; the same groups in every run."""
    cases = [
        case for case in table.load() if case.victim and case.tier == "quick" and not case.beside
    ]
    random.Random(SEED).shuffle(cases)
    groups = [cases[start : start + CROWD] for start in range(0, len(cases), CROWD)]
    return groups if FULL else groups[:1]


@pytest.mark.parametrize("crowd", crowds(), ids=lambda crowd: crowd[0].name)
def test_cases_together(crowd, bench, folder):
    problems = []

    def run(case):
        place = folder / case.name
        place.mkdir(mode=0o755)
        return case, run_case(case, bench, place, {"timeout": 240})

    together = [case for case in crowd if not set(case.needs) & set(bench.features.lacking())]
    with bench.watched(problems), concurrent.futures.ThreadPoolExecutor(CROWD) as pool:
        for case, done in pool.map(run, together):
            expect = {key: value for key, value in case.expect.items() if key not in MEASURED}
            # Under such a load either clock may be the first to run out.
            if expect.get("status") == "ok":
                expect["status"] = ["ok", "timeout"]
            if (
                "timeout" in table.as_list(expect.get("status"))
                and (done.outcome or {}).get("status") == "timeout"
            ):
                expect = {"status": expect["status"]}
            found = oracle.check_expect(done, expect)
            found += oracle.check_always(done, bench.canaries.token, bench.least_peak)
            problems += [f"{case.name}: {problem}" for problem in found]
    assert not problems, "\n".join(problems)
