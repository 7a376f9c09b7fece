"""Text files by sentences: every line is a paragraph, its sentences are units; blanks between them, empty lines and line ends stay.

    It rains. The river, Mr. Hill said, rises.     ->     two units, written back where they stood

Sentences are found by sentencex, whose rules know some 300 languages and abbreviations of theirs. There is no mark for what a person should look
at; the command's report names these units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reasoner.errors import MissingDependency
from reasoner.translation.documents._bytes import TextDocument, opened
from reasoner.translation.documents._spans import Filled, Unit, has_words, put_away, spliced

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

CODES = {
    "catalan": "ca", "dutch": "nl", "english": "en", "french": "fr", "friulian": "fur", "german": "de", "italian": "it", "ladin": "lld", "ligurian": "lij",
    "portuguese": "pt", "romanian": "ro", "romansh": "rm", "sardinian": "sc", "spanish": "es",
}  # fmt: skip
"""Codes of languages by their English names; other names are taken as codes, and what sentencex does not know is split by its general rules."""
MAX_LINE_CHARS = 1 << 20
"""A longer line is no paragraph; it is left."""


class Text(TextDocument):
    """One text file."""

    def __init__(self, data: bytes, path: Path, *, language: str) -> None:
        """Read it; `language` is a code or an English name.

        Raises:
            CorruptRecord: it is no text (see `opened`).
            MissingDependency: sentencex is not installed.
        """
        self.original = opened(data, path)
        self._text = self.original.text
        self.units: list[Unit] = []
        self._places: list[tuple[int, int]] = []
        self.left: list[str] = []
        segment = _segment()
        code = CODES.get(language.casefold(), language.casefold())
        at = 0
        for number, line in enumerate(self._text.split("\n"), start=1):
            if len(line) > MAX_LINE_CHARS:
                self.left.append(f"line {number}: it has more than {MAX_LINE_CHARS:,} characters")
            elif line.strip():
                for start, end in _sentences(segment(code, line), line):
                    unit = put_away(" ".join(line[start:end].split()), number)
                    if has_words(unit):
                        self.units.append(unit)
                        self._places.append((at + start, at + end))
            at += len(line) + 1

    def written(self, filled: Mapping[int, Filled]) -> bytes:
        """Return the file with translations in their places."""
        changes = ((*self._places[number], self.put_back(number, each.text)[0]) for number, each in filled.items())
        return self.original.encoded(spliced(self._text, changes))


def _sentences(found: Any, line: str) -> Iterator[tuple[int, int]]:
    """Yield where sentences begin and end in a line, without the blanks around them; what is in none of them is joined to the one before."""
    at = 0
    starts = []
    for sentence in found:
        own = sentence.strip()
        start = line.find(own, at) if own else -1
        if start >= 0:
            starts.append(start)
            at = start + len(own)
    first = len(line) - len(line.lstrip("\ufeff \t\r\v\f"))
    bounds = sorted({first, *starts[1:]})
    for start, end in zip(bounds, [*bounds[1:], len(line)], strict=True):
        text = line[start:end].rstrip()
        if text:
            yield start, start + len(text)


def _segment() -> Any:
    try:
        from sentencex import segment  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        raise MissingDependency("sentencex, which finds sentences,", extra="translation") from error
    return segment
