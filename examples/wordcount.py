"""Counts the words of standard input and prints the most frequent ones, ten unless told."""

import collections
import re
import sys


def main():
    shown = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    words = collections.Counter()
    for line in sys.stdin:
        words.update(re.findall(r"[^\W\d_]+", line.lower()))
    for word, count in sorted(words.items(), key=lambda pair: (-pair[1], pair[0]))[:shown]:
        print(f"{count:6} {word}")


main()
