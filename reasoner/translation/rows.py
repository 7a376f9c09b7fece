"""What a usable row of aligned sentences is. What is wrong with the others is reported, never silently dropped.

    report = Report()
    for row in checked(read(Path("seed.tmx"), Wanted({"Italian": "it", "Ligurian": "lij"})), report):
        row.cells      ("La mela è rossa.", "A meia a l'é rossa.")

Knows rows; `reasoner.translation.readers` knows the files they come from.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from reasoner.errors import CorruptRecord
from reasoner.text import clean, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

Kind = Literal[
    "columns", "empty side", "encoding", "unequal length", "not JSON", "too long", "untranslated", "in doubt",
    "control character", "duplicate", "no row taken",
]  # fmt: skip

SKIPPED: frozenset[Kind] = frozenset(
    ["columns", "empty side", "encoding", "unequal length", "not JSON", "too long", "untranslated", "in doubt"]
)
"""Rows with these faults are left out; those with the others are kept (control characters become blanks)."""
MAX_CELL_CHARS = 1 << 16
MAX_NAMES = 40
"""Names of columns and languages of a file that are kept for telling."""
MAX_FAULTS = 10_000
"""Faults kept with their place; all are counted."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the input, and where."""

    kind: Kind
    file: str
    line: int
    what: str

    def __str__(self) -> str:
        where = f"{self.file}, line {self.line}" if self.line else self.file
        return f"{where}: {self.kind}: {self.what}"


@dataclass
class Report:
    """What was read and what was wrong with it."""

    n_rows: int = 0
    """Rows that can be used."""
    counts: Counter[Kind] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)

    def note(self, kind: Kind, file: Path | str, line: int, what: str) -> None:
        """Count a fault; keep its place while there is room."""
        self.counts[kind] += 1
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(kind, str(file), line, what))

    @property
    def n_skipped(self) -> int:
        """Rows that were left out."""
        return sum(n for kind, n in self.counts.items() if kind in SKIPPED)


@dataclass(frozen=True, slots=True)
class Row:
    """One aligned line, or what is wrong with it."""

    file: str
    line: int
    cells: tuple[str, ...] = ()
    fault: Kind | None = None
    what: str = ""


class Wanted:
    """The languages of a corpus, and what each may be called in a file: a column, a key, a language code; the first that the file has."""

    def __init__(self, columns: Mapping[str, str | Sequence[str]]) -> None:
        self.languages = tuple(columns)
        self.names = tuple((names,) if isinstance(names, str) else tuple(names) for names in columns.values())
        self.found: dict[str, None] = {}
        """Names that the file has, in the order they were met."""

    def saw(self, name: str) -> None:
        """Note a name of the file, so that it can be told where the file gives nothing."""
        if len(self.found) < MAX_NAMES:
            self.found.setdefault(shorten(clean(name), 40))

    def side(self, code: str) -> int | None:
        """Return the number of the language that a code of the file means; `it` also takes `it-IT`."""
        code = code.lower().replace("_", "-")
        for number, names in enumerate(self.names):
            if any(code == name.lower().replace("_", "-") or code.partition("-")[0] == name.lower() for name in names):
                return number
        return None

    def why_nothing(self) -> str:
        """Say what was looked for, and what the file has."""
        asked = ", ".join("|".join(names) for names in self.names)
        return f"looked for {asked}; the file has {', '.join(self.found) or 'no name of a column or language'}"


def checked(rows: Iterable[Row], report: Report, *, strict: bool = False, seen: set[int] | None = None) -> Iterator[Row]:
    """Yield the usable rows with clean cells, and report every fault. `seen` are hashes of rows of files before.

    Raises:
        CorruptRecord: `strict`, and a row cannot be used.
    """
    seen = set() if seen is None else seen
    for row in rows:
        fault, what = (row.fault, row.what) if row.fault else _fault(row.cells)
        if fault:
            report.note(fault, row.file, row.line, what)
            if strict:
                raise CorruptRecord(row.file, row.line, f"{fault}: {what}", hint="without `strict` it is left out and the rest is read")
            continue
        cells = tuple(_without_controls(cell) for cell in row.cells)
        if cells != row.cells:
            first = next(cell for cell, after in zip(row.cells, cells, strict=True) if cell != after)
            report.note("control character", row.file, row.line, f"made a blank in {_shown(first)}")
        cells = tuple(cell.strip() for cell in cells)
        if not all(cells):
            report.note("empty side", row.file, row.line, f"side {1 + [bool(c) for c in cells].index(False)} holds no text")
            continue
        key = hash(cells)
        if key in seen:
            report.note("duplicate", row.file, row.line, f"kept: {_shown(cells[0])}")
        seen.add(key)
        report.n_rows += 1
        yield Row(row.file, row.line, cells)


def _fault(cells: Sequence[str]) -> tuple[Kind | None, str]:
    for number, cell in enumerate(cells, start=1):
        if not cell.isascii() and any("\ud800" <= c <= "\udfff" for c in cell):
            return "encoding", f"side {number} is not UTF-8"
        if len(cell) > MAX_CELL_CHARS:
            return "too long", f"side {number} has {len(cell):,} characters, at most {MAX_CELL_CHARS:,} are read"
        if not cell.strip():
            return "empty side", f"side {number} is empty"
    return None, ""


def _without_controls(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in text)


def _shown(text: str) -> str:
    return f"'{shorten(clean(text), 60)}'"
