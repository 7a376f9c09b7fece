"""Comparing short answers: SQuAD's normal form, token F1 as HotpotQA has it, plain numbers, and the letter of a choice.

All of it takes time linear in the text.

    normal("The  Café, Paris!")  ->  "café paris"

Source: Rajpurkar et al. 2016 (SQuAD: lower case, no punctuation, no articles); Yang et al. 2018 (HotpotQA: yes and no share nothing
with other answers).
"""

from __future__ import annotations

import re
import string
from collections import Counter
from fractions import Fraction

from reasoner.text import clean
from solvers._answer import plain

MAX_NUMBER_CHARS = 60

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_WHOLE_ANSWERS = frozenset({"yes", "no", "noanswer"})
_NUMBER = re.compile(r"[-+]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?:/[0-9]+)?")
_MONEY = re.compile(r"^[$€£]|\s*%$")
_LETTER = re.compile(r"(?:(?:option|choice)\s{1,3})?[(\[]?([A-Za-z])(?:[)\].:]{1,2}\s*(.*)|\s*)")


def normal(text: str) -> str:
    """Return the normal form under which two answers are an exact match; an answer that is an article alone stays (vitamin `A`)."""
    text = plain(clean(text)).lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", text).split()) or " ".join(text.split())


def f1(given: str, right: str) -> float:
    """Return token F1 in [0, 1]; yes, no and noanswer share nothing with anything but themselves."""
    a, b = normal(given), normal(right)
    if a != b and (a in _WHOLE_ANSWERS or b in _WHOLE_ANSWERS):
        return 0.0
    given_tokens, right_tokens = a.split(), b.split()
    n_same = sum((Counter(given_tokens) & Counter(right_tokens)).values())
    if n_same == 0:
        return 0.0
    precision, recall = n_same / len(given_tokens), n_same / len(right_tokens)
    return 2 * precision * recall / (precision + recall)


def number(text: str) -> Fraction | None:
    """Return the value of a text that is one plain number (`1,234.50`, `-3/4`, `$12`, `40%` as 40), else None."""
    text = _MONEY.sub("", plain(clean(text[: 2 * MAX_NUMBER_CHARS]))) if len(text) <= MAX_NUMBER_CHARS else ""
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return Fraction(text.replace(",", ""))
    except (ValueError, ZeroDivisionError):  # `1.5/2` and `1/0`
        return None


def choice(text: str) -> tuple[str, str]:
    """Return the letter of a choice in upper case and what is said behind it; no letter where the text does not begin with one."""
    found = _LETTER.fullmatch(text)
    if found is None:
        return "", text
    return found[1].upper(), found[2] or ""
