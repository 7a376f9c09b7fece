"""A result as HTML for a notebook: verdict, answer, what it took, and the tree of thoughts; and tables. Everything a model wrote is escaped."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from reasoner.text import clean, shorten
from reasoner.types import SIGNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reasoner.trajectory import Trajectory

MAX_THOUGHTS = 200
"""Thoughts that are drawn at most."""
MAX_CHARS = 160
MAX_ANSWER_CHARS = 4000
MAX_LINES = 200
"""Lines of a table that are drawn at most."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is drawn of a result: what was asked of whom, what came out, what it took, and why it was ended."""

    head: tuple[str, ...]
    correct: bool | None
    reason: str
    answer: str
    used: str
    error: str = ""


def result_html(shown: Shown, dag: Trajectory) -> str:
    """Return a self-contained fragment: no style sheet and no script."""
    word, colour = {True: ("correct", "#1a7f37"), False: ("not correct", "#b42318"), None: ("not judged", "#57606a")}[shown.correct]
    reason = f": {_text(shown.reason)}" if shown.reason else ""
    error = f"<div>{_text(shown.error)}</div>" if shown.error else ""
    return (
        '<div style="font-family:sans-serif">'
        f"<div>{' · '.join(map(_text, shown.head))}</div>"
        f'<div><b style="color:{colour}">{word}</b>{reason}</div>'
        f'<div style="white-space:pre-wrap"><b>{escape(clean(shown.answer)[:MAX_ANSWER_CHARS])}</b></div>{error}'
        f'<div style="color:#57606a">{_text(shown.used)}</div>'
        f"<details><summary>{len(dag.graph)} thoughts</summary>{_tree(dag)}</details></div>"
    )


def table_html(title: str, columns: Sequence[tuple[str, bool]], lines: Sequence[Sequence[str]], *, rest: int = 0) -> str:
    """Return a table; `columns` are headings and whether they hold words, which stand at the left; `rest` lines more are told of."""
    sides = ["left" if words else "right" for _, words in columns]
    head = "".join(_cell("th", name, side) for (name, _), side in zip(columns, sides, strict=True))
    rows = ("".join(_cell("td", text, side) for text, side in zip(line, sides, strict=True)) for line in lines[:MAX_LINES])
    rest += max(0, len(lines) - MAX_LINES)
    more = f"<div>… and {rest} more</div>" if rest else ""
    caption = f'<caption style="text-align:left">{_text(title)}</caption>'
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{_in_rows(rows)}</tbody></table>{more}"


def _cell(tag: str, text: str, side: str) -> str:
    whole = ";white-space:nowrap" if side == "right" and tag == "td" else ""
    return f'<{tag} style="text-align:{side};padding:.1em .5em{whole}">{_text(text)}</{tag}>'


def _in_rows(rows: Iterable[str]) -> str:
    return "".join(f"<tr>{row}</tr>" for row in rows)


def _tree(dag: Trajectory) -> str:
    """Return the first thoughts as lines, each indented by its depth."""
    lines: list[str] = []
    pending = [dag.root]
    while pending and len(lines) < MAX_THOUGHTS:
        thought = pending.pop()
        mark = dag.mark_of(thought)
        depth = int(dag.graph.nodes[thought.id]["depth"])
        body = " ".join(part for part in (thought.label, thought.operation or thought.text) if part)
        dim = ";opacity:.55" if mark.status == "pruned" else ""
        score = f" [{mark.score:g}]" if mark.score is not None else ""
        lines.append(f'<div style="margin-left:{1.2 * min(depth, 40):.1f}em{dim}">{SIGNS[mark.status]} {_text(body)}{score}</div>')
        pending.extend(reversed(dag.children(thought)))
    rest = len(dag.graph) - len(lines)
    return "".join(lines) + (f"<div>… and {rest} more</div>" if rest else "")


def _text(value: str) -> str:
    return escape(shorten(clean(value), MAX_CHARS))
