"""The table itself: its grammar is strict, and no id of the catalogue is missing or named twice."""

import pytest

from hostile import table
from support.command import TESTS

ROW = """[[case]]
name = "one"
ids = ["T001"]
what = "something"
victim = "benign.py"
control = { builtin = "because" }
expect = { status = "ok" }
"""


def load(tmp_path, text):
    (tmp_path / "x.toml").write_text(text)
    return table.load(tmp_path)


def test_a_row_is_read(tmp_path):
    (case,) = load(tmp_path, ROW)
    assert (case.name, case.ids, case.expect) == ("one", ["T001"], {"status": "ok"})


@pytest.mark.parametrize(
    "before, after",
    [
        ("victim", "victims"),
        ('status = "ok"', 'statuses = "ok"'),
        ('status = "ok"', 'status = "fine"'),
        ('"T001"', '"T1"'),
        ('name = "one"', 'name = "One!"'),
        ('what = "something"\n', ""),
        ('builtin = "because"', 'without = ["glass"]'),
        ('status = "ok"', ""),
    ],
)
def test_a_row_that_would_be_misunderstood_is_refused(tmp_path, before, after):
    with pytest.raises(table.BadTable):
        load(tmp_path, ROW.replace(before, after, 1))


def test_two_rows_of_one_name_are_refused(tmp_path):
    with pytest.raises(table.BadTable):
        load(tmp_path, ROW + ROW)


def test_every_id_of_the_catalogue_is_dealt_with_once():
    index = table.catalogue(table.load())
    together = [*index.covered, *index.elsewhere, *index.uncovered, *index.not_applicable]
    assert sorted(together) == table.all_ids()


def test_every_reason_is_a_reason():
    index = table.catalogue(table.load())
    for reason in [*index.uncovered.values(), *index.not_applicable.values()]:
        assert len(reason.split()) >= 3, reason


def test_what_is_covered_elsewhere_is_there():
    for identifier, place in table.catalogue(table.load()).elsewhere.items():
        assert (TESTS.parent / place["by"]).exists(), f"{identifier}: no {place['by']}"
