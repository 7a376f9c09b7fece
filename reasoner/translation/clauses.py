"""Where a long sentence may be cut in two: at a clause near its middle, never inside a tag, a placeholder or a word.

    halves("It rains, and the river {1}rises{2}, ...")  ->  ("It rains, and the river ... ,", " ", "...")

Signs come first: the end of a sentence, then semicolons, colons and dashes, then commas; then a blank before a conjunction, then any blank; in
scripts without blanks also between characters. Knows text; knows no model and no language but for a list of conjunctions.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from reasoner.translation.documents import MARKER, SPAN

if TYPE_CHECKING:
    from collections.abc import Iterator

MIN_BYTES = 80
"""Bytes of UTF-8 that each half has at least; shorter pieces say too little to be translated alone."""
_MIDDLE = (0.2, 0.8)
"""Where a better cut is preferred to a nearer one, as shares of the text."""
_CLOSING = r"[\"'’”»)\]]*"
_CONJUNCTIONS = (
    "and or but because which who that when while where although if so"
    " e ed o oppure ma però perché che quando mentre dove anche se quindi"
    " y pero porque que cuando mientras donde aunque si et ou mais car parce lorsque qui dont"
    " und oder aber denn weil dass wenn als während obwohl der die das"
    " mas quando enquanto i però perquè però cu ch' pe perchè cun ciò"
)
_CUTS = (
    re.compile(rf"(?<=[.!?…]){_CLOSING}(?P<gap>\s+)|(?<=[。！？]){_CLOSING}(?P<none>)"),
    re.compile(rf"[;:]{_CLOSING}(?P<gap>\s+)|(?P<gap2>\s+)(?=[–—-]\s)|[；：]{_CLOSING}(?P<none>)"),
    re.compile(rf",{_CLOSING}(?P<gap>\s+)|[，、،]{_CLOSING}(?P<none>\s*)"),
    re.compile(rf"(?P<gap>\s+)(?=(?:{'|'.join(map(re.escape, sorted(set(_CONJUNCTIONS.split()), reverse=True)))})(?![\w]))", re.IGNORECASE),
    re.compile(r"(?P<gap>\s+)"),
)
_NO_BLANKS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""A character of a script that writes no blanks between words (Thai, Lao, Burmese, Khmer, kana, Han)."""


def halves(text: str) -> tuple[str, str, str] | None:
    """Return a text in two, and what stood between them; None where it is too short, or nowhere to be cut."""
    n_bytes = len(text.encode("utf-8", "replace"))
    if n_bytes < 2 * MIN_BYTES:
        return None
    whole = [(found.start(), found.end()) for pattern in (SPAN, MARKER) for found in pattern.finditer(text)]
    for least, most in (_MIDDLE, (0.0, 1.0)):
        for cuts in (*(_gaps(pattern, text) for pattern in _CUTS), _between_characters(text)):
            kept = [cut for cut in cuts if least <= cut[0] / len(text) <= most and _is_fair(text, cut, whole)]
            if kept:
                start, end = min(kept, key=lambda cut: (abs(cut[0] + cut[1] - len(text)), cut))
                return text[:start], text[start:end], text[end:]
    return None


def _gaps(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    """Yield where a cut begins and ends: the blanks that are left out of both halves."""
    for found in pattern.finditer(text):
        name = next(name for name, value in found.groupdict().items() if value is not None)
        yield found.span(name)


def _between_characters(text: str) -> Iterator[tuple[int, int]]:
    for at in range(1, len(text)):
        if _NO_BLANKS.match(text[at - 1]) and _NO_BLANKS.match(text[at]) and not unicodedata.combining(text[at]):
            yield at, at


def _is_fair(text: str, cut: tuple[int, int], whole: list[tuple[int, int]]) -> bool:
    """Tell whether both halves are long enough, and nothing is cut that is one."""
    start, end = cut
    if any(first < end and start < last for first, last in whole) or any(first < start < last for first, last in whole):
        return False
    return min(len(text[:start].encode("utf-8", "replace")), len(text[end:].encode("utf-8", "replace"))) >= MIN_BYTES
