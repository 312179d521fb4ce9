"""One program, run in each of the three ways in which a run may begin."""

import base64
import json
import pathlib
import re
import subprocess

from support.command import binary, environment, scratch_folder

HERE = pathlib.Path(__file__).resolve().parent
COLD = """
name = "cold"
why = "The same as the default, without an interpreter that waits."
[start]
why = "To be compared with."
warm = false
"""
# How a run begins: the words that ask for it, and whether the policy keeps interpreters out.
WAYS = {"cold": ([], False), "cell": (["--warm"], True), "interpreter": (["--warm"], False)}
TIMES = ("usage", "phases")
PATHS = {"python": "main.py", "javascript": "main.js", "java": "Main.java"}


def outcome_of(program, way, *words, patience=90):
    """The outcome of `program`, a dict as in fidelity.toml, that begins in this way."""
    options, without = WAYS[way]
    language = program.get("language", "python")
    with scratch_folder("warm-") as place:
        box, beside = place / "box", place / "policy.toml"
        path = pathlib.PurePosixPath(program.get("path", PATHS[language]))
        for name, text in {**program.get("files", {}), str(path): program["source"]}.items():
            (box / name).parent.mkdir(parents=True, exist_ok=True)
            (box / name).write_bytes(text.encode())
        argv = [binary(), "run", "--json", *options, *words, "--language", language, "--entry", str(path)]
        if without:
            beside.write_text(COLD)
            argv += ["--policy", str(beside)]
        if program.get("limits"):
            argv += ["--limit", program["limits"]]
        for variable in program.get("env", ()):
            argv += ["--env", variable]
        for glob in program.get("artifacts", ()):
            argv += ["--artifact", glob, "--artifacts-dir", str(place / "artifacts")]
        stdin = program.get("stdin", "").encode() or base64.b64decode(program.get("stdin_base64", ""))
        done = subprocess.run(
            [*argv, str(box), "--", *program.get("args", ())], input=stdin, capture_output=True,
            cwd=place, env=environment(), timeout=patience, check=False,
        )  # fmt: skip
        assert done.stdout.startswith(b"{"), f"exit code {done.returncode}: {done.stderr.decode()}"
        outcome = json.loads(done.stdout)
        assert "error" not in outcome, outcome
        outcome["files"] = {
            str(file.relative_to(place / "artifacts")): file.read_bytes().hex()
            for file in sorted((place / "artifacts").rglob("*")) if file.is_file()
        }  # fmt: skip
        return outcome


def plain(outcome, cut=()):
    """The outcome without what differs between two cold runs, and how its last stage began."""
    start = outcome["stages"][-1]["start"]
    for stage in outcome["stages"]:
        for name in (*TIMES, "start"):
            del stage[name]
        if cut:
            for stream in ("stdout", "stderr"):
                del stage[stream]["total_bytes"]
    outcome.pop("policy")
    return without(outcome, cut), start


def without(value, cut):
    """`value` with every text in it as it is without what `cut` matches."""
    if isinstance(value, dict):
        return {name: without(each, cut) for name, each in value.items()}
    if isinstance(value, list):
        return [without(each, cut) for each in value]
    if isinstance(value, str):
        for pattern in cut:
            value = re.sub(pattern, "…", value)
    return value
