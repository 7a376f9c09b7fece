"""Tables and charts for notebooks: whole, to scale, bounded, and nothing of a name or an answer gets out of its place."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from IPython.core.formatters import HTMLFormatter

import reasoner
from reasoner.clients.scripted import ScriptedClient
from reasoner.comparison.notebook import LABELS, MAX_BARS, SCALE, Bar, bench_html, chart_html, comparison_html
from reasoner.comparison.rows import Row
from reasoner.runs.result_html import MAX_LINES, table_html

HOSTILE = "<script>alert(1)</script>&\"'</td></table>\x1b[31m\x00" + "x" * 500


def elements(html: str, tag: str) -> list[ET.Element]:
    """Read a fragment as XML, which a tag or quotation mark that got out would spoil."""
    return list(ET.fromstring(f"<r>{html}</r>").iter(tag))


def drawn(thing: object) -> str:
    """Draw something as a notebook does."""
    return str(HTMLFormatter()(thing))


def row(correct: int, n: int, *, strategy: str = "cot", unjudged: int = 0) -> Row:
    return Row("game24", strategy, "m", 1, n, correct, 0, 0, n, 10, 5, 1.0, unjudged=unjudged)


def test_a_chart_is_to_scale() -> None:
    (mark,) = elements(chart_html([Bar("a", 0.25, 0.1, 0.5)], title="t"), "circle")
    assert float(mark.attrib["cx"]) == LABELS + SCALE / 4
    stroke = elements(chart_html([Bar("a", 0.25, 0.1, 0.5)], title="t"), "line")[-1]
    assert (float(stroke.attrib["x1"]), float(stroke.attrib["x2"])) == (LABELS + SCALE / 10, LABELS + SCALE / 2)


def test_a_chart_is_bounded_and_without_bars_there_is_none() -> None:
    html = chart_html([Bar(str(n), 0.5, 0.4, 0.6) for n in range(MAX_BARS + 5)], title="t")
    assert len(elements(html, "circle")) == MAX_BARS
    assert "… and 5 more" in html
    assert chart_html([], title="t") == ""


def test_a_table_is_bounded_and_tells_the_rest() -> None:
    html = table_html("t", [("a", True), ("b", False)], [("x", str(n)) for n in range(MAX_LINES + 3)], rest=4)
    assert len(elements(html, "tr")) == MAX_LINES + 1
    assert "… and 7 more" in html
    with pytest.raises(ValueError, match="zip"):
        table_html("t", [("a", True)], [("x", "y")])


@pytest.mark.parametrize("make", ["table", "chart", "bench"])
def test_nothing_gets_out_of_its_place(make: str) -> None:
    made = {
        "table": lambda: table_html(HOSTILE, [(HOSTILE, True)], [(HOSTILE,)]),
        "chart": lambda: chart_html([Bar(HOSTILE, 0.5, 0.4, 0.6)], title=HOSTILE),
        "bench": lambda: bench_html(HOSTILE, [replace(row(1, 2), strategy=HOSTILE, model=HOSTILE, judge=HOSTILE), row(1, 2)]),
    }[make]()
    assert not elements(made, "script")
    assert "\x1b" not in made
    assert all(len("".join(each.itertext())) < 500 for tag in ("td", "th", "text") for each in elements(made, tag))


def test_a_bench_shows_the_columns_that_differ() -> None:
    html = bench_html("r", [row(1, 4), row(3, 4, strategy="ats")])
    heads = ["".join(each.itertext()) for each in elements(html, "th")]
    assert heads == ["strategy", "correct", "accuracy", "95 % CI", "calls", "tokens", "seconds"]
    cells = ["".join(each.itertext()) for each in elements(html, "td")]
    assert cells[:3] == ["cot", "1/4", "25.0 %"]
    assert "solver game24, model m" in html


def test_what_nobody_judged_has_no_accuracy() -> None:
    html = bench_html("r", [row(0, 3, unjudged=3)])
    assert not elements(html, "circle")
    assert "0.0 %" not in html
    assert bench_html("r", []).startswith("<div")


def test_results_and_comparisons_draw_themselves(tmp_path: Path) -> None:
    said = iter(["Answer: 9 -> 10 -> 20", "<b>No</b>.\nAnswer: <i>9</i>", "Answer: 9 -> 10 -> 20", "Answer: 7"] * 9)
    model = ScriptedClient(lambda _: next(said), name="<m>&")
    made = reasoner.compare("number_path", strategy="direct,cot,best_of_n:n=2,select=verifier", model=model, n=2, db=tmp_path / "t.db")
    html = comparison_html(made)
    assert html == drawn(made)
    assert len(elements(html, "circle")) == 3
    hollow = [each for each in elements(html, "circle") if each.attrib["fill"] == "none"]
    assert len(hollow) == 1
    assert "upper bound" in html
    assert not elements(html, "m")
    report = reasoner.bench(
        "number_path", strategy="direct", model=ScriptedClient(lambda _: "Answer: <i>9</i>", name="m"), n=3, db=tmp_path / "t.db"
    ).report
    found = drawn(report)
    assert len(elements(found, "tr")) == 4
    assert not elements(found, "i")
    assert re.search("✗ not correct", found)
