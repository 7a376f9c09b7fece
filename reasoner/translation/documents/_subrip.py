"""Subtitles (SRT): the text of every cue, its lines as one text; numbers and times stay.

    2
    00:00:01,000 --> 00:00:03,000
    <i>The river</i>                ->  the translation, over as many lines as before
    sleeps.

A cue ends at an empty line, or where the next one begins; text in no cue is told and stays. A file has no mark for what a person should look at; the command's report names these cues.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reasoner.errors import CorruptRecord
from reasoner.files.lines import with_ends
from reasoner.translation.documents._bytes import TextDocument, opened
from reasoner.translation.documents._spans import Filled, Unit, has_words, put_away

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_TIMES = re.compile(r"\s*\d{1,3}:\d\d:\d\d[,.]\d{1,3}\s*-->\s*\d{1,3}:\d\d:\d\d[,.]\d{1,3}.*")


class Subrip(TextDocument):
    """One file of subtitles."""

    def __init__(self, data: bytes, path: Path) -> None:
        """Read it.

        Raises:
            CorruptRecord: there is no cue in it, or it is no text (see `opened`).
        """
        self.original = opened(data, path)
        self._lines = with_ends(self.original.text)
        self.units: list[Unit] = []
        self._places: list[tuple[int, int]] = []
        starts = [at for at, line in enumerate(self._lines) if _TIMES.fullmatch(line.strip())]
        if not starts:
            raise CorruptRecord(path, 1, "there is no cue with times in it")
        self.left: list[str] = []
        for start, limit in zip(starts, self._limits(starts), strict=True):
            end = start + 1
            while end < limit and self._lines[end].strip():
                end += 1
            self.left += [
                f"line {at + 1}: it stands behind an empty line, in no cue" for at in range(end, limit) if self._lines[at].strip()
            ]
            text = " ".join(" ".join(self._lines[start + 1 : end]).split())
            unit = put_away(text, start + 2)
            if has_words(unit):
                self.units.append(unit)
                self._places.append((start + 1, end))

    def _limits(self, starts: Sequence[int]) -> list[int]:
        """Return for each cue the line that is no longer its own: the number of the next one, also where no empty line stands before it."""
        after = [*starts[1:], len(self._lines)]
        return [
            at - 1 if at < len(self._lines) and at - 1 > start and self._lines[at - 1].strip().isdecimal() else at
            for start, at in zip(starts, after, strict=True)
        ]

    def written(self, filled: Mapping[int, Filled]) -> bytes:
        """Return the file with translations in their places."""
        lines: list[str] = list(self._lines)
        for number, translation in filled.items():
            start, end = self._places[number]
            text, _ = self.put_back(number, translation.text)
            ends = [line[len(line.rstrip("\r\n")) :] for line in self._lines[start:end]]
            # Fewer words than lines leave the last lines out: an empty line would end the cue.
            parts = _balanced(text, end - start)
            lines[start:end] = [f"{part}{ends[at]}" for at, part in enumerate(parts)] + [""] * (end - start - len(parts))
        return self.original.encoded("".join(lines))


def _balanced(text: str, n: int) -> list[str]:
    """Cut a text at blanks into at most n lines of about the same length."""
    words = text.split(" ")
    made: list[str] = []
    while words and len(made) < n - 1:
        share = sum(map(len, words)) + len(words) - 1
        line = words.pop(0)
        while words and len(line) + 1 + len(words[0]) / 2 < share / (n - len(made)):
            line += " " + words.pop(0)
        made.append(line)
    return [*made, " ".join(words)] if words else made
