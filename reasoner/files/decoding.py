"""From the bytes of a file to its text: gzip, byte order marks, UTF-16, Latin-1.

    read_text(Path("rows.jsonl.gz"))  ->  Decoded(text='{"question": ...', encoding="utf-8", compressed=True)

A file that is UTF-8 but for some bytes stays UTF-8, and these bytes become lone surrogates, so that their lines can be told as damaged
and no other line is touched. Only a file without any well-formed character beyond ASCII is taken for Windows-1252.
"""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reasoner.errors import MissingAsset
from reasoner.files.devices import ending

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 1 << 31
"""A file that is larger, unpacked, is refused: it would be held in memory."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is the beginning of this one
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
BYTE_ORDER_MARKS = tuple(mark for mark, _ in _MARKS)
_WELL_FORMED = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_LOOKED_AT = 4096


@dataclass(frozen=True, slots=True)
class Decoded:
    """A file's text, without its byte order mark, and how it was written."""

    text: str
    encoding: str
    compressed: bool = False


def read_bytes(path: Path, *, hint: str = "") -> tuple[bytes, bool]:
    """Read a file, unpacked where it is gzip (found by content); the second value tells whether it was.

    Raises:
        MissingAsset: it cannot be read, is no whole gzip file, or is too large.
    """
    try:
        if ending(path).stat().st_size > MAX_BYTES:
            raise MissingAsset(f"the file {path} has {path.stat().st_size:,} bytes, at most {MAX_BYTES:,} are read", hint="split it")
        raw = path.read_bytes()
        if not raw.startswith(b"\x1f\x8b"):
            return raw, False
        with gzip.open(path) as unpacked:
            raw = unpacked.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise MissingAsset(f"the file {path} cannot be read: {why}", hint=hint or "give the path of a file") from error
    if len(raw) > MAX_BYTES:
        raise MissingAsset(f"the file {path} unpacks to more than {MAX_BYTES:,} bytes", hint="split it")
    return raw, True


def read_text(path: Path, *, hint: str = "") -> Decoded:
    """Read a file as text.

    Raises:
        MissingAsset: see `read_bytes`.
    """
    raw, compressed = read_bytes(path, hint=hint)
    made = decode(raw)
    return Decoded(made.text, made.encoding, compressed)


def decode(raw: bytes) -> Decoded:
    """Decode bytes as the module's docstring says; never fails. Bytes that cannot be read become lone surrogates."""
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            errors = "surrogateescape" if encoding == "utf-8" else "replace"
            return Decoded(raw[len(mark) :].decode(encoding, errors), encoding)
    if encoding := looks_wide(raw[:_LOOKED_AT]):
        return Decoded(raw.decode(encoding, "replace"), encoding)
    try:
        return Decoded(raw.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        if _WELL_FORMED.search(raw):
            return Decoded(raw.decode("utf-8", "surrogateescape"), "utf-8")
    return Decoded(raw.decode("cp1252", "replace"), "cp1252")


def looks_wide(raw: bytes) -> str:
    """Return the name of UTF-16 where every second byte of the beginning is nearly always zero, as in Latin text without a mark."""
    if len(raw) < 4:
        return ""
    even, odd = raw[0::2], raw[1::2]
    if odd.count(0) > 0.7 * len(odd) and even.count(0) < 0.1 * len(even):
        return "utf-16-le"
    if even.count(0) > 0.7 * len(even) and odd.count(0) < 0.1 * len(odd):
        return "utf-16-be"
    return ""
