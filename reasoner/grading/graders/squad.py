r"""The grader `squad`: SQuAD's form, for plain words alone; anything with a digit, a sign, a bracket or a symbol in it goes to `exact`.

    normal("The Beatles, of course!")  ->  "beatles of course";   plain("C++")  ->  False

Articles and the marks at the ends of words do not count. What stands inside a word does: `U.S.` is not `US`, `re-sign` not `resign`.
Token F1, as SQuAD and HotpotQA have it, is measured beside the verdict and earns nothing.

Source: Rajpurkar et al. 2016 (SQuAD); Yang et al. 2018 (HotpotQA: yes and no share nothing with other answers).
"""

from __future__ import annotations

import string
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

from reasoner.grading.graders import Grader, right, shown, wrong
from reasoner.grading.graders.exact import normal as exact_normal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.types import Verdict

_MARKS = ".,;:!?\"'"
_INNER_MARKS = ",;:!?\"'"
"""What does not count behind a word inside an answer: a point does there, as in `St. Louis`."""
_ARTICLES = frozenset({"a", "an", "the"})
_WHOLE_ANSWERS = frozenset({"yes", "no", "noanswer", "no answer"})
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def plain(text: str) -> bool:
    """Tell whether a text is words alone: letters, their marks, blanks, and the marks of a sentence."""
    return all(c.isspace() or c in _MARKS or unicodedata.category(c)[0] in "LM" or c in "\u200c\u200d" for c in exact_normal(text)) and any(
        c.isalpha() for c in text
    )


def normal(text: str) -> str:
    """Return the normal form of plain words; that of `exact` for everything else. An answer that is an article alone stays."""
    text = exact_normal(text)
    if not plain(text):
        return text
    words = [word.rstrip(_INNER_MARKS).lstrip("\"'") for word in text.rstrip(_MARKS).split()]
    return " ".join(word for word in words if word and word not in _ARTICLES) or text


def f1(given: str, gold: str) -> float:
    """Return token F1 in [0, 1]; yes, no and noanswer share nothing with anything but themselves."""
    a, b = _tokens(given), _tokens(gold)
    if a != b and (" ".join(a) in _WHOLE_ANSWERS or " ".join(b) in _WHOLE_ANSWERS):
        return 0.0
    n_same = sum((Counter(a) & Counter(b)).values())
    if n_same == 0:
        return 0.0
    precision, recall = n_same / len(a), n_same / len(b)
    return 2 * precision * recall / (precision + recall)


def measured(given: str, golds: Sequence[str]) -> dict[str, float]:
    """Return exact match in SQuAD's form and the best token F1 over the golds: `{"em": 1.0, "f1": 1.0}`."""
    em = any(normal(given) == normal(gold) for gold in golds)
    return {"em": float(em), "f1": max((f1(given, gold) for gold in golds), default=0.0)}


def _tokens(text: str) -> list[str]:
    """Return the tokens F1 counts: SQuAD's own form, which no verdict goes by."""
    words = exact_normal(text).translate(_PUNCTUATION).split()
    return [word for word in words if word not in _ARTICLES] or words


class Squad(Grader):
    """The same words."""

    name = "squad"
    summary = "the same words, articles and final marks aside; as exact for all that is not plain words"

    def judge(self, given: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> Verdict:  # noqa: ARG002
        """Compare the normal forms, and measure the best F1."""
        found = measured(given, golds)
        if found["em"]:
            return right("exact match", **found)
        return wrong(f"no exact match, F1 {found['f1']:.2f}: {shown(given)}", **found)

    def canonical(self, given: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> str:  # noqa: ARG002
        """Return the normal form."""
        return normal(given)


GRADER = Squad
