"""Results are as rich as their values, and no value can do harm by how it looks."""

import base64
import json

import pytest

PNG = b"\x89PNG\r\n\x1a\nrest"

MATPLOTLIB = {
    "__init__.py": "",
    "figure.py": """
class Figure:
    def __init__(self, number):
        self.number = number
    def __repr__(self):
        return f"<Figure {self.number}>"
    def savefig(self, target, format, bbox_inches):
        target.write(f"{format} of {self.number}".encode())
""",
    "pyplot.py": """
from .figure import Figure
figures = {}
def figure(number=None):
    number = number or len(figures) + 1
    return figures.setdefault(number, Figure(number))
def get_fignums():
    return list(figures)
def close(which):
    figures.clear()
def show(*args, **options):
    raise RuntimeError("the session's show() is in its place")
""",
}


def install(driver, package, files):
    folder = driver.folder / package
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)


def figure(number):
    png = base64.b64encode(f"png of {number}".encode()).decode()
    return {"image/png": png, "image/svg+xml": f"svg of {number}", "text/plain": f"<Figure {number}>"}


def test_display(driver):
    answer = driver.ok("for i in (1, 'a'): display(i)\ndisplay(2, 3)\n4")
    assert [data["text/plain"] for data in answer.shown] == ["1", "'a'", "2", "3"]
    assert answer.text == "4"
    assert driver.ok("display({'text/plain': 'p', 'text/x-own': 'o'}, raw=True)").shown == [
        {"text/plain": "p", "text/x-own": "o"}
    ]
    assert driver.ok("from belljar_display import display as d; d is display").text == "True"


@pytest.mark.parametrize(
    "made, mime, value",
    [
        ("HTML('<b>')", "text/html", "<b>"), ("Markdown('# a')", "text/markdown", "# a"),
        ("Latex('$x$')", "text/latex", "$x$"), ("SVG('<svg/>')", "image/svg+xml", "<svg/>"),
        ("SVG(b'<svg/>')", "image/svg+xml", "<svg/>"), ("HTML(b'<i>')", "text/html", "<i>"),
        ("Javascript('1')", "application/javascript", "1"),
        ("JSON({'a': [1, None, True, 'é']})", "application/json", {"a": [1, None, True, "é"]}),
        ("JSON('[1, 2]')", "application/json", [1, 2]), ("JSON(0)", "application/json", 0),
        (f"Image({PNG!r})", "image/png", base64.b64encode(PNG).decode()),
        ("Image(b'\\xff\\xd8\\xff', width=3)", "image/jpeg", "/9j/"),
        ("Image('there.gif')", "image/gif", base64.b64encode(b"GIF89a").decode()),
        ("Image(b'?', format='JPG')", "image/jpeg", "Pw=="),
    ],
)  # fmt: skip
def test_the_classes_of_belljar_display(driver, made, mime, value):
    (driver.folder / "there.gif").write_bytes(b"GIF89a")
    answer = driver.ok(f"from belljar_display import *\n{made}")
    assert answer.main[mime] == value
    assert answer.main["text/plain"].startswith("<")
    assert answer.results[0]["metadata"] == ({mime: {"width": 3}} if "width" in made else {})


def test_methods_of_values(driver):
    names = {
        "html": "text/html", "latex": "text/latex", "markdown": "text/markdown", "svg": "image/svg+xml",
        "javascript": "application/javascript",
    }  # fmt: skip
    methods = "".join(f"    def _repr_{name}_(self): return {name!r}\n" for name in names)
    data = driver.ok(
        f"class C:\n{methods}"
        f"    def _repr_png_(self): return {PNG!r}, {{'width': 2}}\n"
        "    def _repr_jpeg_(self): return None\n"
        "    def _repr_json_(self): return {'k': 1}\n"
        "    def __repr__(self): return 'C!'\nC()"
    )
    expected = {mime: name for name, mime in names.items()}
    expected.update({"application/json": {"k": 1}, "text/plain": "C!"})
    assert data.main == {**expected, "image/png": base64.b64encode(PNG).decode()}
    assert data.results[0]["metadata"] == {"image/png": {"width": 2}}
    assert list(driver.ok("C").main) == ["text/plain"], "a class is none of its objects"


