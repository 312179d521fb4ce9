"""The examples, what goes in and comes out per language, and what is said without a toolchain."""

import json
import os
import pathlib
import subprocess
import tomllib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MANIFESTS = {path.stem: tomllib.loads(path.read_text()) for path in ROOT.glob("runtimes/*.toml")}
CORE = {"python", "javascript", "c", "cpp", "java", "bash", "perl"}
# Ends with the exit code in its first argument, after a line on each stream.
FAILING = {
    "bash": ("a.sh", 'echo out; echo err >&2; exit "$1"\n'),
    "c": (
        "a.c",
        "#include <stdio.h>\n#include <stdlib.h>\nint main(int n, char** v) {\n"
        '  puts("out"); fputs("err\\n", stderr); return n > 1 ? atoi(v[1]) : 0;\n}\n',
    ),
    "cpp": (
        "a.cpp",
        "#include <iostream>\n#include <string>\nint main(int, char** v) {\n"
        '  std::cout << "out\\n"; std::cerr << "err\\n"; return std::stoi(v[1]);\n}\n',
    ),
    "java": (
        "A.java",
        "class A { public static void main(String[] args) {\n"
        '  System.out.println("out"); System.err.println("err"); System.exit(Integer.parseInt(args[0]));\n}}\n',
    ),
    "javascript": (
        "a.js", 'console.log("out"); console.error("err"); process.exitCode = Number(process.argv[2]);\n',
    ),
    "perl": ("a.pl", 'print "out\\n"; print STDERR "err\\n"; exit $ARGV[0];\n'),
    "python": ("a.py", 'import sys\nprint("out"); print("err", file=sys.stderr); sys.exit(int(sys.argv[1]))\n'),
}  # fmt: skip


def belljar(*words, stdin=""):
    binary = os.environ.get("BELLJAR") or str(ROOT / "build/release/belljar")
    return subprocess.run(
        [binary, *map(str, words)], input=stdin, capture_output=True, text=True, check=False
    )


def outcome_of(program, *arguments, options=()):
    done = belljar("run", "--json", *options, program, "--", *arguments)
    assert done.stdout.startswith("{"), done.stderr
    return json.loads(done.stdout)


def require_toolchain(language):
    (entry,) = [row for row in json.loads(belljar("languages", "--json").stdout) if row["name"] == language]
    if not entry["available"]:
        assert language not in CORE, f"{language} is tested everywhere: {entry['package']} is missing"
        pytest.skip(f"no toolchain for {language}: {entry['package']}")


def write(folder, file):
    name, source = file
    (folder / name).write_text(source)
    return folder / name


@pytest.mark.parametrize("example", sorted(path.name for path in ROOT.glob("examples/[Hh]ello.*")))
def test_example(example):
    (language,) = [
        name for name, manifest in MANIFESTS.items() if pathlib.Path(example).suffix in manifest["extensions"]
    ]
    require_toolchain(language)
    done = belljar("run", ROOT / "examples" / example)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Hello from {MANIFESTS[language]['title']}\n"


@pytest.mark.parametrize("language", ["java", "python"])
def test_a_program_from_standard_input_is_named_as_its_language_wants(language):
    source = {
        "java": "public class Main { public static void main(String[] a) throws Exception {\n"
        '  System.out.println(Main.class.getName() + " " + a[0]); }}\n',
        "python": "import sys; print(__file__.rpartition('/')[2], sys.argv[1])\n",
    }
    require_toolchain(language)
    done = belljar("run", "--language", language, "-", "--", "x", stdin=source[language])
    assert (done.returncode, done.stdout) == (0, {"java": "Main x\n", "python": "main.py x\n"}[language]), done.stderr


def test_typescript_knows_nodes_own_modules_and_still_checks_types(tmp_path):
    require_toolchain("typescript")
    source = """
import * as fs from "fs";
import { createHash } from "node:crypto";
const text: string = fs.readFileSync(0, "utf8");
console.log(text.length, process.argv[2], Buffer.from("x").toString("hex"), __dirname);
console.log(createHash("md5").update("").digest("hex").length);
"""
    program = write(tmp_path, ("a.ts", source))
    done = belljar("run", program, "--", "x", stdin="four")
    assert (done.returncode, done.stdout) == (0, "4 x 78 /box\n32\n"), done.stderr
    wrong = write(tmp_path, ("b.ts", source + 'const n: number = "text";\n'))
    outcome = outcome_of(wrong)
    assert outcome["status"] == "compile_error"
    assert "TS2322" in outcome["stages"][0]["stdout"]["text"]
    assert "TS2307" not in outcome["stages"][0]["stdout"]["text"]


@pytest.mark.parametrize("language", sorted(FAILING))
def test_exit_code_streams_and_arguments_come_through(language, tmp_path):
    outcome = outcome_of(write(tmp_path, FAILING[language]), "42")
    stage = outcome["stages"][-1]
    assert (outcome["status"], stage["exit_code"]) == ("runtime_error", 42)
    assert (stage["stdout"]["text"], stage["stderr"]["text"]) == ("out\n", "err\n")


def test_a_missing_toolchain_names_its_package(tmp_path):
    (tmp_path / "runtimes").mkdir()
    (tmp_path / "runtimes/absent.toml").write_text(
        'name = "absent"\ntitle = "Absent"\nextensions = [".absent"]\npackage = "absent-toolchain"\n'
        'version = ["{tool}", "--version"]\n[programs]\ntool = ["/usr/bin/no-such-compiler"]\n'
        '[run]\nargv = ["{tool}", "{entry}", "{args}"]\n[hello]\nfile = "hello.absent"\nsource = "x"\n'
    )
    program = write(tmp_path, ("a.absent", "x"))
    done = belljar("run", "--runtimes", tmp_path / "runtimes", program)
    assert done.returncode == 125
    assert "absent-toolchain" in done.stderr
