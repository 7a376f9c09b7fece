"""What is wrong with one row of a file, and the one message that says so.

complaint(Path("a.jsonl"), [Fault(3, 12, "Expecting ',' delimiter")], n_rows=20)
->  "a.jsonl, line 3, column 12: Expecting ',' delimiter (1 of 20 rows cannot be used)"
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reasoner.errors import CorruptRecord

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Fault:
    """One row that cannot be used. Lines and columns count from 1; column 0 is not known."""

    line: int
    column: int
    why: str

    def __str__(self) -> str:
        where = f"line {self.line}, column {self.column}" if self.column else f"line {self.line}"
        return f"{where}: {self.why}"


def complaint(path: Path | str, faults: Sequence[Fault], n_rows: int) -> CorruptRecord:
    """Return the error that names the first fault and counts them all; `n_rows` are all rows of the file, usable or not."""
    first = faults[0]
    rows = "row" if n_rows == 1 else "rows"
    return CorruptRecord(path, first.line, f"{first.why} ({len(faults)} of {n_rows} {rows} cannot be used)", column=first.column)
