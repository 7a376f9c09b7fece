"""A drawing (`reasoner.drawing`) in the terminal: tables, grids, chains, vessels. What is wrong is told by a sign as well as by colour.

9 (+ 1) → 10 (× 2) → 20 ★
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reasoner.cli.output import safe
from reasoner.drawing import Chain, Grid, Table, Vessels

if TYPE_CHECKING:
    from reasoner.drawing import Cell, Drawing

MAX_PARTS = 40
MAX_CELL_CHARS = 60
MARK = " ★"


def lines_of(drawing: Drawing) -> list[Any]:
    """Return what is printed of a drawing, part by part, its title first."""
    title = safe(drawing.title, style="bold", n_chars=200)
    match drawing:
        case Vessels():
            states = ("  ".join(f"{v.holds}/{v.size}{MARK if v.marked else ''}" for v in state) for state in drawing.states[:MAX_PARTS])
            return [title, safe("  →  ".join(states))]
        case Chain():
            stops = [
                f"({stop.by}) → {stop.text}" if n and stop.by else f"→ {stop.text}" if n else stop.text
                for n, stop in enumerate(drawing.stops[:MAX_PARTS])
            ]
            marked = MARK if drawing.stops and drawing.stops[-1].marked else ""
            return [title, safe(" ".join(stops) + marked)]
        case Grid():
            return [title, *(safe(" ".join(_letter(cell) for cell in row[:MAX_PARTS])) for row in drawing.rows[:MAX_PARTS])]
        case Table():
            return [
                title,
                _table(drawing),
                *(safe(f"{name}: {note}", style="dim", n_chars=160) for name, note in drawing.notes[:MAX_PARTS]),
            ]


def _letter(cell: Cell) -> str:
    """Write a cell of a grid; a wrong one behind a sign."""
    return f" {cell.text or '·'}" if cell.right else f"✕{cell.text or '·'}"


def _table(drawing: Table) -> Any:
    from rich.table import Table as RichTable  # noqa: PLC0415

    made = RichTable(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
    for name in drawing.head[:MAX_PARTS]:
        made.add_column(safe(name, n_chars=MAX_CELL_CHARS), overflow="fold")
    for row in drawing.rows[:MAX_PARTS]:
        cells = row[: min(MAX_PARTS, len(drawing.head))]
        made.add_row(
            *(
                safe(cell.text, n_chars=2 * MAX_CELL_CHARS)
                if cell.right
                else safe(f"✕ {cell.text or '·'}", n_chars=2 * MAX_CELL_CHARS, style="red")
                for cell in cells
            )
        )
    return made
