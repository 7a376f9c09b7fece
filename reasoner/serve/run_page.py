"""What the page of a run shows beside its comparison: why answers were not right, tables of what differs, the columns its list needs.

mistakes(store, "3f0c...") -> [{"reason": "the path starts at …, not at …", "n": 12, "examples": [{"id": "9f3c...", ...}]}]
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from reasoner.store import queries
from reasoner.text import clean, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.comparison.tables import ComparisonTable
    from reasoner.store import Store

MAX_REASONS = 12
MAX_EXAMPLES = 3
MAX_REASON = 400
"""Characters of a reason, which may be a judge's or a server's words."""
MAX_COLUMNS = 12
"""Columns of the problems that a page offers to group by."""
_PARTICULAR = re.compile(r"'[^']*'|\"[^\"]*\"|«[^»]*»|(?<![A-Za-z_])-?\d[\d.,/]*")
"""What differs from one answer to the next in a reason: quoted texts and numbers."""


def mistakes(store: Store, run_id: str) -> list[dict[str, Any]]:
    """Return why answers of a run were not right, the most frequent reason first, each with a few examples.

    Reasons that differ in numbers and quoted texts alone are one.
    """
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in queries.not_right(store, run_id):
        said = (row["reason"] or row["error"] or "wrong")[:MAX_REASON]
        found[shorten(_PARTICULAR.sub("…", clean(said)), 160)].append(row | {"said": said})
    ordered = sorted(found.items(), key=lambda item: -len(item[1]))
    kept = [{"reason": reason, "n": len(rows), "examples": rows[:MAX_EXAMPLES]} for reason, rows in ordered[:MAX_REASONS]]
    rest = sum(len(rows) for _, rows in ordered[MAX_REASONS:])
    return [*kept, {"reason": f"{len(ordered) - MAX_REASONS} further reasons", "n": rest, "examples": []}] if rest else kept


def collapsed(table: ComparisonTable) -> dict[str, Any]:
    """Return a table without the columns that say the same in all its lines (`same` names them), for a page."""
    lines = table.lines
    alike = {at for at in range(len(table.columns)) if len(lines) > 1 and len({line[at] for line in lines}) == 1}
    if len(alike) == len(table.columns):
        alike = set()
    kept = [at for at in range(len(table.columns)) if at not in alike]
    return {
        "title": table.title,
        "columns": [table.columns[at] for at in kept],
        "lines": [[line[at] for at in kept] for line in lines],
        "same": [(table.columns[at].name, lines[0][at]) for at in sorted(alike)],
    }


def group_columns(store: Store, run_id: str) -> list[str]:
    """Return the columns that the problems of a run carry (`subject`, `level`), from its first one."""
    rows = queries.trajectories(store, run_id, limit=1)
    try:
        meta = json.loads(rows[0]["instance"]).get("meta") if rows else None
    except (ValueError, AttributeError):
        return []
    return [str(name) for name in meta][:MAX_COLUMNS] if isinstance(meta, dict) else []


def shown_columns(rows: Sequence[dict[str, Any]], options: dict[str, list[str]]) -> set[str]:
    """Return which of the columns strategy, model, solver and level differ in a run, or on a page of it, and so are worth their place."""
    found = {name for name, values in options.items() if len(values) > 1}
    return found | ({"level"} if len({row["level"] for row in rows}) > 1 else set())
