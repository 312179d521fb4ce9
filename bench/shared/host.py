"""What a measurement has to say about the machine that it was made on."""

import contextlib
import json
import os
import pathlib
import platform
import subprocess


def cgroup_facts():
    """v1, v2, hybrid or none; and the mounts that have favordynmods."""
    kinds, favoured = set(), []
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        before, after = line.split(" - ")
        kind, _, options = after.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            kinds.add(kind)
            if "favordynmods" in options:
                favoured.append(before.split()[4])
    mode = {frozenset(["cgroup"]): "v1", frozenset(["cgroup2"]): "v2"}.get(frozenset(kinds), "hybrid")
    return mode if kinds else "none", favoured


def print_host(belljar, program):
    """Kernel, processors, cgroups, and the walls of a cell that runs this program."""
    mode, favoured = cgroup_facts()
    answer = subprocess.run(
        [belljar, "run", "--json", str(program)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    walls = missing = "?"
    with contextlib.suppress(ValueError, LookupError):
        stage = json.loads(answer.stdout)["stages"][-1]
        walls, missing = len(stage["walls"]), ", ".join(stage["missing_walls"]) or "none"
    print(f"kernel {platform.release()}, {os.cpu_count()} processors, cgroups {mode}", end=", ")
    print(f"favordynmods {'on ' + ', '.join(favoured) if favoured else 'not set on any mount'}")
    print(f"belljar: {walls} walls stand, missing: {missing}")
