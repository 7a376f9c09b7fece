"""Tables: TSV, CSV (comma, semicolon, tab), cells separated by `|||`, sheets of spreadsheets, and files aligned by line.

    read_table(Path("rows.csv"), Wanted({"Italian": "it", "Ladin": ("lld", "ladin")}))
    read_table(Path("terms.tsv"), Wanted({"Italian": "1", "Ladin": "2"}))         numbers: there is no head

A row with another number of cells than the first, or with a quote that is not closed, is one fault; the rest is read.
"""

from __future__ import annotations

import csv
import re
import warnings
import zipfile
from collections import deque
from contextlib import ExitStack
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, TextIO
from xml.etree.ElementTree import ParseError

from reasoner.errors import BadConfig, CorruptRecord, DataError, MissingDependency
from reasoner.text import clean, shorten
from reasoner.translation.readers._opening import opened
from reasoner.translation.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from reasoner.translation.rows import Wanted

BARS = "|||"
QUOTE_FAULT = "a quote is not closed, or stands inside a quoted cell"
MAX_QUOTED_LINES = 100
"""A quoted cell may go over this many lines."""
MAX_SHEET_BYTES = 1 << 31
"""A spreadsheet that unpacks to more is refused."""

Numbered = tuple[int, "list[str] | None"]
"""A row's line and its cells; None where a quote is not closed."""


def read_moses(files: Mapping[str, Path]) -> Iterator[Row]:
    """Read files whose lines are aligned by number; where one ends before the others, each line without a partner is a fault.

    Raises:
        DataError: a file cannot be opened.
    """
    with ExitStack() as stack:
        paths = list(files.values())
        streams = [stack.enter_context(opened(path))[0] for path in paths]
        for number, lines in enumerate(zip_longest(*streams), start=1):
            missing = [path for path, line in zip(paths, lines, strict=True) if line is None]
            if missing:
                longer = next(str(path) for path, line in zip(paths, lines, strict=True) if line is not None)
                yield Row(longer, number, fault="unequal length", what=f"{missing[0]} has no line {number}")
            else:
                yield Row(str(paths[0]), number, tuple(str(line).rstrip("\r\n") for line in lines))


def read_table(path: Path, wanted: Wanted) -> Iterator[Row]:
    """Read a table by its ending. Its first line names the columns, unless they are asked for by number, or cells are separated by `|||`.

    Raises:
        DataError: the file cannot be opened or is empty.
        BadConfig: it has no such column.
    """
    with opened(path) as (file, encoding):
        rows, in_order = _cut(path, file, encoding)
        yield from _rows(path, rows, wanted, in_order=in_order)


def table_rows(path: Path) -> Iterator[Numbered]:
    """Yield the rows of a table with the line of each, cut as its ending says; the line that names the columns is the first.

    Raises:
        DataError: the file cannot be opened or is empty.
    """
    with opened(path) as (file, encoding):
        yield from _cut(path, file, encoding)[0]


def _cut(path: Path, file: TextIO, encoding: str) -> tuple[Iterator[Numbered], bool]:
    """Return the rows of a table, and whether its cells are separated by `|||`, so that no line names the columns."""
    ending = path.with_suffix("").suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    first = next(file, None)
    if first is None:
        raise DataError(f"{path} is empty", hint="its first line names the columns")
    lines = chain([first], file)
    if ending == ".txt" and BARS in first:
        return ((n, line.rstrip("\r\n").split(BARS)) for n, line in enumerate(lines, start=1)), True
    if has_quotes(ending, encoding):
        told = told_delimiter(first)
        return (_quoted(file, told, start=2) if told else _quoted(lines, delimiter_of(first))), False
    return ((n, line.rstrip("\r\n").split("\t")) for n, line in enumerate(lines, start=1)), False


def read_sheet(path: Path, wanted: Wanted) -> Iterator[Row]:
    """Read the first sheet of a spreadsheet (.xlsx).

    Raises:
        DataError: it cannot be opened, or is none.
        BadConfig: it has no such column.
        MissingDependency: openpyxl is not installed.
    """
    try:
        import openpyxl  # noqa: PLC0415 - an optional extra
        from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependency("openpyxl, which reads spreadsheets,", extra="translation") from error
    try:
        with zipfile.ZipFile(path) as packed:
            if sum(part.file_size for part in packed.infolist()) > MAX_SHEET_BYTES:
                raise DataError(f"{path} unpacks to more than {MAX_SHEET_BYTES >> 20} MiB", hint="split it")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that no text depends on
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            values = book.worksheets[0].iter_rows(values_only=True) if book.worksheets else iter(())
            rows = ((n, ["" if cell is None else str(cell) for cell in row]) for n, row in enumerate(values, start=1))
            yield from _rows(path, ((n, row) for n, row in rows if any(row)), wanted)
        finally:
            book.close()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}", hint="name a file that exists") from error
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, ParseError) as error:
        raise CorruptRecord(path, 1, f"it is no whole spreadsheet: {shorten(clean(str(error)), 100)}") from error