def test_a_bundle_goes_before_the_methods(driver):
    answer = driver.ok(
        "class C:\n"
        "    def _repr_mimebundle_(self, include, exclude):\n"
        "        return {'text/html': 'bundled', 'application/x+json': [1], 'text/y': None}, {'about': 1}\n"
        "    def _repr_html_(self): return 'single'\n"
        "    def _repr_latex_(self): return 'latex'\nC()"
    )
    text = answer.main.pop("text/plain")
    assert "C object" in text
    assert answer.main == {"text/html": "bundled", "application/x+json": [1], "text/latex": "latex"}
    assert answer.results[0]["metadata"] == {"about": 1}


def test_figures_are_sent_at_the_end_and_by_show(driver):
    assert driver.ok("import os; os.environ['MPLBACKEND']").text == "'Agg'"
    install(driver, "matplotlib", MATPLOTLIB)
    driver.ok("class get_fignums: pass")
    answer = driver.ok("import matplotlib.pyplot as plt\nplt.figure(); plt.figure()\nNone")
    assert answer.shown == [figure(1), figure(2)]
    assert driver.ok("1").shown == [], "they were closed"
    answer = driver.ok("plt.figure()\nplt.show()\nplt.figure()\nprint('end')")
    assert answer.shown == [figure(1), figure(1)]
    answer = driver.ok("plt.figure()")
    assert answer.main == figure(1) and answer.shown == [], "a figure is not shown twice"
    answer = driver.run("plt.figure()\n1/0")
    assert answer.shown == [figure(1)] and answer.status == "error"


def test_a_figure_that_cannot_be_drawn_is_told_of(driver):
    install(driver, "matplotlib", MATPLOTLIB)
    answer = driver.ok("import matplotlib.pyplot as plt\nf = plt.figure()\nf.savefig = None\nNone")
    assert answer.shown == [{"text/plain": "<Figure 1>"}]
    assert "TypeError" in driver.stderr
    assert driver.run("plt.get_fignums = 1").error["name"] == "TypeError"
    assert driver.ok("del plt.get_fignums; 2").text == "2"


def test_a_missing_matplotlib_is_missing(driver):
    for _ in range(2):
        assert driver.run("import matplotlib.pyplot").error["name"] == "ModuleNotFoundError"
    install(driver, "matplotlib", MATPLOTLIB)
    driver.ok("import importlib; importlib.invalidate_caches()\nimport matplotlib.pyplot")


def test_a_series_of_pandas_is_a_table(driver):
    pandas = "class Frame:\n    def _repr_html_(self): return '<table>'\n"
    pandas += "class Series:\n    def to_frame(self): return Frame()\n"
    install(driver, "pandas", {"__init__.py": pandas})
    assert driver.ok("import pandas; pandas.Series()").main["text/html"] == "<table>"


EVIL = {
    "raises": "def __repr__(self): raise ValueError('no')",
    "exits": "def __repr__(self): raise SystemExit(3)",
    "no text": "def __repr__(self): return 5",
    "no end": "def __repr__(self): return repr(self)",
    "any name": "def __getattr__(self, name): return lambda *a, **k: 'yes'",
    "names that raise": "def __getattribute__(self, name): raise KeyError(name)",
    "claims to be text": "__class__ = property(lambda self: str)",
    "no comparison": "def __eq__(self, other): raise OSError\n    __hash__ = None\n    __bool__ = None",
    "a bad bundle": "def _repr_mimebundle_(self, include, exclude): return 7",
    "a bundle of objects": "def _repr_mimebundle_(self, include, exclude): return {3: object(), 'text/html': object()}",
    "html that exits": "def _repr_html_(self): raise SystemExit",
    "html of a number": "def _repr_html_(self): return 5",
    "json of itself": "def _repr_json_(self): x = []; x.append(x); return x",
    "json that is none": "def _repr_json_(self): return {'a': {1, 2}}",
    "json of NaN": "def _repr_json_(self): return float('nan')",
}


