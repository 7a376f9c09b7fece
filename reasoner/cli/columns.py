"""Tables that fit a terminal: numbers and ids are never cut; columns that matter least are left out, and texts share what room is left.

fitted([Fit("run"), Fit("question", text=True), Fit("models", text=True, drop=1)], rows, width=80)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

MIN_TEXT = 14
"""A text column has at least so many cells, or all it needs where that is less."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A column. `text` may be shortened; of columns with a `drop`, the one with the greatest is left out first where there is no room."""

    name: str
    text: bool = False
    drop: int = 0
    right: bool = False


def fitted(columns: Sequence[Fit], rows: Sequence[Sequence[Text]], *, width: int) -> Any:
    """Return a rich table of at most `width` cells: one line a row, texts ended by an ellipsis where they are shortened, empty columns left out."""
    from rich.table import Table  # noqa: PLC0415

    needs = [max([cell_len(column.name), *(row[at].cell_len for row in rows)]) for at, column in enumerate(columns)]
    filled = [at for at in range(len(columns)) if not rows or any(row[at].plain for row in rows)]
    kept = _kept(columns, filled, needs, width)
    given = _shares(
        {at: needs[at] for at in kept if columns[at].text}, width - sum(needs[at] for at in kept if not columns[at].text) - len(kept) + 1
    )
    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0), pad_edge=False)
    for at in kept:
        size = given.get(at, needs[at])
        table.add_column(
            columns[at].name,
            justify="right" if columns[at].right else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=size,
            max_width=size,
        )
    for row in rows:
        table.add_row(*(row[at] for at in kept))
    return table


def _kept(columns: Sequence[Fit], filled: Sequence[int], needs: Sequence[int], width: int) -> list[int]:
    kept = list(filled)

    def least() -> int:
        return sum(min(needs[at], MIN_TEXT) if columns[at].text else needs[at] for at in kept) + len(kept) - 1

    while least() > width:
        droppable = [at for at in kept if columns[at].drop]
        if not droppable:
            break
        kept.remove(max(droppable, key=lambda at: columns[at].drop))
    return kept


def _shares(needs: dict[int, int], room: int) -> dict[int, int]:
    """Share room among texts: those that need less than their part get what they need, the others share the rest alike."""
    shares: dict[int, int] = {}
    for n_left, (at, need) in zip(range(len(needs), 0, -1), sorted(needs.items(), key=lambda item: item[1]), strict=True):
        shares[at] = max(1, min(need, room // n_left))
        room -= shares[at]
    return shares
