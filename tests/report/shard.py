"""A pytest plugin: BELLJAR_TEST_SHARD=K/N keeps every N-th test, the K-th first (from 1)."""

import os


def pytest_collection_modifyitems(config, items):
    shard = os.environ.get("BELLJAR_TEST_SHARD")
    if not shard:
        return
    index, count = (int(part) for part in shard.split("/"))
    if not 1 <= index <= count:
        raise ValueError(f"BELLJAR_TEST_SHARD={shard}: not K/N with 1 <= K <= N")
    chosen = items[index - 1 :: count]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen
