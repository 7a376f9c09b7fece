r"""Gettext files (PO, POT): entries with an empty `msgstr`, plural forms apart.

    msgid "Open %s"
    msgstr ""            ->  msgstr "Apri %s", with a line '#, fuzzy' before the entry where a person should look

A translation begins and ends with a line break where its source does, as gettext asks. Entries that are translated, fuzzy, obsolete, or
the head stay as they are. A message of several lines is one unit; its line breaks are spans.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reasoner.errors import CorruptRecord
from reasoner.translation.documents._spans import Filled, Unit, decoded, has_words, put_away_lines, put_back

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_STRING = re.compile(r'\s*(?:(msgctxt|msgid_plural|msgid|msgstr(?:\[\d{1,2}\])?)\s*)?"((?:[^"\\]|\\.)*)"\s*')
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


@dataclass
class _Entry:
    """One entry: the texts by keyword, the lines of each, and where it begins."""

    first: int
    texts: dict[str, str] = field(default_factory=dict)
    lines: dict[str, list[int]] = field(default_factory=dict)
    flags: int | None = None
    """The line of its flags."""
    is_fuzzy: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    entry: _Entry
    keyword: str
    source: str
    lead: str
    trail: str


def entries_of(lines: Sequence[str], path: Path) -> list[_Entry]:
    """Return the entries of a PO file, its head among them.

    Raises:
        CorruptRecord: a line is none of a PO file.
    """
    made: list[_Entry] = []
    entry, keyword = _Entry(0), ""
    for number, line in enumerate(lines):
        text = line.strip().removeprefix("\ufeff")
        if not text or text.startswith("#"):
            if entry.texts:
                made.append(entry)
                entry = _Entry(number)
            if text.startswith("#,"):
                entry.flags = number
                entry.is_fuzzy = "fuzzy" in re.split(r"[,\s]+", text)
            keyword = ""
            continue
        found = _STRING.fullmatch(text)
        if found is None or not (found[1] or keyword):
            raise CorruptRecord(path, number + 1, "it is no line of a PO file")
        if found[1] in {"msgid", "msgctxt"} and "msgstr" in "".join(entry.texts):
            made.append(entry)
            entry = _Entry(number)
        keyword = found[1] or keyword
        if found[1] in entry.texts:
            raise CorruptRecord(path, number + 1, f"a second {keyword} in one entry")
        if not entry.texts:
            entry.first = number
        entry.texts[keyword] = entry.texts.get(keyword, "") + _unescaped(found[2])
        entry.lines.setdefault(keyword, []).append(number)
    return [*made, entry] if entry.texts else made


class Gettext:
    """One PO file."""

    left = ()

    def __init__(self, data: bytes, path: Path) -> None:
        """Read it.

        Raises:
            CorruptRecord: a line is none of a PO file.
        """
        self._lines = decoded(data, path).splitlines(keepends=True)
        self._end = "\r\n" if self._lines and self._lines[0].endswith("\r\n") else "\n"
        self._places: list[_Place] = []
        self.units: list[Unit] = []
        for entry in entries_of(self._lines, path):
            self._add(entry)

    def _add(self, entry: _Entry) -> None:
        """Note what is untranslated in an entry."""
        if entry.is_fuzzy or not entry.texts.get("msgid"):
            return
        for keyword, text in entry.texts.items():
            if not keyword.startswith("msgstr") or text:
                continue
            is_plural = keyword not in {"msgstr", "msgstr[0]"}
            source = entry.texts.get("msgid_plural", entry.texts["msgid"]) if is_plural else entry.texts["msgid"]
            body = source.strip()
            if not body:
                continue
            at = source.index(body)
            unit = put_away_lines(body, f"line {entry.lines['msgid'][0] + 1}")
            if not has_words(unit):
                continue
            self.units.append(unit)
            self._places.append(_Place(entry, keyword, source, source[:at], source[at + len(body) :]))

    def written(self, filled: Mapping[int, Filled]) -> bytes:
        """Return the file with translations in their places."""
        lines: list[str] = list(self._lines)
        fuzzy: dict[int, _Entry] = {}
        for number, translation in filled.items():
            place = self._places[number]
            text, complete = put_back(translation.text, self.units[number].spans)
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
        return "".join(lines).encode()


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), text)


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
