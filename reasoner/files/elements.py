"""XML files of rows, as ASDiv is published: every element that has children of text alone is a row, its attributes and children the columns.

    elements('<a><Problem ID="1"><Body>...</Body><Answer>9 (apples)</Answer></Problem></a>')
    ->  [(1, {"ID": "1", "Body": "...", "Answer": "9 (apples)"})]

A document type is refused: nothing an entity could name is ever expanded or fetched.
"""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

from reasoner.files.faults import Fault

MAX_DEPTH = 20


class _Rows:
    """Collects rows while the parser reads."""

    def __init__(self, parser: expat.XMLParserType) -> None:
        self.rows: list[tuple[int, dict[str, Any]]] = []
        self._parser = parser
        self._open: list[tuple[str, int, dict[str, Any], list[str]]] = []
        """Of every open element: name, line, columns, pieces of text."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise ValueError(f"elements are nested more than {MAX_DEPTH} deep")
        self._open.append((name, self._parser.CurrentLineNumber, dict(attributes), []))

    def data(self, text: str) -> None:
        if self._open:
            self._open[-1][3].append(text)

    def end(self, name: str) -> None:
        _, line, columns, pieces = self._open.pop()
        text = "".join(pieces).strip()
        nested = any(not isinstance(value, str) for value in columns.values())
        if self._open and not nested and (text or not columns) and not _is_row(columns, text):
            self._open[-1][2][name] = text
        elif columns and not nested and self._open:
            self.rows.append((line, columns))

    def doctype(self, *_: object) -> None:
        raise ValueError("a document type is not read")


def _is_row(columns: dict[str, Any], text: str) -> bool:
    return len(columns) > 1 and not text


def elements(text: str) -> tuple[list[tuple[int, dict[str, Any]]], list[Fault]]:
    """Return rows as (line, columns), and what ended the reading, if anything did."""
    parser = expat.ParserCreate()
    rows = _Rows(parser)
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = rows.start, rows.end, rows.data
    parser.StartDoctypeDeclHandler = rows.doctype
    body = text.encode("utf-8", "replace")
    if body.lstrip().startswith(b"<?xml"):
        body = body[body.index(b"?>") + 2 :] if b"?>" in body else body  # it may name the encoding the file had
    try:
        parser.Parse(body, True)  # noqa: FBT003 - expat's own signature
    except expat.ExpatError as error:
        return rows.rows, [Fault(error.lineno, error.offset + 1, f"no XML: {expat.errors.messages[error.code]}")]
    except ValueError as error:
        return rows.rows, [Fault(parser.CurrentLineNumber, 0, f"no XML: {error}")]
    return rows.rows, []
