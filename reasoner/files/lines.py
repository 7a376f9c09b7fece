r"""The lines of a text file with their numbers.

    read_lines(Path("a.jsonl"))  ->  (Line(1, '{"a": 1}'), Line(3, '{"a": 2}')), ()

Lines end at `\n`, `\r\n` or a lone `\r`, and nowhere else: U+2028 and form feeds occur inside JSON strings and sentences.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reasoner.files.decoding import read_text
from reasoner.files.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENDS = re.compile(r"\r\n|\n|\r")
_WITH_END = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_DAMAGED = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is not blank, without its end; numbers count from 1."""

    number: int
    text: str


def lines_of(text: str) -> Iterator[Line]:
    """Yield the lines of a text that are not blank."""
    for number, line in enumerate(ENDS.split(text), start=1):
        if line.strip():
            yield Line(number, line)


def with_ends(text: str) -> list[str]:
    """Return all lines of a text with their ends: joined, they are the text."""
    return _WITH_END.findall(text)


def read_lines(path: Path, *, hint: str = "") -> tuple[tuple[Line, ...], tuple[Fault, ...]]:
    """Read the lines of a file; those with bytes that cannot be decoded are faults instead.

    Raises:
        MissingAsset: the file cannot be read.
    """
    kept: list[Line] = []
    faults: list[Fault] = []
    for line in lines_of(read_text(path, hint=hint).text):
        fault = undecoded(line)
        if fault is None:
            kept.append(line)
        else:
            faults.append(fault)
    return tuple(kept), tuple(faults)


def undecoded(line: Line) -> Fault | None:
    """Return where a line holds a byte that is no UTF-8, None where it holds none."""
    if line.text.isascii():
        return None
    found = _DAMAGED.search(line.text)
    if found is None:
        return None
    return Fault(line.number, found.start() + 1, f"the byte 0x{ord(found[0]) & 0xFF:02X} is no UTF-8")
