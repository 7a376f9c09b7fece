r"""The bytes of a text file and its text: UTF-8, UTF-16, Windows-1252, or the character set that the file names itself; written back as they were.

    original = opened(data, path)           Original(text="caffè", charset="cp1252", mark=b"")
    original.encoded("caffè")               b"caff\xe8"
    original.lacks("caș")                   "written as UTF-8: Windows-1252 has no 'ș'"

A text that the file's own character set cannot hold makes the whole file UTF-8, and that is told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reasoner.errors import CorruptRecord
from reasoner.files.decoding import decode
from reasoner.translation.documents._spans import Document

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reasoner.translation.documents._spans import Filled

_NAMES = {"cp1252": "Windows-1252", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "utf-32-le": "UTF-32", "utf-32-be": "UTF-32"}
_ODD = re.compile("[\ud800-\udfff\ufffd]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
"""Characters that no text in Windows-1252 has."""


@dataclass(frozen=True, slots=True)
class Original:
    """A file as it was read."""

    text: str
    charset: str
    """As Python names it."""
    mark: bytes = b""
    """Its byte order mark."""
    declared: str = ""
    """The character set as the file names it, where it does."""

    @property
    def name(self) -> str:
        """The character set as people name it."""
        return self.declared or _NAMES.get(self.charset, self.charset)

    def remark(self) -> str:
        """Say how the file was read; empty for UTF-8."""
        if self.charset == "utf-8":
            return ""
        return f"read and written as {self.name}" + (
            ", as its head says" if self.declared else ", since it is not UTF-8" if self.charset == "cp1252" else ""
        )

    def lacks(self, text: str) -> str:
        """Say that the character set has no such character and the file becomes UTF-8; empty where it has all of them."""
        try:
            text.encode(self.charset)
        except UnicodeEncodeError as error:
            return f"written as UTF-8: {self.name} has no {text[error.start]!r}"
        return ""

    def encoded(self, text: str) -> bytes:
        """Return the bytes of a text as the file is written, UTF-8 where that is not possible."""
        return text.encode() if self.lacks(text) else self.mark + text.encode(self.charset)


class TextDocument(Document):
    """A document whose file is text in any of the character sets."""

    original: Original

    def remarks(self, filled: Mapping[int, Filled]) -> list[str]:
        """Say how the file was read, and that it becomes UTF-8 where translations need it."""
        lacking = next((lack for each in filled.values() if (lack := self.original.lacks(each.text))), "")
        return [remark for remark in (self.original.remark(), lacking) if remark]


def opened(data: bytes, path: Path) -> Original:
    """Read a file whose character set is not named in it.

    Raises:
        CorruptRecord: it is none of UTF-8, UTF-16 and Windows-1252; the first line with such bytes is named.
    """
    made = decode(data)
    text, charset = made.text, made.encoding
    body = text.encode(charset, "replace")
    mark = data[: max(0, len(data) - len(body))]
    if mark + body != data or (charset == "cp1252" and _CONTROL.search(text)):
        odd = _ODD.search(text) or _CONTROL.search(text)
        what = "it is not UTF-8" if charset == "utf-8" else "it is neither UTF-8, UTF-16 nor Windows-1252"
        raise CorruptRecord(path, text.count("\n", 0, odd.start()) + 1 if odd else 1, what)
    return Original(text, charset, mark)