def _rows(path: Path, rows: Iterator[Numbered], wanted: Wanted, *, in_order: bool = False) -> Iterator[Row]:
    head = next(rows, None)
    if head is None or head[1] is None:
        raise DataError(f"{path} has no first line that can be read", hint="its first line names the columns")
    names = [name.strip() for name in head[1]]
    for name in names:
        wanted.saw(name)
    at = _named(names, wanted)
    if at is None and (at := _numbered(wanted, in_order=in_order)) is not None:
        rows = chain([head], rows)
    if at is None:
        lacking = next(each for each in wanted.names if not set(each) & set(names))
        raise BadConfig(
            f"{path} has no column {' or '.join(map(repr, lacking))}",
            hint=f"its columns are: {shorten(clean(', '.join(names)), 200)}; a file without names of columns is read by numbers, NAME=1",
        )
    if max(at) >= len(names):
        raise BadConfig(f"{path} has no column {max(at) + 1}", hint=f"its first line has {len(names)}")
    for number, cells in rows:
        if cells is None:
            yield Row(str(path), number, fault="columns", what=QUOTE_FAULT)
        elif len(cells) != len(names):
            yield Row(str(path), number, fault="columns", what=f"{len(cells)} columns, the head has {len(names)}")
        else:
            yield Row(str(path), number, tuple(cells[i] for i in at))


def _named(names: Sequence[str], wanted: Wanted) -> list[int] | None:
    found = [next((names.index(name) for name in each if name in names), -1) for each in wanted.names]
    return None if -1 in found else found


def _numbered(wanted: Wanted, *, in_order: bool) -> list[int] | None:
    """Return the columns that are asked for by number, or with `in_order` those of the languages as they were named."""
    digits = [next((name for name in each if name.isascii() and name.isdigit() and name != "0"), "") for each in wanted.names]
    if all(digits):
        return [int(each[:6]) - 1 for each in digits]
    return list(range(len(digits))) if in_order else None


def has_quotes(ending: str, encoding: str) -> bool:
    """Tell whether quotes in a table are no text: in CSV, and in the UTF-16 that spreadsheets write, with tabs."""
    return ending == ".csv" or encoding.startswith("utf-16")


def delimiter_of(head: str) -> str:
    """Return what separates the cells of a head: the sign of these that is there most often."""
    return max(",;\t|", key=head.count)


def told_delimiter(first: str) -> str:
    """Return what a first line `sep=;`, which spreadsheets write before the head, says that separates cells; empty where it is none."""
    found = re.fullmatch(r"\s*\"?sep=([^\s\w\"]|\t)\"?\s*", first.removeprefix("\ufeff").rstrip("\r\n"), re.IGNORECASE)
    return found[1] if found else ""


def _quoted(lines: Iterable[str], delimiter: str, *, start: int = 1) -> Iterator[Numbered]:
    """Cut lines into rows. A quote that is never closed, or closes where the row is of another length, spoils its own line only."""
    numbered = iter(enumerate(lines, start=start))
    again: deque[tuple[int, str]] = deque()
    n_cells = 0

    def following() -> tuple[int, str] | None:
        return again.popleft() if again else next(numbered, None)

    while (begun := following()) is not None:
        number, line = begun
        if not line.strip():
            continue
        group, row = [begun], _row([line], delimiter)
        n_quotes = line.count('"')
        while row is None and n_quotes % 2 and len(group) < MAX_QUOTED_LINES and (more := following()) is not None:
            group.append(more)
            n_quotes += more[1].count('"')
            row = None if n_quotes % 2 else _row([text for _, text in group], delimiter)
        if len(group) > 1 and (row is None or (n_cells and len(row) != n_cells)):
            row = None
            again.extendleft(reversed(group[1:]))
        n_cells = n_cells or len(row or ())
        yield number, row


def _row(lines: list[str], delimiter: str) -> list[str] | None:
    try:
        rows = list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None
