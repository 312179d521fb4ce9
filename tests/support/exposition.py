"""Reads a page in Prometheus' text format and refuses what Prometheus, or promtool, would refuse."""

import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
TYPES = ("counter", "gauge", "histogram", "summary", "untyped")
PARTS = {"histogram": ("_bucket", "_sum", "_count")}


class BadPage(AssertionError):
    pass


class Family:
    def __init__(self, name):
        self.name = name
        self.type = None
        self.help = None
        self.samples = {}  # (name, ((label, value), …)) -> number


def need(condition, why):
    if not condition:
        raise BadPage(why)


def labels_of(text, line):
    labels, at = [], 0
    while at < len(text):
        match = LABEL.match(text, at)
        need(match, f"labels: {line!r}")
        labels.append((match[1], match[2]))
        at = match.end()
    need(len({name for name, _ in labels}) == len(labels), f"a label stands twice: {line!r}")
    return tuple(sorted(labels))


def number(text, line):
    try:
        return float(text.replace("Inf", "inf"))
    except ValueError:
        raise BadPage(f"no number: {line!r}") from None


def read(page):
    """Families by name. BadPage says what is wrong."""
    families, current = {}, None
    need(page.endswith("\n"), "the last line has no end")
    for line in page.splitlines():
        need(line == line.strip() and line, f"spaces: {line!r}")
        if line.startswith("# HELP ") or line.startswith("# TYPE "):
            _, what, name, rest = line.split(" ", 3)
            need(NAME.fullmatch(name), f"name: {line!r}")
            if current is None or current.name != name:
                need(name not in families, f"the lines of {name} do not stand together")
                current = families[name] = Family(name)
            need(not current.samples, f"after the samples: {line!r}")
            attribute = what.lower()
            need(getattr(current, attribute) is None, f"twice: {line!r}")
            need(what != "TYPE" or rest in TYPES, f"type: {line!r}")
            setattr(current, attribute, rest)
            continue
        if line.startswith("#"):
            continue
        match = SAMPLE.fullmatch(line)
        need(match, f"no sample: {line!r}")
        name, labels, value = match[1], labels_of(match[2] or "", line), number(match[3], line)
        need(current is not None and current.type and current.help, f"without HELP and TYPE: {line!r}")
        parts = PARTS.get(current.type, ("",))
        need(name in {current.name + part for part in parts}, f"not of {current.name}: {line!r}")
        need((name, labels) not in current.samples, f"twice: {line!r}")
        current.samples[name, labels] = value
    for family in families.values():
        check(family)
    return families


def check(family):
    need(family.samples, f"{family.name} has no samples")
    if family.type == "counter":
        need(family.name.endswith("_total"), f"{family.name}: a counter's name ends in _total")
    else:
        need(not family.name.endswith("_total"), f"{family.name}: only a counter's name ends in _total")
    if family.type in ("counter", "histogram"):
        need(min(family.samples.values()) >= 0, f"{family.name} is negative")
    if family.type == "histogram":
        check_histogram(family)


def check_histogram(family):
    series = {}
    for (name, labels), value in family.samples.items():
        rest = tuple(label for label in labels if label[0] != "le")
        one = series.setdefault(rest, {"buckets": []})
        if name.endswith("_bucket"):
            bounds = [bound for label, bound in labels if label == "le"]
            need(len(bounds) == 1, f"{family.name}: a bucket without le")
            one["buckets"].append((number(bounds[0], name), value))
        else:
            one[name.removeprefix(family.name)] = value
    for labels, one in series.items():
        where = f"{family.name} {dict(labels)}"
        need("_sum" in one and "_count" in one, f"{where}: sum and count")
        bounds, counts = zip(*one["buckets"], strict=True)
        need(list(bounds) == sorted(set(bounds)), f"{where}: bounds do not rise")
        need(bounds[-1] == float("inf"), f"{where}: no bucket +Inf")
        need(list(counts) == sorted(counts), f"{where}: counts are not cumulative")
        need(counts[-1] == one["_count"], f"{where}: +Inf is not the count")
