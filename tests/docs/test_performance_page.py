"""docs/performance.md: its section is the bench's to write, and what the bench writes can be read."""

import pathlib
import re
import subprocess
import sys
import xml.dom.minidom

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import warm  # noqa: E402
from shared.figures import Plot, percentile, ratio  # noqa: E402

PAGE = ROOT / "docs/performance.md"


def test_the_section_alone_is_rewritten(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE.read_text())
    for text in ("first", "second"):
        warm.write_into(page, f"{text} result\n")
    before, section = page.read_text().split(warm.BEGIN)
    assert before == PAGE.read_text().split(warm.BEGIN)[0]
    assert section == f"\n\nsecond result\n\n{warm.END}" + PAGE.read_text().split(warm.END)[1]


@pytest.mark.parametrize("text", ["no marks", warm.END + warm.BEGIN, warm.BEGIN + warm.BEGIN + warm.END])
def test_a_page_without_the_section_stays_as_it_is(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(SystemExit, match="has no section"):
        warm.write_into(page, "result")
    assert page.read_text() == text


def test_each_option_that_the_page_names_is_the_benchs():
    said = subprocess.run(
        [sys.executable, "-B", ROOT / "bench/warm.py", "--help"], capture_output=True, text=True, check=True
    ).stdout
    named = set(re.findall(r"--[a-z]+", PAGE.read_text()))
    assert named, "the page names no option"
    assert {name for name in named if name not in said} == set()


@pytest.mark.parametrize("what", sorted(set(re.findall(r"\./dev bench (\w+)", PAGE.read_text()))))
def test_each_bench_that_the_page_names_is_there(what):
    assert (ROOT / f"bench/{what}.py").is_file()


@pytest.mark.parametrize(
    "value, unit, said",
    [(4.12, 100, "0.0412×"), (153, 100, "1.53×"), (48.2, 1, "48.2×"), (420, 1, "420×"), (0, 1, "0×"), (-5, 10, "-0.500×")],
)
def test_a_ratio_has_three_digits(value, unit, said):
    assert ratio(value, unit) == said


def test_percentiles_are_values_that_were_measured():
    values = list(range(100, 0, -1))
    assert [percentile(values, share) for share in (0.1, 0.5, 0.99)] == [11, 51, 100]
    assert percentile([7], 0.99) == 7


def test_the_plot_is_a_picture_with_every_row():
    plot = Plot()
    plot.bars("times", [("a < b", 0.01, 0.02, 0.03), ("bare", 1, 1, 1)])
    plot.curves("rates", (1, 2), [("bare", [1, 1.9]), ("ours", [4, 7])])
    document = xml.dom.minidom.parseString(plot.svg())
    words = {node.firstChild.data for node in document.getElementsByTagName("text")}
    assert {"times", "rates", "a < b", "bare", "ours", "0.02×"} <= words
    assert len(document.getElementsByTagName("circle")) == 2
    assert len(document.getElementsByTagName("polyline")) == 2
