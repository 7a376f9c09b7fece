"""Tables and charts of runs as HTML for a notebook: self-contained fragments without style sheet, script or network.

    comparison_html(made)  ->  '<div style="...">...<svg role="img" ...>...<table ...>...</div>'

Needs no package: the chart is an SVG of accuracy with its interval, a line for each contender. Everything a model or a user wrote is escaped.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

from reasoner.comparison.statistics import wilson
from reasoner.comparison.tables import NONE, UPPER_BOUND, percent, short_models, tables
from reasoner.runs.result_html import table_html
from reasoner.text import clean, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.comparison.comparison import Comparison
    from reasoner.comparison.rows import Row

MAX_BARS = 60
MAX_LABEL_CHARS = 46
LABELS, SCALE, VALUES, LINE = 300, 300, 120, 22
"""Widths of the chart's three parts and the height of a line, in pixels."""
COLOUR = "#0072B2"


class Bar(NamedTuple):
    """One line of a chart: shares of 1, and whether the mark is hollow."""

    label: str
    share: float
    low: float
    high: float
    hollow: bool = False


def chart_html(bars: Sequence[Bar], *, title: str) -> str:
    """Return an SVG with a line for each bar: the interval as a stroke, the share as a mark and as a figure; empty where there is none."""
    if not bars:
        return ""
    shown = bars[:MAX_BARS]
    width, height = LABELS + SCALE + VALUES, LINE * len(shown) + 26
    parts = [
        f'<line x1="{_at(share):.1f}" x2="{_at(share):.1f}" y1="0" y2="{height - 20}" stroke="currentColor" opacity="0.15"/>'
        f'<text x="{_at(share):.1f}" y="{height - 6}" text-anchor="middle" opacity="0.7">{100 * share:.0f} %</text>'
        for share in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    for n, bar in enumerate(shown):
        y, label = LINE * n + LINE / 2, shorten(clean(bar.label), MAX_LABEL_CHARS)
        parts.append(
            f'<text x="{LABELS - 12}" y="{y + 4:.1f}" text-anchor="end">{escape(label)}</text>'
            f'<line x1="{_at(bar.low):.1f}" x2="{_at(bar.high):.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{COLOUR}" stroke-width="2"/>'
            f'<circle cx="{_at(bar.share):.1f}" cy="{y:.1f}" r="4.5" stroke="{COLOUR}" stroke-width="2" fill="{"none" if bar.hollow else COLOUR}"/>'
            f'<text x="{LABELS + SCALE + 14}" y="{y + 4:.1f}">{100 * bar.share:.1f} %</text>'
        )
    rest = f"<div>… and {len(bars) - len(shown)} more</div>" if len(bars) > len(shown) else ""
    return (
        f'<svg role="img" aria-label="{_text(title)}" viewBox="0 0 {width} {height}" style="max-width:{width}px;width:100%" '
        f'font-family="sans-serif" font-size="12" fill="currentColor">{"".join(parts)}</svg>{rest}'
    )


def comparison_html(comparison: Comparison) -> str:
    """Return the chart, the tables and the claims of a comparison."""
    short = short_models(comparison.models)
    single = [row for row in comparison.rows if row.solver is not None]
    bars = []
    for row in single or comparison.rows:
        who = [
            *([row.solver or "all"] if len(comparison.solvers) > 1 else []),
            row.strategy,
            *([short[row.model]] if len(comparison.models) > 1 else []),
        ]
        if row.n_answers > row.unjudged:
            bars.append(Bar(" · ".join(who), row.accuracy, *row.interval, row.upper_bound))
    told = [f"Baseline: {comparison.baseline or 'none'}. Samples of each problem: {comparison.samples}."]
    told += [f"A hollow mark is an {UPPER_BOUND}."] if any(bar.hollow for bar in bars) else []
    told += [f"{each.sentence()}." for each in comparison.inside_thought]
    told += [f"{claim.sentence()}." for claim in comparison.claims]
    made = [table_html(table.title, [(c.name, c.words) for c in table.columns], table.lines) for table in tables(comparison)]
    return fragment(
        f"comparison of run {comparison.run}",
        ", ".join(comparison.solvers),
        chart_html(bars, title="Accuracy with its 95 % interval"),
        *made,
        *map(_note, told),
    )


def bench_html(run: str, rows: Sequence[Row]) -> str:
    """Return the chart and the table of a bench."""
    same = {name: len({getattr(row, name) for row in rows}) <= 1 for name in ("solver", "model", "level", "judge")}
    names = [name for name in ("solver", "strategy", "model", "level", "judge") if name == "strategy" or not same[name]]
    columns = [(name, name != "level") for name in names]
    counts = ("unparsed", "failed", "unjudged", "at_limit")
    also = [name for name in counts if any(getattr(row, name) for row in rows)]
    heads = ("correct", "accuracy", "95 % CI", *(name.replace("_", " ") for name in also), "calls", "tokens", "seconds")
    bars, lines = [], []
    for row in rows:
        low, high = wilson(row.correct, row.n_judged)
        who = [str(NONE if (value := getattr(row, name)) in {None, ""} else value) for name in names]
        if row.n_judged:
            label = " · ".join(f"level {value}" if name == "level" else value for name, value in zip(names, who, strict=True))
            bars.append(Bar(label, row.accuracy, low, high))
        judged = (f"{row.correct}/{row.n_judged}", percent(row.accuracy), f"{100 * low:.1f}–{100 * high:.1f}")
        used = (str(row.calls), str(row.prompt_tokens + row.completion_tokens), f"{row.seconds:.1f}")
        lines.append((*who, *(judged if row.n_judged else (NONE,) * 3), *(str(getattr(row, name)) for name in also), *used))
    told = ", ".join(f"{name} {getattr(rows[0], name)}" for name in ("solver", "model") if rows and same[name])
    table = table_html("Accuracy of a single answer", [*columns, *((head, False) for head in heads)], lines)
    return fragment(f"bench of run {run}", told, chart_html(bars, title="Accuracy with its 95 % interval"), table)


def fragment(what: str, about: str, *parts: str) -> str:
    """Return a heading, what is said about it, and parts that are HTML already."""
    return f'<div style="font-family:sans-serif"><div><b>{_text(what)}</b> {_text(about)}</div>{"".join(parts)}</div>'


def _note(text: str) -> str:
    return f'<div style="opacity:.75">{_text(text)}</div>'


def _text(value: str) -> str:
    return escape(shorten(clean(value), 400))


def _at(share: float) -> float:
    return LABELS + SCALE * min(1.0, max(0.0, share))
