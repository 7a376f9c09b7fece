"""What is no text in a text: found, put away as `{1}`, `{2}`, ..., and put back.

    held = put_away("Open %s (<b>now</b>)", 3)       'Open {1} ({2}now{3})', ('%s', '<b>', '</b>')
    put_back("Apri {1} {2}ora{3}", held.spans)       'Apri %s <b>ora</b>', complete

Knows text; knows no file.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, AnyStr

from reasoner.errors import CorruptRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

_NO_TEXT = (
    r"%(?:\d+\$)?(?:\([\w.]+\))?[-+#0]*\d*(?:\.\d+)?(?:hh|h|ll|l|z|j|t|L)?[sdiufFeEgGxXoc@]"  # %s, %(name)s, %1$d, %.2f; not '% of'
    r"|\{\{[^{}\n]{0,80}\}\}|\$?\{[^{}\n]{0,80}\}|</?[A-Za-z][^<>\n]{0,300}>|&(?:#\d{1,7}|#x[\da-fA-F]{1,6}|[A-Za-z]{2,12});"
    r"|https?://[^\s<>\"']+[^\s<>\"'.,;:!?)]|[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+"
)
SPAN = re.compile(_NO_TEXT)
_SPAN_OR_BREAK = re.compile(rf"[^\S\n]*\r?\n[^\S\n]*|{_NO_TEXT}")
MARKER = re.compile(r"\{(\d{1,4})\}")


@dataclass(frozen=True, slots=True)
class Unit:
    """One text to translate, without line breaks, and the line of the file on which it begins, from 1. `{n}` in it is `spans[n - 1]` of the file."""

    line: int
    text: str
    spans: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filled:
    """A translation, with `{n}` in it as in its unit; `is_sure` is false where a person should look at it."""

    text: str
    is_sure: bool = True
    from_memory: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """A text that is translated already, for those who want to know what stands before a unit: the unit it stands before, as a number."""

    before: int
    text: str
    translation: str


class Document(ABC):
    """One opened file."""

    units: list[Unit]
    """What is untranslated in it, in order."""
    done: Sequence[Done] = ()
    """What is translated in it, in order, spans left out."""
    left: Sequence[str] = ()
    """What of the file cannot be read and stays as it is: where, and why."""

    @abstractmethod
    def written(self, filled: Mapping[int, Filled]) -> bytes:
        """Return the file with translations by number of their unit; all else as it was, byte for byte."""

    def put_back(self, number: int, text: str) -> tuple[str, bool]:
        """Return a translation of a unit with its spans in their places, and whether each was there once, nested as the file asks."""
        return put_back(text, self.units[number].spans)

    def remarks(self, filled: Mapping[int, Filled]) -> list[str]:  # noqa: ARG002 - for those with a character set to tell of
        """Say in which character set the file was read, and that it becomes UTF-8 where translations need it; nothing for UTF-8."""
        return []


def decoded(data: bytes, path: Path) -> str:
    """Return a file's text.

    Raises:
        CorruptRecord: it is not UTF-8.
    """
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise CorruptRecord(path, data.count(b"\n", 0, error.start) + 1, "it is not UTF-8") from error


def has_words(unit: Unit) -> bool:
    """Tell whether there is anything to translate in a unit: a number or a placeholder alone is nothing."""
    return any(c.isalpha() for c in MARKER.sub("", unit.text))


def put_away(text: str, line: int) -> Unit:
    """Return a plain text as a unit, its placeholders, tags and addresses put away."""
    return Unit(line, *_away(SPAN, text))


def bare(text: str) -> str:
    """Return a text without markers, on one line."""
    return " ".join(MARKER.sub(" ", text).split())


def put_away_lines(text: str, line: int) -> Unit:
    """Return a text of several lines as a unit on one: its line breaks are spans too."""
    put, spans = _away(_SPAN_OR_BREAK, text)
    return Unit(line, " ".join(put.split()), spans)


def _away(pattern: re.Pattern[str], text: str) -> tuple[str, tuple[str, ...]]:
    spans: list[str] = []

    def away(match: re.Match[str]) -> str:
        spans.append(match[0] if match[0].strip() else "\n")
        return f"{{{len(spans)}}}"

    return pattern.sub(away, text), tuple(spans)


def put_back(text: str, spans: Sequence[str], *, spelt: Callable[[str], str] = str) -> tuple[str, bool]:
    """Return a translation with its spans in their places, and whether each was there once.

    A span that is there twice keeps its first place; those that lack are put at the end. `spelt` writes the text between them as the file does.
    """
    made: list[str] = []
    seen: set[int] = set()
    at, complete = 0, True
    for marker in MARKER.finditer(text):
        number = int(marker[1])
        made.append(spelt(text[at : marker.start()]))
        at = marker.end()
        if 1 <= number <= len(spans) and number not in seen:
            seen.add(number)
            made.append(spans[number - 1])
        else:
            complete = False
    made.append(spelt(text[at:]))
    lacking = [span for number, span in enumerate(spans, start=1) if number not in seen]
    return "".join([*made, *lacking]), complete and not lacking


def spliced(whole: AnyStr, changes: Iterable[tuple[int, int, AnyStr]]) -> AnyStr:
    """Return a text or bytes with other ones from each place to another; no two overlap."""
    made: list[AnyStr] = []
    at = 0
    for start, end, new in sorted(changes, key=lambda change: change[:2]):
        made += [whole[at:start], new]
        at = end
    made.append(whole[at:])
    return whole[:0].join(made)
