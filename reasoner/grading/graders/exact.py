r"""The grader `exact`: the same text but for case, blanks, the form of quotes and a full stop at the end. Nothing else is removed.

    normal("  “Café”. ")  ->  'café';   `C++` is not `C`, `(1,2]` is not `[1,2)`, `.5` is not `5`

Unicode is compared in its composed form (NFC); a typographic minus or hyphen is the sign it stands for, a no-break blank a blank. Marks of
direction, which show nothing, do not count; joiners do.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from reasoner.grading.dress import UNSEEN
from reasoner.grading.graders import Grader, right, shown, wrong

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.types import Verdict

_SIGNS = UNSEEN | str.maketrans(
    {
        "「": '"',
        "」": '"',
        "『": '"',
        "』": '"',
        "“": '"',
        "”": '"',
        "„": '"',
        "«": '"',
        "»": '"',
        "‘": "'",
        "’": "'",
        "ʼ": "'",
        "−": "-",
        "‑": "-",
    }
)
_QUOTES = ('"', "'")


def normal(text: str) -> str:
    """Return the form under which two texts are the same answer."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    text = " ".join(text.casefold().translate(_SIGNS).split())
    if len(text) > 1 and text.endswith((".", "。")) and not text.endswith(".."):
        text = text[:-1].rstrip()
    for quote in _QUOTES:
        if len(text) > 2 and text.startswith(quote) and text.endswith(quote) and quote not in text[1:-1]:
            inner = text[1:-1].strip()
            return inner[:-1].rstrip() if len(inner) > 1 and inner.endswith(".") and not inner.endswith("..") else inner
    return text


class Exact(Grader):
    """The same text."""

    name = "exact"
    summary = "the same text, but for case, blanks, the form of quotes and a final full stop"

    def judge(self, given: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> Verdict:  # noqa: ARG002
        """Compare the normal forms."""
        if normal(given) in {normal(gold) for gold in golds}:
            return right("exact match", em=1.0)
        return wrong(f"no exact match: {shown(given)}", em=0.0)

    def canonical(self, given: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> str:  # noqa: ARG002
        """Return the normal form."""
        return normal(given)


GRADER = Exact
