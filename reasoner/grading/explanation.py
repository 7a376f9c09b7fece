"""The reason that a model gives behind a number, and whether it leaves the number as it is.

    without_reason("18, because there are so many apples")   ->  "18"
    without_reason("18, because 20 were sold")               ->  "":  another number
    without_reason("18, not 20")                             ->  "":  no reason

English only. A reason is cut off where it is plain words none of which is a number, a unit, a negation, an alternative or a comparison.
"""

from __future__ import annotations

import re

from reasoner.grading.number_words import alters
from reasoner.grading.units import known

MAX_CHARS = 2000

_REASON = re.compile(
    r"(?:[,;:.]\s{1,3}|\s{1,3}[—–-]{1,2}\s{1,3}|\s{1,3}\(|\s{1,3})(?:because|since|given\sthat|due\sto|as\s(?:there|this|that|it|he|she|they|we|the))\b(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_PLAIN = re.compile(r"[A-Za-zÀ-ÖØ-öø-ɏ\s,.;:'’\"“”()!-]{0,2000}")
_WORD = re.compile(r"[A-Za-zÀ-ÖØ-öø-ɏ]+(?:['’][A-Za-z]+)?")
_HARMLESS = frozenset({"and", "to", "over", "off", "because", "since", "a", "i", "in", "on", "en", "et", "par", "e"})
"""Words that make another number beside one, or are a unit there, and do not in a sentence of their own."""
_CHANGED = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen "
    "twenty thirty forty fifty sixty seventy eighty ninety first second once twice thrice double doubled triple tripled halved couple "
    "per instead rather actually wait unless never neither nor nothing none cannot mistake mistaken false untrue almost nearly around "
    "fewer greater larger smaller bigger at"
)
_CHANGING = frozenset(_CHANGED.split())


def without_reason(text: str) -> str:
    """Return what stands before the reason; empty where there is no reason, or one that might change what is said."""
    if len(text) > MAX_CHARS:
        return ""
    found = _REASON.search(text)
    if found is None or not _PLAIN.fullmatch(found["rest"]):
        return ""
    return "" if any(_changes(word) for word in _WORD.findall(found["rest"])) else text[: found.start()]


def _changes(word: str) -> bool:
    low = word.casefold().replace("’", "'")
    if low.endswith("n't"):
        return True
    low = low.partition("'")[0]
    if low in _HARMLESS:
        return False
    return len(low) == 1 or any(
        each in _CHANGING or alters(each) or bool(known(each)) for each in (low, low.removesuffix("s") if len(low) > 3 else low)
    )
