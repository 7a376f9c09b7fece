"""The templates of the pages: autoescaped without exception, undefined names are errors; and how numbers, signs and verdicts are written there.

environment().get_template("runs.html").render(...)
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reasoner.store.actions import SIGNS as ACTION_SIGNS
from reasoner.text import clean, shorten
from reasoner.types import SIGNS

PAGES = Path(__file__).with_name("pages")


@cache
def environment() -> Environment:
    """Return the templates."""
    env = Environment(loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    env.filters["short"] = lambda text, n=80: shorten(clean(str(text or "")), n)
    env.filters["clean"] = lambda text: clean(str(text or ""))
    env.filters["many"] = lambda number: f"{number or 0:,}"
    env.filters["percent"] = lambda share: "–" if share is None else f"{100 * share:.1f} %"
    env.filters["seconds"] = seconds
    env.filters["money"] = money
    env.globals["signs"] = SIGNS
    env.globals["verdict_word"] = verdict_word
    env.globals["action_signs"] = ACTION_SIGNS
    return env


def verdict_word(row: dict[str, Any]) -> str:
    """Say how a trajectory stands: right, wrong, open, failed, or recorded where nothing was judged; `judged` before what a model says."""
    if row["status"] in {"open", "failed"}:
        return str(row["status"])
    word = "recorded" if row["correct"] is None else "right" if row["correct"] else "wrong"
    return f"judged {word}" if row.get("judged_by") and row["correct"] is not None else word


def seconds(value: float | None) -> str:
    """Write a duration with the digits a reader needs.

    >>> [seconds(value) for value in (None, 0.0011, 0.4, 7.12, 83.0, 7384.0)]
    ['–', '1 ms', '0.40 s', '7.1 s', '1 min 23 s', '2 h 3 min']
    """
    if value is None:
        return "–"
    if value < 0.1:
        return f"{1000 * value:.0f} ms"
    if value < 60:
        return f"{value:.2f} s" if value < 1 else f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def money(value: float | None) -> str:
    """Write a cost in dollars; a dash where none is known.

    >>> money(None), money(0.0), money(0.00012), money(1.5)
    ('–', '$0', '$0.00012', '$1.50')
    """
    if value is None:
        return "–"
    if value == 0:
        return "$0"
    return f"${value:.2f}" if value >= 1 else f"${value:.2g}"
