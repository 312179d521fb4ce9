"""Ways to answer the same requests, measured in rounds: each round has every way once, in an order of its own."""

import argparse
import random

from shared.load import Block, Row

WARM_UP = 1  # rounds that fill caches and are not counted


def parser(name, about):
    """Of the options that these measurements have in common."""
    made = argparse.ArgumentParser(prog=f"./dev bench {name}", description=about.split("\n")[0])
    made.add_argument("--rounds", type=int, default=7)
    made.add_argument("--requests", type=int, default=64, help="in each round, of each kind")
    made.add_argument("--seed", type=int, default=1)
    return made


def measure(ways, concurrencies, options):
    """By name of a way and how many are at once: the rows of a table."""
    shuffle = random.Random(options.seed)
    blocks = {(name, count): [] for name in ways for count in concurrencies}
    for _ in range(options.rounds + WARM_UP):
        for name, count in shuffle.sample(sorted(blocks), len(blocks)):
            blocks[name, count].append(Block(ways[name], count, options.requests))
    return {key: Row(each[WARM_UP:]) for key, each in blocks.items()}
