"""The rows of a file, whatever it is written in: JSON Lines, JSON, CSV, TSV, XML, Parquet, each also packed by gzip.

    read_records(Path("bbh.json"), root="examples")  ->  Records(kind="json", rows=(Record(1, {"input": ..., "target": ...}), ...), ...)

What a file is, is seen from its content; its name only decides between comma and tab where the content does not. One bad row is one fault
and takes no other row with it. Knows no column's meaning.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from reasoner.errors import BadConfig, MissingDependency
from reasoner.files.decoding import decode, read_bytes
from reasoner.files.delimited import delimited
from reasoner.files.elements import elements
from reasoner.files.faults import Fault
from reasoner.files.lines import lines_of, undecoded
from reasoner.files.spool import Spool, keep
from reasoner.files.streams import text_lines

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from reasoner.files.lines import Line

Kind = Literal["jsonl", "json", "csv", "tsv", "xml", "parquet"]

MAX_RECORD_CHARS = 1 << 24
"""A longer row of JSON is not read."""
NOT_ROWS = frozenset({"messages", "conversations", "conversation", "choices", "options", "tools", "turns"})
"""Lists that belong to one row, never the list of rows of an object."""


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON value")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
"""Made once, not for every row."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row: the line it begins at (in Parquet its number), its values by column, and the JSON it was read from, where it was."""

    line: int
    values: dict[str, Any]
    json: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Records:
    """The rows of a file, those that cannot be used, and how it was written. `header` is False for a table without a first line of names."""

    kind: Kind
    rows: Sequence[Record]
    faults: tuple[Fault, ...] = ()
    encoding: str = "utf-8"
    header: bool = True

    @property
    def n_rows(self) -> int:
        """All rows, usable or not."""
        return len(self.rows) + len(self.faults)


def read_records(path: Path, *, root: str = "", names: Collection[str] = (), hint: str = "") -> Records:
    """Read the rows of a file.

    Args:
        path: the file.
        root: the place of the list of rows in a JSON object, `data.examples`; found where there is only one.
        names: column names in lower case that tell the first line of a table from its rows. Where it holds none of them and every row ends
            in the letter of a choice, the columns are called "1", "2", ... and `header` is False; else the first line names the columns.
        hint: what to do where the file cannot be read.

    Raises:
        MissingAsset: the file cannot be read.
        BadConfig: `root` names no list, or there are several.
        MissingDependency: Parquet, and pyarrow is not installed.
    """
    if not root and (lines := text_lines(path, hint=hint)) is not None:
        rows_of_lines, faults_of_lines = _json_lines(lines)
        return Records("jsonl", rows_of_lines, tuple(faults_of_lines))
    raw, _ = read_bytes(path, hint=hint)
    if raw.startswith(b"PAR1"):
        return _parquet(raw)
    made = decode(raw)
    text = made.text
    begin = text.lstrip()[:1]
    if begin == "<":
        rows, faults = elements(text)
        return Records("xml", tuple(Record(*row) for row in rows), tuple(faults), made.encoding)
    if begin not in {"[", "{"}:
        tab = "\t" if path.name.removesuffix(".gz").lower().endswith((".tsv", ".tab")) else ""
        table = delimited(text, prefer=tab, names=names)
        kind: Kind = "tsv" if table.delimiter == "\t" else "csv"
        return Records(kind, tuple(Record(*row) for row in table.rows), tuple(table.faults), made.encoding, table.header)
    rows_, faults_, kind = _json(text, root)
    return Records(kind, rows_ if isinstance(rows_, Spool) else tuple(rows_), tuple(faults_), made.encoding)


def _json(text: str, root: str) -> tuple[Sequence[Record], list[Fault], Kind]:
    first = next(lines_of(text))
    if text.lstrip().startswith("{") and not root and _object(first.text) is not None and text.strip() != first.text.strip():
        return (*_json_lines(lines_of(text)), "jsonl")  # the first line is a whole object, and more lines follow
    try:
        whole = _DECODER.decode(text)
    except (ValueError, RecursionError):
        whole = None
    if isinstance(whole, dict):
        return (*_inside(whole, root), "json")
    if isinstance(whole, list) and not root:
        return (*_in_list(whole, text), "json")
    if whole is not None:
        raise BadConfig(f"the root {root!r} names nothing in a list", hint="leave --root out")
    if text.lstrip().startswith("["):
        return (*_array(text, text.index("[")), "json")
    if _object(first.text) is None and len(list(lines_of(text))) > 1 and _spread(text):
        begin = _damaged_list(text, root)
        if begin >= 0:
            return (*_array(text, begin), "json")
        where, why = _why(text)
        return [], [Fault(*where, why)], "json"
    return (*_json_lines(lines_of(text)), "jsonl")


def _spread(text: str) -> bool:
    """Tell whether a text is one object over several lines rather than one object a line."""
    return sum(line.text.lstrip().startswith("{") and line.text.rstrip().endswith("}") for line in lines_of(text)) < 2


def _json_lines(lines: Iterable[Line]) -> tuple[Sequence[Record], list[Fault]]:
    """Return the rows of the lines, many of them out of memory, and the lines that hold none."""
    faults: list[Fault] = []

    def rows() -> Iterator[Record]:
        for line in lines:
            fault = undecoded(line)
            values = None if fault else _object(line.text)
            if values is not None:
                yield Record(line.number, values, line.text)
            else:
                (_, column), why = _why(line.text)
                faults.append(fault or Fault(line.number, column, why))

    return keep(rows(), write=lambda record: (record.line, record.json), read=_read), faults


def _read(written: tuple[int, str]) -> Record:
    line, text = written
    return Record(line, _DECODER.decode(text))


