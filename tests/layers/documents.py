"""What the documents promise about the tree: paths that exist, promises that name their tests."""

import pathlib
import re

# A path in backticks whose first part is one of these is meant to be in the repository.
TOP_FOLDERS = frozenset(
    ".ci api bench clients cmake deploy docs examples fuzz policies runtimes src tests tools web".split()
)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
PROMISE_ROW = re.compile(r"^\|\s*\**(P\d+)\**\s*\|(.*)$", re.MULTILINE)
PROMISES = tuple(f"P{number}" for number in range(10))


def documents(root):
    pages = [*(root / "docs").rglob("*.md"), *(root / "clients").glob("*/README.md")]
    return sorted([root / "README.md", *pages])


def is_repository_path(word):
    return (
        re.fullmatch(r"[\w.*/\-]+(::[\w\[\].\-]+)?", word) is not None
        and "/" in word
        and word.split("/")[0] in TOP_FOLDERS
    )


def exists(root, word):
    """A file, a folder, a pattern that matches something, or FILE::NAME where FILE says NAME."""
    name, _, inner = word.partition("::")
    if "*" in name:
        return any(True for _ in root.glob(name.rstrip("/")))
    path = root / name
    if not path.exists():
        return False
    return not inner or (path.is_file() and inner.split("[")[0] in path.read_text())


def missing_paths(root):
    """(document, path) for each path that a document names and the tree does not have."""
    root = pathlib.Path(root)
    for document in documents(root):
        text = FENCE.sub("", document.read_text())
        for word in CODE.findall(text):
            if is_repository_path(word) and not exists(root, word):
                yield str(document.relative_to(root)), word
        for link in LINK.findall(text):
            target = link.split("#")[0]
            if not target or "://" in target or target.startswith("mailto:"):
                continue
            if not (document.parent / target).exists():
                yield str(document.relative_to(root)), link


def broken_promises(root):
    """(promise, why) for each of P0..P9 that no test in the tree is named for."""
    root = pathlib.Path(root)
    path = root / "docs/security.md"
    rows = dict(PROMISE_ROW.findall(path.read_text())) if path.exists() else {}
    for promise in PROMISES:
        if promise not in rows:
            yield promise, "docs/security.md has no row for it"
            continue
        named = [word for word in CODE.findall(rows[promise]) if is_test(word)]
        if not named:
            yield promise, "its row names no test"
        for word in named:
            if not exists(root, word):
                yield promise, f"{word} does not exist"


def is_test(word):
    name = word.partition("::")[0]
    return is_repository_path(word) and (name.startswith("tests/") or name.endswith("_test.cpp"))
