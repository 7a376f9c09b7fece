r"""Gettext files (PO, POT): entries with an empty `msgstr`, plural forms apart.

    msgid "Open %s"
    msgstr ""            ->  msgstr "Apri %s", with a line '#, fuzzy' before the entry where a person should look

A translation begins and ends with a line break where its source does, as gettext asks. Entries that are translated, fuzzy, obsolete, or
the head stay as they are. A message of several lines is one unit; its line breaks are spans.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reasoner.errors import CorruptRecord
from reasoner.files.lines import with_ends
from reasoner.translation.documents._bytes import Original, TextDocument, opened
from reasoner.translation.documents._spans import Done, Filled, Unit, has_words, put_away_lines
from reasoner.translation.po import declared_text, entries_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reasoner.translation.po import Entry

_CONTENT_TYPE = re.compile(r'^("Content-Type:[^\n"]{0,80}charset=)[\w.:+-]{1,40}', re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Place:
    entry: Entry
    keyword: str
    source: str
    lead: str
    trail: str


class Gettext(TextDocument):
    """One PO file."""

    def __init__(self, data: bytes, path: Path) -> None:
        """Read it.

        Raises:
            CorruptRecord: a line is none of a PO file, or it is not in the character set that its head names.
        """
        self.original = _opened(data, path)
        self._lines = with_ends(self.original.text)
        self._end = "\r\n" if self._lines and self._lines[0].endswith("\r\n") else "\n"
        self._places: list[_Place] = []
        self.units: list[Unit] = []
        self.done: list[Done] = []
        for entry in entries_of(self._lines, path):
            self._add(entry)

    def _add(self, entry: Entry) -> None:
        """Note what is untranslated in an entry."""
        for keyword, source, text in entry.translations():
            body = source.strip()
            if entry.is_fuzzy or text or not body:
                self.done.append(Done(len(self.units), body, "" if entry.is_fuzzy else text))
                continue
            at = source.index(body)
            unit = put_away_lines(body, entry.lines["msgid"][0] + 1)
            if not has_words(unit):
                continue
            self.units.append(unit)
            self._places.append(_Place(entry, keyword, source, source[:at], source[at + len(body) :]))

    def written(self, filled: Mapping[int, Filled]) -> bytes:
        """Return the file with translations in their places."""
        lines: list[str] = list(self._lines)
        fuzzy: dict[int, Entry] = {}
        for number, translation in filled.items():
            place = self._places[number]
            text, complete = self.put_back(number, translation.text)
            first, *others = place.entry.lines[place.keyword]
            lines[first] = self._end.join(_spelt(place.keyword, place.lead + text + place.trail)) + self._end
            for other in others:
                lines[other] = ""
            if not (complete and translation.is_sure):
                fuzzy[place.entry.first] = place.entry
        for first, entry in fuzzy.items():
            if entry.flags is None:
                lines[first] = f"#, fuzzy{self._end}{lines[first]}"
            else:
                lines[entry.flags] = lines[entry.flags].replace("#,", "#, fuzzy,", 1)
        text = "".join(lines)
        if self.original.lacks(text):
            text = _CONTENT_TYPE.sub(r"\1UTF-8", text, count=1)
        return self.original.encoded(text)


def _opened(data: bytes, path: Path) -> Original:
    """Read a file in the character set that its head names, else in UTF-8, UTF-16 or Windows-1252."""
    made = declared_text(data, path)
    if made is None:
        original = opened(data, path)
        head = _CONTENT_TYPE.search(original.text)
        if original.charset == "cp1252" and head and head[0].upper().endswith(("UTF-8", "UTF8")):
            odd = next(at for at, byte in enumerate(data) if byte > 0x7F)
            raise CorruptRecord(path, data.count(b"\n", 0, odd) + 1, "it is not UTF-8, as its head says")
        return original
    if made.text.encode(made.charset, "replace") != data:
        raise CorruptRecord(path, 1, f"it cannot be written back as it is in {made.name}")
    return Original(made.text, made.charset, declared=made.name)


def _escaped(text: str) -> str:
    for sign, letter in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
        text = text.replace(sign, letter)
    return text


def _spelt(keyword: str, text: str) -> list[str]:
    """Return the lines of one string: one, or an empty one and a line for each line of the text."""
    parts = re.findall(r"[^\n]*\n|[^\n]+", text)
    if len(parts) < 2:
        return [f'{keyword} "{_escaped(text)}"']
    return [f'{keyword} ""', *(f'"{_escaped(part)}"' for part in parts)]
