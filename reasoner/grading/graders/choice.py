"""The grader `choice`: a letter in any usual dress, or the words of a choice. The gold is the letter of the right one.

    judge("(B) fig", ["B"], choices=["fog", "fig"])  ->  right;   "B. fog" wrong: letter and words name two choices

A single letter always names a place, also among choices that are letters themselves. Of choices that are equal each is as right as the other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reasoner.grading.dress import undressed
from reasoner.grading.graders import Grader, right, shown, unread, wrong
from reasoner.grading.graders.exact import normal
from reasoner.grading.graders.squad import normal as words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.types import Verdict

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_DRESSED = re.compile(
    r"(?:(?:the\s{1,3})?(?:correct\s{1,3})?(?:option|choice|answer)\s{1,3}(?:is\s{1,3})?)?"
    r"(?:\((?P<round>[A-Za-z])\)|\[(?P<square>[A-Za-z])\]|(?P<plain>[A-Za-z]))"
    r"(?:(?P<mark>[)\].:]{1,2}|\s{0,3}[-–—:]|,)?\s{0,9}(?P<said>[^\s.)\]:,].*))?[)\].:,]{0,2}\s{0,9}",
    re.IGNORECASE | re.DOTALL,
)


def letter_of(given: str, choices: Sequence[str]) -> tuple[str, str]:
    """Return the letter an answer names, upper case, and a fault: `unread`, `none` (no such choice), `two` (letter and words differ)."""
    text = undressed(normal_keeping_case(given))
    exact = [normal(choice) for choice in choices]
    loose = [words(choice) for choice in choices]
    if len(text) > 1:
        by_text = _places(normal(text), exact) or _places(words(text), loose)
        if by_text:
            return LETTERS[by_text[0]], ""
    found = _DRESSED.fullmatch(text)
    if found is None:
        return "", "unread"
    letter = (found["round"] or found["square"] or found["plain"]).upper()
    said = undressed(found["said"] or "").strip()
    if said and found["plain"] and not found["mark"]:
        return "", "unread"  # `a fig tree` begins with no letter of a choice
    place = LETTERS.index(letter)
    if place >= len(choices):
        return letter, "none"
    if said:
        named = _places(normal(said), exact) or _places(words(said), loose)
        if named and place not in named:
            return letter, "two"
        if not named:
            return (
                (letter, "")
                if found["mark"] and found["mark"].strip() in {".", ")", ":", "-", "–", "—"} and _is_remark(said)
                else ("", "unread")
            )
    return letter, ""


def normal_keeping_case(text: str) -> str:
    """Return a text with its blanks as one and quotes around it taken off."""
    text = " ".join(text.split())
    for opening, closing in ('""', "''", "“”", "‘’", "«»"):
        if len(text) > 2 and text.startswith(opening) and text.removesuffix(".").endswith(closing):
            return text.removesuffix(".")[1:-1].strip()
    return text


def _places(text: str, texts: Sequence[str]) -> list[int]:
    return [at for at, each in enumerate(texts) if each == text and text]


def _is_remark(said: str) -> bool:
    """Tell whether what follows a letter is a sentence of its own (`B. I hope it is correct`), not another choice."""
    return said[:2].lower() == "i " or said.lower().startswith(("because", "since", "this ", "as "))


class Choice(Grader):
    """The right letter."""

    name = "choice"
    summary = "the letter of the right choice in any usual dress, or its words"
    reader = "auto"

    def check(self, golds: Sequence[str]) -> str:
        """Tell of a gold that is no letter."""
        return "" if all(len(gold) == 1 and gold in LETTERS for gold in golds) else "the gold of a choice is its letter"

    def judge(self, given: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> Verdict:
        """Find the letter and compare."""
        letter, fault = letter_of(given, choices)
        if fault == "unread":
            return unread(f"{shown(given)} is neither a letter nor a choice")
        if fault == "none":
            return wrong(f"there is no choice {letter}", em=0.0)
        if fault == "two":
            return wrong(f"the letter {letter} and the words behind it name two choices", em=0.0)
        rights = {gold: normal(choices[LETTERS.index(gold)]) for gold in golds if gold in LETTERS[: len(choices)]}
        if letter in rights or normal(choices[LETTERS.index(letter)]) in rights.values():
            return right(f"{letter} is right", em=1.0)
        return wrong(f"{letter} is not right", em=0.0)

    def canonical(self, given: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> str:  # noqa: ARG002
        """Return the letter of the first choice of that text; the normal form where no choice is named."""
        letter, fault = letter_of(given, choices)
        if fault:
            return normal(given)
        texts = [normal(choice) for choice in choices]
        return LETTERS[texts.index(texts[LETTERS.index(letter)])]


GRADER = Choice
