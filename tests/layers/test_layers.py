"""The tree keeps the layer rule, and the check of it finds what is planted."""

import pathlib
import shutil

import pytest

import rules

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_tree_keeps_the_rules():
    violations = list(rules.check_tree(ROOT))
    assert not violations, "\n" + "\n".join(map(str, violations))


def test_the_check_sees_the_whole_tree():
    seen = {inside.parts[0] for _, inside in rules.sources(ROOT)}
    assert {"base", "model", "runtime", "screen", "cell", "warden", "engine", "ledger", "api", "app"} <= seen
    for name in rules.HEAPLESS_FILES:
        assert (ROOT / "src" / name).is_file(), f"{name} has moved: name its new place"


PLANTED = [
    # rule, file, text
    ("layer", "src/base/planted.h", '#include "model/outcome.h"\n'),
    ("layer", "src/model/planted.cpp", '#include "cell/seccomp.h"\n'),
    ("layer", "src/runtime/planted.cpp", '#include "cell/seccomp.h"\n'),
    ("layer", "src/cell/planted.cpp", '#include "runtime/manifest.h"\n'),
    ("layer", "src/cell/planted.cpp", '  #  include "engine/engine.h"\n'),
    ("layer", "src/warden/planted.cpp", '#include "engine/engine.h"\n'),
    ("rooted", "src/cell/planted.cpp", '#include "seccomp.h"\n'),
    ("rooted", "src/cell/planted.cpp", '#include "../base/fd.h"\n'),
    ("rooted", "src/cell/planted.cpp", '#include "cell/../base/fd.h"\n'),
    ("rooted", "src/cell/planted.cpp", "#include <base/fd.h>\n"),
    ("folder", "src/util/planted.cpp", "int planted;\n"),
    ("folder", "src/planted.cpp", "int planted;\n"),
    ("heapless", "src/cell/enter.cpp", "#include <string>\n"),
    ("heapless", "src/cell/init_main.cpp", "#include <iostream>\n"),
    ("heapless", "src/cell/init_main.cpp", "#include <unordered_map>\n"),
    ("throw", "src/cell/planted.cpp", "void f() { throw 1; }\n"),
    ("throw", "src/base/planted.h", "inline void f() {\n  if (true)\n    throw 1;\n}\n"),
    ("cout", "src/engine/planted.cpp", "void f() { std::cout << 1; }\n"),
    ("system_clock", "src/model/planted.cpp", "auto t = std::chrono::system_clock::now();\n"),
    ("unfinished", "docs/planted.md", "TO" "DO: later\n"),
    ("unfinished", "src/app/planted.cpp", "// FIX" "ME\n"),
]


@pytest.fixture(scope="module")
def clean_tree(tmp_path_factory):
    """Of the real tree only what a planted file leans on, so that nothing else can be at fault."""
    root = tmp_path_factory.mktemp("tree")
    for name in ("base/fd.h", "model/outcome.h", "cell/seccomp.h", "runtime/manifest.h", "engine/engine.h"):
        path = root / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#pragma once\n")
    assert list(rules.check_tree(root)) == []
    return root


@pytest.mark.parametrize(
    "rule, name, text", PLANTED, ids=[f"{rule}-{number}" for number, (rule, _, _) in enumerate(PLANTED)]
)
def test_a_planted_violation_is_found(clean_tree, tmp_path, rule, name, text):
    root = tmp_path / "tree"
    shutil.copytree(clean_tree, root)
    planted = root / name
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text("// first line\n" + text)
    found = list(rules.check_tree(root))
    assert [(violation.rule, violation.path) for violation in found] == [(rule, name)]
    assert rule == "folder" or found[0].line >= 2


@pytest.mark.parametrize(
    "text",
    [
        "// throw, std::cout and system_clock are only named here\n",
        'const char* kText = "throw std::cout system_clock";\n',
        "/* throw\n   system_clock */ int x;\n",
        'const char* kText = R"(throw\nstd::cout)";\n',
        '#include <string>\n#include "base/fd.h"\n#include "model/outcome.h"\n',
        '#include "generated/syscalls.inc"\n',
        '// #include "engine/engine.h"\n',
        "int rethrow_count; int nothrow;\n",
    ],
)
def test_what_is_allowed_is_not_reported(clean_tree, tmp_path, text):
    root = tmp_path / "tree"
    shutil.copytree(clean_tree, root)
    (root / "src/cell/planted.cpp").write_text(text)
    assert list(rules.check_tree(root)) == []
