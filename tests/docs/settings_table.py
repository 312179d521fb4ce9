"""The table of settings in docs/service.md, made from `belljar config check` and the list of fields.

`python3 tests/docs/settings_table.py` writes it anew; a test says when that is needed.
"""

import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/service.md"
FIELDS = ROOT / "src/api/setting_fields.h"
PLACE = re.compile(r"(<!-- settings: [^>]*-->\n).*?(<!-- end -->)", re.DOTALL)
LINE = re.compile(r"(\w+) = (.*?)  # (.*)")
SIZE = re.compile(r'number_setting\(\s*"([a-z-]+)"(?:(?!_setting\().)*?Kind::kBytes', re.DOTALL)
# A default that is the machine's or the user's, and how the page says so.
TOLD = {
    "state_dir": "`/var/lib/belljar`; for ordinary users `~/.local/state/belljar`",
    "headers": "`/var/cache/belljar/headers`; for ordinary users `~/.cache/belljar/headers`",
}
SIZES = ((1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K"))


def variables():
    """Environment variable by setting, from the table that all of Belljar's own walk."""
    found = re.findall(r'_setting\(\s*"([a-z0-9-]+)",\s*"([A-Z0-9_]+)"', FIELDS.read_text())
    return {name.replace("-", "_"): variable for name, variable in found}


def readable(name, value, is_size):
    if name in TOLD:
        return TOLD[name]
    if re.fullmatch(r'"\d+ms"', value):
        return f"`\"{int(value[1:-3]) // 1000}s\"`"
    if is_size and value != "0":
        for size, letter in SIZES:
            if int(value) % size == 0:
                return f"`\"{int(value) // size}{letter}\"`"
    return f"`{value}`"


def table():
    binary = os.environ.get("BELLJAR") or str(ROOT / "build/release/belljar")
    clean = {"PATH": "/usr/bin:/bin", "HOME": "/root"}
    shown = subprocess.run(
        [binary, "config", "check", "--config", "/dev/null"], env=clean, capture_output=True, text=True, check=True
    ).stdout
    known = variables()
    sizes = {name.replace("-", "_") for name in SIZE.findall(FIELDS.read_text())}
    rows = ["| setting | environment | default | |", "|---|---|---|---|"]
    for line in shown.splitlines():
        name, value, words = LINE.fullmatch(line).groups()
        default = readable(name, value, name in sizes)
        rows.append(f"| `{name}` | `{known[name]}` | {default} | {words} |")
    return "\n".join(rows) + "\n"


def with_table(page, made):
    return PLACE.sub(lambda match: match[1] + made + match[2], page)


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(), table()))
