"""Read aligned sentences: TSV, CSV, JSON Lines, pairs of line-aligned files (Moses), TMX, TBX. What is wrong is reported, never silently dropped.

    report = Report()
    for row in checked(read_moses({"Italian": Path("seed.ita"), "Ligurian": Path("seed.lij")}), report):
        row.cells      ("La mela è rossa.", "A meia a l'é rossa.")

Knows file formats and what a usable row is; does not know words, indexes or languages. All files are UTF-8.
"""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice, product, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from xml.parsers import expat

from reasoner.errors import BadConfig, CorruptRecord, DataError
from reasoner.text import clean, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import TextIO

Kind = Literal["columns", "empty side", "encoding", "unequal length", "not JSON", "too long", "control character", "duplicate"]

SKIPPED: frozenset[Kind] = frozenset(["columns", "empty side", "encoding", "unequal length", "not JSON", "too long"])
"""Rows with these faults are left out; those with the others are kept (control characters become blanks)."""
MAX_CELL_CHARS = 1 << 16
MAX_FORMS = 64
"""Combinations of one concept's terms that are read."""
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
        return f"{self.file}, line {self.line}: {self.kind}: {self.what}"


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


def checked(rows: Iterable[Row], report: Report) -> Iterator[Row]:
    """Yield the usable rows with clean cells, and report every fault."""
    seen: set[int] = set()
    for row in rows:
        fault, what = (row.fault, row.what) if row.fault else _fault(row.cells)
        if fault:
            report.note(fault, row.file, row.line, what)
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


def _open(path: Path, *, newline: str = "\n") -> TextIO:
    try:
        return path.open(encoding="utf-8-sig", errors="surrogateescape", newline=newline)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", hint="name a file that exists") from error


def read_moses(files: Mapping[str, Path]) -> Iterator[Row]:
    """Read files whose lines are aligned by number; where one ends before the others, each line without a partner is a fault.

    Raises:
        DataError: a file cannot be opened.
    """
    opened = {path: _open(path) for path in files.values()}
    try:
        for number, lines in enumerate(zip_longest(*opened.values()), start=1):
            missing = [path for path, line in zip(opened, lines, strict=True) if line is None]
            where = str(next(iter(opened)))
            if missing:
                longer = next(str(path) for path, line in zip(opened, lines, strict=True) if line is not None)
                yield Row(longer, number, fault="unequal length", what=f"{missing[0]} has no line {number}")
            else:
                yield Row(where, number, tuple(str(line).rstrip("\r\n") for line in lines))
    finally:
        for file in opened.values():
            file.close()


def read_table(path: Path, columns: Mapping[str, str]) -> Iterator[Row]:
    """Read a TSV (no quoting) or CSV (by its ending) whose first line names the columns; `columns`: language -> column.

    Raises:
        DataError: the file cannot be opened or has no head.
        BadConfig: it has no such column.
    """
    is_csv = path.suffix.lower() == ".csv"
    with _open(path, newline="" if is_csv else "\n") as file:
        rows = _csv_rows(file, path) if is_csv else ((n, line.rstrip("\r\n").split("\t")) for n, line in enumerate(file, start=1))
        head = next(rows, None)
        if head is None:
            raise DataError(f"{path} is empty", hint="its first line names the columns")
        names = [name.strip() for name in head[1]]
        lacking = [column for column in columns.values() if column not in names]
        if lacking:
            raise BadConfig(f"{path} has no column {lacking[0]!r}", hint=f"its columns are: {shorten(clean(', '.join(names)), 200)}")
        at = [names.index(column) for column in columns.values()]
        for number, cells in rows:
            if len(cells) != len(names):
                yield Row(str(path), number, fault="columns", what=f"{len(cells)} columns, the head has {len(names)}")
            else:
                yield Row(str(path), number, tuple(cells[i] for i in at))


def _csv_rows(file: TextIO, path: Path) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(file, strict=True)
    number = 1
    try:
        for cells in reader:
            yield number, cells
            number = reader.line_num + 1
    except csv.Error as error:
        raise CorruptRecord(path, reader.line_num, f"not CSV: {error}") from error


def read_jsonl(path: Path, fields: Mapping[str, str]) -> Iterator[Row]:
    """Read JSON Lines; `fields`: language -> key of the object on each line.

    Raises:
        DataError: the file cannot be opened.
    """
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            value = _object(line)
            if value is None:
                yield Row(str(path), number, fault="not JSON", what="no JSON object")
                continue
            cells = [value.get(key) for key in fields.values()]
            strings = tuple(cell for cell in cells if isinstance(cell, str))
            if len(strings) != len(cells):
                lacking = next(key for key, cell in zip(fields.values(), cells, strict=True) if not isinstance(cell, str))
                yield Row(str(path), number, fault="columns", what=f"no text under {lacking!r}")
            else:
                yield Row(str(path), number, strings)