def _object(text: str) -> dict[str, Any] | None:
    if len(text) > MAX_RECORD_CHARS:
        return None
    try:
        made = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return made if isinstance(made, dict) else None


def _why(text: str) -> tuple[tuple[int, int], str]:
    """Say why a text is no JSON object, with line and column."""
    if len(text) > MAX_RECORD_CHARS:
        return (1, 0), f"the row has {len(text):,} characters, at most {MAX_RECORD_CHARS:,} are read"
    try:
        _DECODER.decode(text)
    except json.JSONDecodeError as error:
        return (error.lineno, error.colno), f"no JSON: {error.msg}"
    except RecursionError:
        return (1, 0), "it nests too deep"
    except ValueError as error:
        return (1, 0), f"no JSON: {error}"
    return (1, 1), "it is no JSON object"


def _inside(whole: dict[str, Any], root: str) -> tuple[list[Record], list[Fault]]:
    """Return the rows of one object: the list at `root`, the one list of objects in it, or the object itself."""
    if root:
        found: Any = whole
        for part in root.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if not isinstance(found, list):
            known = ", ".join(name for name, value in whole.items() if isinstance(value, list)) or "none"
            raise BadConfig(f"the root {root!r} names no list of rows", hint=f"lists of the file: {known}")
        return _in_list(found, "")
    lists = {
        name: value
        for name, value in whole.items()
        if name.lower() not in NOT_ROWS and isinstance(value, list) and value and all(isinstance(each, dict) for each in value)
    }
    if len(lists) > 1:
        raise BadConfig(f"the file holds {len(lists)} lists of rows", hint=f"name one: --root {' or --root '.join(lists)}")
    if lists:
        return _in_list(next(iter(lists.values())), "")
    return [Record(1, whole)], []


def _in_list(rows: list[Any], text: str) -> tuple[list[Record], list[Fault]]:
    lines = _starts(text, len(rows)) if text else None
    kept: list[Record] = []
    faults: list[Fault] = []
    for at, row in enumerate(rows):
        line = lines[at] if lines else at + 1
        if isinstance(row, dict):
            kept.append(Record(line, row))
        else:
            faults.append(Fault(line, 0, f"row {at + 1} is no JSON object"))
    return kept, faults


def _starts(text: str, n: int) -> list[int] | None:
    """Return the line at which each of the n elements of a JSON array begins."""
    decoder = json.JSONDecoder()
    at, line, found = text.index("[") + 1, 1, []
    counted = 0
    for _ in range(n):
        while text[at] in " \t\r\n,":
            at += 1
        line += text.count("\n", counted, at)
        counted = at
        found.append(line)
        _, at = decoder.raw_decode(text, at)
    return found


def _damaged_list(text: str, root: str) -> int:
    """Return where the list of rows begins in an object that cannot be read whole: at its root, else the first list of objects; -1 for none."""
    key = rf'"{re.escape(root.rpartition(".")[2])}"\s{{0,20}}:\s{{0,20}}' if root else ""
    found = re.search(key + r"\[\s{0,100}\{", text)
    return -1 if found is None else text.index("[", found.start() + len(root))


def _array(text: str, begin: int) -> tuple[list[Record], list[Fault]]:
    """Read a damaged JSON array element by element; after a fault it goes on at the next object that is like a row before.

    A bracket that closes after a fault may be one inside the damaged element: reading goes on where another row follows.
    """
    rows: list[Record] = []
    faults: list[Fault] = []
    at, counted, line = begin + 1, 0, 1
    while True:
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        if at >= len(text) or (text[at] == "]" and not (faults and rows)):
            return rows, faults
        if text[at] == "]":
            at = _next_object(text, at + 1, rows)
            continue
        line += text.count("\n", counted, at)
        counted = at
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            place = error.pos if isinstance(error, json.JSONDecodeError) else at
            column = place - text.rfind("\n", 0, place)
            why = f"no JSON: {error.msg}" if isinstance(error, json.JSONDecodeError) else "no JSON"
            faults.append(Fault(line + text.count("\n", at, place), column, why))
            at = _next_object(text, at + 1, rows)
            continue
        if isinstance(value, dict):
            rows.append(Record(line, value))
        else:
            faults.append(Fault(line, 0, "it is no JSON object"))
        at = end


MAX_READ_AGAIN = 20
"""So many times its own length of a damaged array is read in looking for places to go on at, before the rest is given up."""


def _next_object(text: str, at: int, rows: list[Record]) -> int:
    """Return where the next element of an array begins that can be read and has a column of the first row; the end where none does."""
    left = MAX_READ_AGAIN * len(text)
    while left > 0 and (at := text.find("{", at)) >= 0:
        before = text[max(0, at - 200) : at].rstrip()
        if before.endswith((",", "[", "}")):  # not a value of a key
            try:
                value, end = _DECODER.raw_decode(text, at)
            except (ValueError, RecursionError) as error:
                left -= max(64, (error.pos if isinstance(error, json.JSONDecodeError) else len(text)) - at)
            else:
                left -= end - at
                if not rows or value.keys() & rows[0].values.keys():
                    return at
        left -= 1
        at += 1
    return len(text)


def _parquet(raw: bytes) -> Records:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an optional extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependency("pyarrow, which reads Parquet,", extra="data") from error
    try:
        rows = parquet.read_table(pa.BufferReader(raw)).to_pylist()
    except (pa.ArrowException, OSError) as error:
        return Records("parquet", (), (Fault(1, 0, f"no Parquet: {str(error).splitlines()[0][:200]}"),))
    return Records("parquet", tuple(Record(number, row) for number, row in enumerate(rows, start=1)))
