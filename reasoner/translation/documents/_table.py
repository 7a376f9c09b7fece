"""Tables (CSV, TSV): one column is filled from another; rows, quotes, line ends and all other cells stay.

    id;english;ladin
    1;"Good, day";       ->  1;"Good, day";Bun dé          with `column="ladin"`, the text from the column `english`

The first line names the columns, behind `sep=;` where a spreadsheet wrote that. A row with another number of cells, or a quote out of place, is told and stays. What a spreadsheet would take
for a formula gets an apostrophe before it. A table has no mark for what a person should look at; the command's report names these cells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reasoner.errors import BadConfig, CorruptRecord
from reasoner.text import clean, shorten
from reasoner.translation.documents._bytes import TextDocument, opened
from reasoner.translation.documents._spans import Done, Filled, Unit, has_words, put_away_lines, spliced
from reasoner.translation.readers.tables import delimiter_of, has_quotes, told_delimiter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_QUOTED = r'"(?P<quoted>[^"]*(?:""[^"]*)*)"'
_FORMULA = "=+-@"


@dataclass(frozen=True, slots=True)
class _Cell:
    start: int
    end: int
    text: str


class Table(TextDocument):
    """One table."""

    def __init__(self, data: bytes, path: Path, *, source: str, column: str) -> None:
        """Read it; `source` and `column` name the column of the texts and the one to fill.

        Raises:
            BadConfig: it has no such column.
            CorruptRecord: it is no text (see `opened`), or empty.
        """
        self.original = opened(data, path)
        self._text = self.original.text
        self._quotes = has_quotes(path.suffix.lower(), self.original.charset)
        told = told_delimiter(self._text.partition("\n")[0]) if self._quotes else ""
        self._start = self._text.find("\n") + 1 if told else 0
        self._delimiter = told or (delimiter_of(self._text.partition("\n")[0]) if self._quotes else "\t")
        plain = rf"[^{re.escape(self._delimiter)}\r\n]*"
        self._pattern = re.compile(rf"{_QUOTED}|(?P<plain>(?!\"){plain})" if self._quotes else rf"(?P<quoted>(?!))|(?P<plain>{plain})")
        self.units: list[Unit] = []
        self.done: list[Done] = []
        self.left: list[str] = []
        self._places: list[tuple[_Cell, str]] = []
        rows = self._rows()
        _, head = next(rows, (1, None))
        if not head:
            raise CorruptRecord(path, 1, "its first line names no columns")
        names = [cell.text.strip() for cell in head]
        for name in (source, column):
            if name not in names:
                raise BadConfig(f"{path} has no column {name[:40]!r}", hint=f"its columns are: {shorten(clean(', '.join(names)), 200)}")
        self._fill(rows, len(names), names.index(source), names.index(column))

    def _fill(self, rows: Iterator[tuple[int, list[_Cell] | None]], n_columns: int, source: int, column: int) -> None:
        for line, cells in rows:
            if cells is None or len(cells) != n_columns:
                what = "a quote is out of place" if cells is None else f"{len(cells)} columns, the head has {n_columns}"
                self.left.append(f"line {line}: {what}")
            elif own := cells[column].text.strip():
                self.done.append(Done(len(self.units), cells[source].text.strip(), own))
            else:
                unit = put_away_lines(cells[source].text.strip(), line)
                if has_words(unit):
                    self.units.append(unit)
                    self._places.append((cells[column], cells[source].text))

    def _rows(self) -> Iterator[tuple[int, list[_Cell] | None]]:
        """Yield each row with its line; a row that cannot be cut spoils its own line only."""
        text, at, line, n_cells = self._text, self._start, 2 if self._start else 1, 0
        while at < len(text):
            cells, end = self._row(at)
            own = re.compile(r"[^\n]*\n?").match(text, at)
            own_end = own.end() if own else len(text)
            if end > own_end and n_cells and len(cells or ()) != n_cells:
                cells = None
            if cells is None:
                end = own_end
            n_cells = n_cells or len(cells or ())
            if text[at:end].strip("\r\n"):
                yield line, cells
            line += text.count("\n", at, end)
            at = end

    def _row(self, at: int) -> tuple[list[_Cell] | None, int]:
        """Return the cells of the row that begins at a place, and where the next one begins."""
        text, cells = self._text, []
        while True:
            found = self._pattern.match(text, at)
            if found is None:
                return None, at
            quoted = found["quoted"]
            cells.append(_Cell(found.start(), found.end(), found["plain"] or "" if quoted is None else quoted.replace('""', '"')))
            at = found.end()
            if text.startswith(self._delimiter, at):
                at += 1
                continue
            ended = re.compile(r"\r?\n|\r?\Z").match(text, at)
            return (cells, ended.end()) if ended else (None, at)

    def written(self, filled: Mapping[int, Filled]) -> bytes:
        """Return the table with translations in their cells."""
        changes = []
        for number, translation in filled.items():
            cell, source = self._places[number]
            text, _ = self.put_back(number, translation.text)
            changes.append((cell.start, cell.end, self._spelt(text, source)))
        return self.original.encoded(spliced(self._text, changes))

    def _spelt(self, text: str, source: str) -> str:
        if text[:1] in _FORMULA and source.strip()[:1] != text[:1]:
            text = f"'{text}"
        if not self._quotes:
            return " ".join(text.split())
        return '"' + text.replace('"', '""') + '"' if re.search(rf'["\r\n{re.escape(self._delimiter)}]', text) else text
