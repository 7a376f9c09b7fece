"""From a line of text to the words that fragments are made of: a named, versioned choice, kept in every index.

    words("L’aga, de «Roma»!", "paper") -> ["L’aga", "de", "«Roma»"]
    words("L’aga, de «Roma»!", "full")  -> ["l'", "aga", "de", "roma"]

`paper` is what was published: runs of blanks squeezed, the six characters `. , ! ? : ;` deleted (so `a,b` is one word), split at white
space; a query matches as it is typed or in lower case. `full` folds what only looks different: Unicode composition, apostrophes, quotes,
brackets, dashes, case; and cuts after an elision. Knows no corpus and no language.

Source: arXiv 2505.22293 and the behaviour of the package `fragmentshot` 0.1.5, for `paper`.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Literal

from reasoner.errors import BadConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

Normalisation = Literal["paper", "full"]

VERSIONS: Mapping[str, int] = {"paper": 1, "full": 1}
"""Raise a version whenever the same text would give other words: an index made with another is refused."""

_PAPER_DELETES = str.maketrans("", "", ".,!?:;")
_FULL = str.maketrans(
    {
        **dict.fromkeys("’‘‛ʼʹ`´ˈ＇", "'"),
        **dict.fromkeys(".,!?:;…¿¡", None),
        **dict.fromkeys('"“”„‟«»‹›()[]{}<>', " "),
        **dict.fromkeys("–—―", " "),
    }
)
_ELISION = re.compile(r"(?<=\w')(?=\w)")


def check(name: str) -> Normalisation:
    """Return the name of a normalisation, checked.

    Raises:
        BadConfig: there is none of that name.
    """
    if name not in VERSIONS:
        raise BadConfig(f"there is no normalisation {name[:40]!r}", hint=f"known: {', '.join(VERSIONS)}")
    return "paper" if name == "paper" else "full"


def words(text: str, name: Normalisation) -> list[str]:
    """Return the words of a line, in order; empty for a line that has none."""
    if name == "paper":
        return text.translate(_PAPER_DELETES).split()
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    text = text.translate(_FULL).casefold()
    if "'" in text:
        text = _ELISION.sub(" ", text)
    return text.split()


def readings(text: str, name: Normalisation) -> list[list[str]]:
    """Return the ways a query may match: as it is and, as published, in lower case; all of the same length."""
    typed = words(text, name)
    if name == "full":
        return [typed]
    lower = [word.lower() for word in typed]
    return [typed] if lower == typed else [typed, lower]
