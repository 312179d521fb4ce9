"""The rules of the tree that no compiler checks. Each check yields violations as values."""

import pathlib
import re
from typing import NamedTuple

# A folder may include what stands in an earlier row, and itself; never a neighbour of its own row.
LAYERS = (
    ("base",),
    ("model",),
    ("runtime", "screen", "cell"),
    ("warden", "zygote", "parked"),
    ("engine", "ledger"),
    ("fleet",),
    ("api",),
    ("app",),
)
RANK = {folder: rank for rank, row in enumerate(LAYERS) for folder in row}

# Between clone and exec there is no heap: another thread of the parent may have held its lock.
HEAPLESS_FILES = ("cell/init_main.cpp", "cell/enter.cpp")
HEAP_HEADERS = frozenset(
    """any deque expected filesystem forward_list fstream functional future iomanip ios iostream
    istream list locale map memory memory_resource mutex ostream queue regex set shared_mutex
    spanstream sstream stack stacktrace stdexcept streambuf string thread unordered_map
    unordered_set vector""".split()
)

# Words of C++ that stand nowhere in the library code, and what is used in their place.
BANNED_OUTSIDE_APP = {
    "throw": (re.compile(r"\bthrow\b"), "errors are Result values"),
    "cout": (re.compile(r"\bstd::(cout|cerr|clog)\b"), "library code prints nothing"),
    "system_clock": (re.compile(r"\bsystem_clock\b"), "limits and bills use the monotonic clock"),
}
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME)\b")
NOT_OURS = frozenset({".git", "build", "__pycache__", "node_modules", ".pytest_cache"})

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+([<"])([^>"]+)[>"]', re.MULTILINE)
# A comment or a literal; literals first in the alternation's order of appearance in the text.
COMMENT_OR_LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^()\\ ]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9A-Fa-f])\'(?:\\.|[^\'\\\n])+\'',
    re.DOTALL,
)


class Violation(NamedTuple):
    rule: str
    path: str
    line: int
    text: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


def blank_comments(source, literals_too):
    """The source with comments (and string literals) blanked out, lines and columns kept."""

    def blank(match):
        text = match.group(0)
        if not literals_too and not text.startswith(("//", "/*")):
            return text
        return re.sub(r"[^\n]", " ", text)

    return COMMENT_OR_LITERAL.sub(blank, source)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def sources(root):
    for path in sorted((root / "src").rglob("*")):
        if path.suffix in (".h", ".cpp", ".c", ".inc") and path.is_file():
            yield path, path.relative_to(root / "src")


def check_includes(root):
    for path, inside in sources(root):
        text = blank_comments(path.read_text(), literals_too=False)
        where = str(path.relative_to(root))
        folder = inside.parts[0]
        if folder not in RANK or len(inside.parts) < 2:
            yield Violation("folder", where, 1, "not in one of the folders of src/")
            continue
        for match in INCLUDE.finditer(text):
            quote, target = match.groups()
            line = line_of(text, match.start())
            if quote == "<":
                if target.split("/")[0] in RANK and (root / "src" / target).exists():
                    yield Violation("rooted", where, line, f"<{target}> is ours: quote it")
                if str(inside) in HEAPLESS_FILES and target in HEAP_HEADERS:
                    yield Violation("heapless", where, line, f"<{target}> uses the heap")
                continue
            # A generated file has no source in the tree; it is data, so it imports nothing.
            if target.endswith(".inc") and not (root / "src" / target).exists():
                continue
            if not (root / "src" / target).is_file() or ".." in target.split("/"):
                yield Violation("rooted", where, line, f'"{target}" is not a path from src/')
                continue
            other = target.split("/")[0]
            if other != folder and RANK.get(other, len(LAYERS)) >= RANK[folder]:
                yield Violation("layer", where, line, f"{folder} must not include {target}")


def check_banned_words(root):
    for path, inside in sources(root):
        if inside.parts[0] == "app":
            continue
        text = blank_comments(path.read_text(), literals_too=True)
        for rule, (pattern, why) in BANNED_OUTSIDE_APP.items():
            for match in pattern.finditer(text):
                where = str(path.relative_to(root))
                yield Violation(rule, where, line_of(text, match.start()), why)


def text_files(root):
    for path in sorted(root.rglob("*")):
        if NOT_OURS.intersection(path.relative_to(root).parts) or not path.is_file():
            continue
        try:
            yield path, path.read_text()
        except UnicodeDecodeError:
            continue


def check_unfinished(root):
    for path, text in text_files(root):
        for match in UNFINISHED.finditer(text):
            where = str(path.relative_to(root))
            yield Violation("unfinished", where, line_of(text, match.start()), match.group(0))


def check_tree(root):
    root = pathlib.Path(root)
    for check in (check_includes, check_banned_words, check_unfinished):
        yield from check(root)