def _object(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


class _Tmx:
    """Collects the segments of a TMX file as the parser meets them."""

    def __init__(self, path: Path, languages: Sequence[str], codes: Sequence[str]) -> None:
        self.path = path
        self.languages = languages
        self.codes = [code.lower() for code in codes]
        self.rows: list[Row] = []
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.EntityDeclHandler = self._refuse
        self._unit: dict[int, str] = {}
        self._line = 0
        self._variant: int | None = None
        self._segment: list[str] | None = None

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "tu":
            self._unit, self._line = {}, self.parser.CurrentLineNumber
        elif tag == "tuv":
            code = (attributes.get("xml:lang") or attributes.get("lang") or "").lower()
            self._variant = next((n for n, c in enumerate(self.codes) if code == c or re.split("[-_]", code)[0] == c), None)
        elif tag == "seg":
            self._segment = []

    def _text(self, text: str) -> None:
        if self._segment is not None:
            self._segment.append(text)

    def _end(self, tag: str) -> None:
        if tag == "seg" and self._segment is not None:
            if self._variant is not None:
                self._unit.setdefault(self._variant, "".join(self._segment))
            self._segment = None
        elif tag == "tu":
            lacking = [language for n, language in enumerate(self.languages) if n not in self._unit]
            if lacking:
                self.rows.append(Row(str(self.path), self._line, fault="empty side", what=f"no {lacking[0]}"))
            else:
                self.rows.append(Row(str(self.path), self._line, tuple(self._unit[n] for n in range(len(self.codes)))))

    def _refuse(self, *_: object) -> None:
        raise CorruptRecord(self.path, self.parser.CurrentLineNumber, "it declares entities, which a TMX file has no need of")


def read_tmx(path: Path, codes: Mapping[str, str]) -> Iterator[Row]:
    """Read a TMX file; `codes`: language -> `xml:lang` (`it` also takes `it-IT`). Entity declarations are refused.

    Raises:
        DataError: the file cannot be opened, or is no well-formed XML.
    """
    yield from _parsed(_Tmx(path, list(codes), list(codes.values())), path)


def _parsed(made: _Tmx | _Tbx, path: Path) -> Iterator[Row]:
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 16):
                made.parser.Parse(chunk, False)  # noqa: FBT003 - the parser's own signature
                yield from made.rows
                made.rows.clear()
            made.parser.Parse(b"", True)  # noqa: FBT003
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", hint="name a file that exists") from error
    except expat.ExpatError as error:
        raise CorruptRecord(path, error.lineno, f"not well-formed XML: {expat.ErrorString(error.code)}") from error
    yield from made.rows


class _Tbx:
    """Collects the terms of a TBX file: `termEntry` with `langSet` (TBX 2) or `conceptEntry` with `langSec` (TBX 3)."""

    def __init__(self, path: Path, languages: Sequence[str], codes: Sequence[str]) -> None:
        self.path, self.languages = path, languages
        self.codes = [code.lower() for code in codes]
        self.rows: list[Row] = []
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler, self.parser.EndElementHandler = self._start, self._end
        self.parser.CharacterDataHandler, self.parser.EntityDeclHandler = self._text, self._refuse
        self._line = 0
        self._terms: list[list[str]] = []
        self._language: int | None = None
        self._term: list[str] | None = None

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag in {"termEntry", "conceptEntry"}:
            self._line, self._terms, self._language = self.parser.CurrentLineNumber, [[] for _ in self.codes], None
        elif tag in {"langSet", "langSec"}:
            code = (attributes.get("xml:lang") or "").lower()
            self._language = next((n for n, c in enumerate(self.codes) if code == c or re.split("[-_]", code)[0] == c), None)
        elif tag == "term" and self._language is not None and self._terms:
            self._term = []

    def _text(self, text: str) -> None:
        if self._term is not None:
            self._term.append(text)

    def _end(self, tag: str) -> None:
        if tag == "term" and self._term is not None and self._language is not None:
            self._terms[self._language].append(" ".join("".join(self._term).split()))
            self._term = None
        elif tag in {"termEntry", "conceptEntry"}:
            lacking = [language for language, terms in zip(self.languages, self._terms, strict=True) if not terms]
            if lacking:
                self.rows.append(Row(str(self.path), self._line, fault="empty side", what=f"no {lacking[0]}"))
            else:
                self.rows += [Row(str(self.path), self._line, cells) for cells in islice(product(*self._terms), MAX_FORMS)]

    def _refuse(self, *_: object) -> None:
        raise CorruptRecord(self.path, self.parser.CurrentLineNumber, "it declares entities, which a TBX file has no need of")


def read_tbx(path: Path, codes: Mapping[str, str]) -> Iterator[Row]:
    """Read a TBX file; `codes`: language -> `xml:lang`. A concept with several terms of a language gives a row for each combination.

    Raises:
        DataError: the file cannot be opened, or is no well-formed XML.
    """
    yield from _parsed(_Tbx(path, list(codes), list(codes.values())), path)


def read(source: Path | Mapping[str, Path], columns: Mapping[str, str]) -> Iterator[Row]:
    """Read a file by its ending (`.tsv`, `.csv`, `.jsonl`, `.tmx`, `.tbx`), or a mapping of languages to line-aligned files.

    Raises:
        BadConfig: the ending is none of these.
        DataError: see the readers.
    """
    if not isinstance(source, Path):
        return read_moses(source)
    ending = source.suffix.lower()
    if ending in {".tsv", ".csv"}:
        return read_table(source, columns)
    if ending == ".jsonl":
        return read_jsonl(source, columns)
    if ending == ".tmx":
        return read_tmx(source, columns)
    if ending == ".tbx":
        return read_tbx(source, columns)
    raise BadConfig(
        f"cannot tell what kind of file {source} is", hint="it ends in .tsv, .csv, .jsonl, .tmx or .tbx; or use LANGUAGE=FILE pairs"
    )
