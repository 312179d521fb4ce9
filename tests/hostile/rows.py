"""From a row of the table to a run: its words, its policy, its runtimes and its stdin."""

import os

from hostile import table
from support import command

EMULATED = os.environ.get("BELLJAR_TEST_EMULATED") == "1"


def wanted(case, bench, changes=None):
    """The words of a run: the row's own, with what the control changes."""
    row = {**case.run, **(changes or {})}
    source = None
    if case.template:
        source = bench.fill_in((command.VICTIMS / case.victim).read_text())
    policy = row.get("policy_text") or row.get("policy")
    without = row.get("without")
    if without:
        policy = control_policy(without, policy)
    return command.Wanted(
        row.get("victim", case.victim),
        language=row.get("language"),
        policy=policy,
        limits=(EMULATED and row.get("emulated_limits")) or row.get("limits", ""),
        args=[bench.fill_in(word) for word in row.get("args", [])],
        files=[command.VICTIMS / name for name in row.get("files", [])],
        artifacts=row.get("artifact", []),
        env=[bench.fill_in(word) for word in row.get("env", [])],
        runtimes=runtimes(row),
        source=source,
        options=row.get("options", []),
    )


def control_policy(without, text):
    """A policy file that leaves walls out by name: the degraded mode of a positive control."""
    names = ", ".join(f'"{wall}"' for wall in without)
    if text is None:
        text = 'name = "control"\nwhy = "positive control"\n'
    elif "\n" not in text:
        text = (command.ROOT / "policies" / f"{text}.toml").read_text().partition("[walls]")[0]
    return f'{text}\n[walls]\nwhy = "positive control"\nwithout = [{names}]\n'


def runtimes(row):
    """Manifests for --runtimes: the suite's own, or a built-in one with another compile limit."""
    made = {}
    if row.get("scripted"):
        for path in sorted((table.FOLDER / "runtimes").glob("*.toml")):
            made[path.name] = path.read_text()
    if "compile_limits" in row:
        pairs = (pair.split("=") for pair in row["compile_limits"].split(","))
        limits = ", ".join(f'{name} = "{value}"' for name, value in pairs)
        made |= {f"{row['language']}.toml": with_compile_limits(row["language"], limits)}
    return made or None


def with_compile_limits(language, limits):
    text = (command.ROOT / "runtimes" / f"{language}.toml").read_text()
    before, heading, after = text.partition("[compile]\n")
    section, rest = after.split("\n[", 1)
    lines = [line for line in section.splitlines() if not line.startswith("limits")]
    return "\n".join([before + heading + f"limits = {{ {limits} }}", *lines]) + f"\n[{rest}"


def stdin_of(row):
    given = row.get("stdin", "")
    if isinstance(given, str):
        return given.encode()
    if given.get("held"):
        return None
    return b"x" * given["bytes"]


def run_case(case, bench, folder, changes=None):
    row = {**case.run, **(changes or {})}
    return command.run(
        wanted(case, bench, changes),
        folder,
        stdin=stdin_of(row),
        env=bench.environment(),
        timeout=row.get("timeout", 60),
    )
