"""Open a file of text line by line, or as bytes: packed by gzip or not, UTF-8 or UTF-16.

    with opened(Path("seed.tsv.gz")) as (file, encoding): ...

What a file is, is seen from its first bytes. Bytes that are not UTF-8 become lone surrogates, so that their line can be told.
"""

from __future__ import annotations

import gzip
import io
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, TextIO, cast

from reasoner.errors import DataError
from reasoner.files.decoding import looks_wide
from reasoner.files.devices import ending

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def opened_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, unpacked.

    Raises:
        DataError: it cannot be read, or is no whole gzip file.
    """
    try:
        with ending(path).open("rb") as raw:
            if raw.peek(2).startswith(b"\x1f\x8b"):
                with gzip.open(raw) as unpacked:
                    yield cast("IO[bytes]", unpacked)
            else:
                yield raw
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise DataError(f"cannot read {path}: {why}", hint="name a file that exists and is whole") from error


@contextmanager
def opened(path: Path, *, newline: str = "\n") -> Iterator[tuple[TextIO, str]]:
    """Open a file as text, with the name of its encoding.

    Raises:
        DataError: see `opened_bytes`.
    """
    with opened_bytes(path) as data:
        buffered = io.BufferedReader(cast("io.RawIOBase", data))
        head = buffered.peek(4096)[:4096]
        wide = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else looks_wide(head[: len(head) // 2 * 2])
        encoding, errors = (wide, "replace") if wide else ("utf-8-sig", "surrogateescape")
        yield io.TextIOWrapper(buffered, encoding=encoding, errors=errors, newline=newline), encoding
