"""Markdown: the text of paragraphs, headings, list items and table cells; code, targets of links, HTML and front matter stay.

    - Open the [old map](a.md) with `ls`.    ->    - <translation with [the words](a.md) and `ls` in it>

A paragraph of several lines is one unit and is written on one; hard line breaks stay. What in a translation would be markup, and was none in
its source, is escaped. There is no mark for what a person should look at; the command's report names these units.

Blocks are found by markdown-it (CommonMark with tables and strikethrough).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markdown_it import MarkdownIt

from reasoner.translation.documents._bytes import TextDocument, opened
from reasoner.translation.documents._spans import MARKER, Filled, Unit, has_words, put_away, put_back, spliced

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from markdown_it.token import Token

_FRONT = re.compile(r"---[^\S\n]*\r?\n.*?^(?:---|\.\.\.)[^\S\n]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_TARGET = r"\((?:[^()\\\n]|\\.|\((?:[^()\\\n]|\\.)*\))*\)"
_MARKUP = re.compile(
    r"(?<!`)(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)|(?P<hard>(?:\\| {2,})\r?\n[ \t>]*)|\\[!-/:-@\[-`{-~]|<!--.*?-->|<[A-Za-z][\w+.-]*:[^<>\s]*>"
    rf"|\[\^[^\]\s]+\]:?|\[[ xX]\](?=\s)|!\[[^\[\]]*\](?:{_TARGET}|\[[^\[\]]*\])|(?P<short>\[(?P<label>[^\[\]]+)\](?:\[\])?(?![\[(]))"
    rf"|\]{_TARGET}|\]\[[^\[\]\n]*\]|!?\[|\]|\*+|(?<![^\W_])_+|_+(?![^\W_])|~~+|`+|\$(?=\S)[^$\n]*?\S\$(?!\d)",
    re.DOTALL,
)
_SPECIAL = re.compile(r"[\\`*\[\]~]|<(?=[A-Za-z/!?])|(?<![^\W_])_|_(?![^\W_])")
_BEGINS_BLOCK = re.compile(r"(?=[#>+=~|-])|\d{1,9}(?=[.)](?:\s|$))")
_MARK = re.compile(r"\[\^[^\]\s]+\]:\s*|\[[ xX]\]\s+")
"""The mark of a footnote or a task, which stays before its text."""
_BEFORE_TEXT = re.compile(r"[\s>#*+\-\d.)]*")


@dataclass(frozen=True, slots=True)
class _Place:
    start: int
    end: int
    is_cell: bool


class Markdown(TextDocument):
    """One Markdown file."""

    def __init__(self, data: bytes, path: Path) -> None:
        """Read it.

        Raises:
            CorruptRecord: it is no text (see `opened`).
        """
        self.original = opened(data, path)
        self._text = self.original.text
        front = _FRONT.match(self._text)
        begin = front.end() if front else 0
        self._starts = [begin, *(found.end() for found in re.compile("\n").finditer(self._text, begin))]
        environment: dict[str, Any] = {}
        tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(self._text[begin:], environment)
        self._references = frozenset(environment.get("references", {}))
        self.units: list[Unit] = []
        self._places: list[_Place] = []
        row, at = -1, 0
        for number, token in enumerate(tokens):
            if token.type != "inline" or not token.map or not token.content.strip():
                continue
            is_cell = tokens[number - 1].type in {"td_open", "th_open"}
            if not (is_cell and token.map[0] == row):
                at = self._starts[token.map[0]]
            row = token.map[0]
            at = self._add(token, at, is_cell=is_cell)

    def _add(self, token: Token, at: int, *, is_cell: bool) -> int:
        """Note the text of a block that is looked for from a place on; return where it ends."""
        pieces: list[str] = []
        first, place = -1, at
        for line in token.content.split("\n"):
            own = line.strip().replace("|", "\\|") if is_cell else line.strip()
            found = self._text.find(own, place)
            begin = place if first < 0 else self._text.find("\n", place) + 1
            if found < begin or "\n" in self._text[begin:found] or not (is_cell or _BEFORE_TEXT.fullmatch(self._text, begin, found)):
                return at  # its text does not stand in the file as it is
            if first < 0:
                first = found
            else:
                pieces.append(self._between(pieces, self._text[place:found]))
            pieces.append(own)
            place = found + len(own)
        if mark := _MARK.match(pieces[0]):
            first += mark.end()
            pieces[0] = pieces[0][mark.end() :]
        spans: list[str] = []
        made = self._markup("".join(pieces), spans)
        unit = Unit(self._text.count("\n", 0, first) + 1, " ".join(made.split()), tuple(spans))
        if has_words(unit):
            self.units.append(unit)
            self._places.append(_Place(first, place, is_cell))
        return place

    def _between(self, pieces: list[str], gap: str) -> str:
        """Return what stands for the end of a line: itself where it is a hard break, else a blank."""
        if re.match(r" {2,}\r?\n", gap):
            return gap
        if re.search(r"(?<!\\)(?:\\\\)*\\\Z", pieces[-1]):
            pieces[-1] = pieces[-1][:-1]
            return "\\" + gap
        return " "

    def _markup(self, text: str, spans: list[str]) -> str:
        """Return a text with its markup, then its placeholders and addresses, as spans.

        A reference that is named by its own words, `[map]` or `[map][]`, gets its name, so that the link outlives its words.
        """
        made: list[str] = []
        at = 0
        while found := _MARKUP.search(text, at):
            made.append(self._plain(text[at : found.start()], spans))
            at = found.end()
            label = " ".join((found["label"] or "").split())
            if not found["short"]:
                made.append(_away(found[0], spans))
            elif label.upper() in self._references:
                made += [_away("[", spans), self._markup(found["label"], spans), _away(f"][{label}]", spans)]
            else:
                made.append(_away("[", spans))
                at = found.start() + 1
        return "".join([*made, self._plain(text[at:], spans)])

    def _plain(self, text: str, spans: list[str]) -> str:
        inner = put_away(text, 0)
        n_before = len(spans)
        spans += inner.spans
        return MARKER.sub(lambda found: f"{{{int(found[1]) + n_before}}}", inner.text)

    def written(self, filled: Mapping[int, Filled]) -> bytes:
        """Return the file with translations in their places."""
        changes = []
        for number, translation in filled.items():
            place, unit = self._places[number], self.units[number]
            text = self.put_back(number, translation.text)[0].strip()
            if not text:
                continue  # an empty text would join the blocks around it
            text = re.sub(r"(?<=\s)(?=#+\Z)", r"\\", text)  # else the end of a heading
            if place.is_cell:
                text = re.sub(r"(?<!\\)\|", r"\\|", text)
            elif not text.startswith(unit.spans) and (begin := _BEGINS_BLOCK.match(text)):
                text = f"{begin[0]}\\{text[begin.end() :]}"
            if re.match(r"\[[^\]]*\]:", text):
                text = f"\\{text}"  # else the definition of a reference
            changes.append((place.start, place.end, text))
        return self.original.encoded(spliced(self._text, changes))

    def put_back(self, number: int, text: str) -> tuple[str, bool]:
        """Return a translation as Markdown, without markup of its own."""
        spans = self.units[number].spans
        return put_back(_apart(text, spans), spans, spelt=_escaped)


def _apart(text: str, spans: tuple[str, ...]) -> str:
    """Put a blank where a sign of a translation and a span beside it would be an image or a link together."""

    def blank(found: re.Match[str]) -> str:
        number = int(found["before"] or found["after"])
        span = spans[number - 1] if 0 < number <= len(spans) else ""
        if found["before"]:
            return f"! {{{number}}}" if span.startswith("[") else found[0]
        return f"{found[0]} " if span.endswith("]") else found[0]

    return re.sub(r"!\{(?P<before>\d{1,4})\}|\{(?P<after>\d{1,4})\}(?=\()", blank, text)


def _away(markup: str, spans: list[str]) -> str:
    spans.append(markup)
    return f"{{{len(spans)}}}"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", text)
