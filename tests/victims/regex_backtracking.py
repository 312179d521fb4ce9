"""A regular expression that backtracks for ages (T040)."""

import re

re.match(r"(a+)+$", "a" * 64 + "b")
