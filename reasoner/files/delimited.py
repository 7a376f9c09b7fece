r"""CSV and TSV as spreadsheets and scripts write them: the delimiter is found, quoted fields may hold line breaks.

    delimited('question;answer\n"1;2?";3\n')  ->  rows [(2, {"question": "1;2?", "answer": "3"})]

A quote that is never closed spoils its own line only: reading goes on at the next one.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reasoner.files.faults import Fault
from reasoner.files.lines import ENDS, Line, undecoded

if TYPE_CHECKING:
    from collections.abc import Collection

DELIMITERS = (",", "\t", ";", "|")
MAX_LINES = 2000
"""A quoted field may go over this many lines; a quote that is open for longer was never meant as one."""
MAX_FIELD_CHARS = 1 << 24
_SAMPLED = 25
_CHOICES = frozenset("ABCDEFGHIJ")


@dataclass(slots=True)
class Table:
    """What was found: rows as (line, values by column), faults, the delimiter, and whether a first line named the columns."""

    delimiter: str
    header: bool = True
    rows: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def delimited(text: str, *, prefer: str = "", names: Collection[str] = ()) -> Table:
    """Read a table; see `reasoner.files.records.read_records` for `names`."""
    csv.field_size_limit(MAX_FIELD_CHARS)
    lines = ENDS.split(text)
    delimiter = _delimiter(lines, prefer)
    quoted = delimiter != "\t" or _quotes_are_whole(lines)
    cells, faults = _cells(lines, delimiter, quoted=quoted)
    table = Table(delimiter, faults=faults)
    if not cells:
        return table
    heads = [head.strip() for head in cells[0][1]]
    table.header = not names or any(len(head) > 1 and head.lower() in names for head in heads) or not _headless(cells)
    if table.header:
        cells = cells[1:]
        heads = [head or str(at) for at, head in enumerate(heads, start=1)]
    else:
        heads = [str(at) for at in range(1, _usual(cells) + 1)]
    for number, row in cells:
        if len(row) == len(heads):
            table.rows.append((number, dict(zip(heads, row, strict=True))))
        else:
            table.faults.append(Fault(number, 0, f"{len(row)} columns, {len(heads)} were expected"))
    table.faults.sort(key=lambda fault: fault.line)
    return table


def _headless(cells: list[tuple[int, list[str]]]) -> bool:
    """Tell whether a table of choices has no first line of names, as MMLU: every row, the first too, ends in the letter of a choice."""
    ends = [row[-1].strip() for _, row in cells if len(row) > 3]
    return bool(ends) and ends[0] in _CHOICES and sum(end in _CHOICES for end in ends) > 0.9 * len(ends)


def _usual(cells: list[tuple[int, list[str]]]) -> int:
    counts = [len(row) for _, row in cells]
    return max(set(counts), key=lambda n: (counts.count(n), n))


def _delimiter(lines: list[str], prefer: str) -> str:
    """Return the delimiter that cuts the beginning into the most columns, the same number in nearly every row."""
    best, best_score = prefer or ",", (0.0, 0)
    for delimiter in [prefer, *DELIMITERS] if prefer else DELIMITERS:
        cells, _ = _cells(lines[:_SAMPLED], delimiter, quoted=True)
        if not cells:
            continue
        usual = _usual(cells)
        share = sum(len(row) == usual for _, row in cells) / len(cells)
        score = (round(share, 1), usual) if usual > 1 else (0.0, 0)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _quotes_are_whole(lines: list[str]) -> bool:
    """Tell whether every field that begins with a quote ends with one: else quotes are text, as in most TSV files."""
    fields = (each for line in lines[:500] for each in line.split("\t"))
    opened = [each for each in fields if each.startswith('"')]
    return bool(opened) and all(len(each) > 1 and each.endswith('"') for each in opened)


def _cells(lines: list[str], delimiter: str, *, quoted: bool) -> tuple[list[tuple[int, list[str]]], list[Fault]]:
    """Cut lines into rows of cells; the column counts of single rows are not looked at, but a quote must not swallow other rows."""
    found: list[tuple[int, list[str]]] = []
    faults: list[Fault] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            at += 1
            continue
        if fault := undecoded(Line(at + 1, line)):
            faults.append(fault)
            at += 1
            continue
        if not quoted:
            found.append((at + 1, line.split(delimiter)))
            at += 1
            continue
        end = _closed(lines, at)
        row = _row("\n".join(lines[at:end]), delimiter) if end else None
        if row is None or (end > at + 1 and found and len(row) != len(found[0][1])):
            # A quote out of place: this line alone is lost.
            faults.append(Fault(at + 1, line.find('"') + 1, "a quote that is not closed"))
            at += 1
            continue
        found.append((at + 1, row))
        at = end
    return found, faults


def _closed(lines: list[str], at: int) -> int:
    """Return the place behind the line at which the quotes of a row are closed; 0 where they never are."""
    n_quotes = 0
    for end in range(at, min(len(lines), at + MAX_LINES)):
        n_quotes += lines[end].count('"')
        if n_quotes % 2 == 0:
            return end + 1
    return 0


def _row(text: str, delimiter: str) -> list[str] | None:
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=False), None) if "\n" not in text else _long_row(text, delimiter)
    except csv.Error:
        return None


def _long_row(text: str, delimiter: str) -> list[str] | None:
    rows = list(csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=False))
    return rows[0] if len(rows) == 1 else None
