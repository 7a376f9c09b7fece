"""JSON Lines one line at a time, for files too large to be held in memory as a whole.

    text_lines(Path("big.jsonl"))  ->  an iterator of Line(1, '{"question": ...'), ...; None where the file is something else

Only what is certain is streamed: UTF-8 without a mark, whose first line is a whole JSON object that more lines follow. Everything else is
for `records`, which reads files whole.
"""

from __future__ import annotations

import codecs
import json
from typing import TYPE_CHECKING

from reasoner.errors import MissingAsset
from reasoner.files.decoding import BYTE_ORDER_MARKS, MAX_BYTES, looks_wide
from reasoner.files.lines import Line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STREAMED_BYTES = 1 << 20
"""Smaller files are read whole."""
_BLOCK = 1 << 20


def text_lines(path: Path, *, hint: str = "") -> Iterator[Line] | None:
    """Return the lines of a large file of JSON Lines that are not blank; None where it has to be read whole.

    Raises:
        MissingAsset: the file cannot be read.
    """
    try:
        if not STREAMED_BYTES <= path.stat().st_size <= MAX_BYTES or not path.is_file():
            return None
        with path.open("rb") as file:
            head = file.read(4096)
            if head.startswith((b"\x1f\x8b", b"PAR1", *BYTE_ORDER_MARKS)) or looks_wide(head):
                return None
            file.seek(0)
            decoder = codecs.getincrementaldecoder("utf-8")()
            while block := file.read(_BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        lines = _lines(path)
        first = next(lines, None)
        if first is None or next(lines, None) is None or not isinstance(json.loads(first.text), dict):
            return None
    except OSError as error:
        raise MissingAsset(f"the file {path} cannot be read: {error.strerror}", hint=hint or "give the path of a file") from error
    except (ValueError, RecursionError):  # no UTF-8, or no JSON in the first line
        return None
    return _lines(path)


def _lines(path: Path) -> Iterator[Line]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline=None) as file:  # lines end at \n, \r\n and a lone \r, as in `lines`
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield Line(number, line.rstrip("\n"))