@pytest.mark.parametrize("body", EVIL.values(), ids=EVIL)
def test_evil_values_are_harmless(driver, body):
    answer = driver.ok(f"x = 1\nclass Evil:\n    {body}\nEvil()")
    assert list(answer.main) == ["text/plain"]
    assert "Evil" in answer.text
    driver.ok("display(Evil(), Evil)")
    assert driver.ok("x").text == "1"


EVIL_ERRORS = {
    "str": "def __str__(self): raise SystemExit",
    "repr": "def __repr__(self): raise ValueError\n    __str__ = __repr__",
    "bool": "def __bool__(self): raise ValueError",
    "class": "__class__ = property(lambda self: SystemExit)",
    "traceback": "__traceback__ = property(lambda self: 1/0)",
    "cause": "__cause__ = 5",
    "name": "__module__ = 4",
}


@pytest.mark.parametrize("body", EVIL_ERRORS.values(), ids=EVIL_ERRORS)
def test_evil_errors_are_harmless(driver, body):
    driver.ok(f"x = 1\nclass Evil(Exception):\n    {body}")
    assert driver.run("raise Evil").error["name"] == "Evil"
    assert driver.ok("x").text == "1"


def test_a_metaclass_has_no_say(driver):
    driver.ok("class Meta(type):\n    def __getattribute__(self, name): raise OSError(name)")
    driver.ok("class Evil(Exception, metaclass=Meta): pass")
    assert driver.run("raise Evil").error["name"] == "Evil"
    assert driver.ok("Evil").text.startswith("<") and "Evil" in driver.ok("BaseException.__new__(Evil)").text


def test_subclasses_of_plain_types_are_sent_as_those(driver):
    answer = driver.ok(
        "class S(str):\n    def __len__(self): return 1 / 0\n    encode = strip = None\n"
        "class D(dict):\n    def items(self): return [('a', S('b'))]\n"
        "class C:\n    def _repr_json_(self): return D(z=1)\n    def __repr__(self): return S('text')\nC()"
    )
    assert answer.main == {"application/json": {"a": "b"}, "text/plain": "text"}


def test_large_and_odd_values(driver):
    text = driver.ok("'x' * 5000000").text
    assert 1 << 20 <= len(text) < (1 << 20) + 100 and text.endswith(" more characters)")
    assert driver.ok("'\\ud800é\\0'").text == "'\\ud800é\\x00'"
    assert driver.ok("display({'text/html': '\\ud800é\\0'}, raw=True)").shown == [{"text/html": "\\ud800é\0"}]
    answer = driver.run("raise ValueError('y' * 3000000)")
    assert len(json.dumps(answer.error)) < 1 << 20
    deep = driver.ok("x = []\nfor _ in range(60): x = [x]\nimport belljar_display as b\nb.JSON(x)")
    assert list(deep.main) == ["text/plain"] and deep.results[0]["omitted"] == ["application/json"]


def test_what_is_too_large_is_omitted(driver):
    answer = driver.ok("display({'text/html': 'h' * (9 << 20), 'text/x': 'x' * (1 << 20), 'text/plain': 'p'}, raw=True)")
    assert answer.results[0]["omitted"] == ["text/html"]
    assert {mime: len(text) for mime, text in answer.shown[0].items()} == {"text/x": 1 << 20, "text/plain": 1}
    answer = driver.ok("display({'text/html': '\\1' * (2 << 20)}, raw=True, metadata={'m': 'x' * 100000})")
    assert answer.results[0]["omitted"] == ["text/html"], "it counts as it is written in JSON"
    assert answer.results[0]["metadata"] == {}
    many = driver.ok("display({f'text/{i}': 't' for i in range(150)}, raw=True)")
    assert len(many.shown[0]) <= 100


def test_what_is_displayed_in_a_thread_is_a_result(driver):
    answer = driver.ok(
        "import threading\nts = [threading.Thread(target=lambda: [display('z' * 9999) for _ in range(20)]) for _ in '1234']\n"
        "[t.start() for t in ts]\n[t.join() for t in ts]\nNone"
    )
    assert len(answer.shown) == 80
