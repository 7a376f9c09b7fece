"""The grader `choice`: a letter in any usual dress, or the words of a choice. The gold is the letter of the right one.

    judge("(B) fig", ["B"], choices=["fog", "fig"])  ->  right;   "B. fog" wrong: letter and words name two choices

A single letter always names a place, also among choices that are letters themselves. Of choices that are equal each is as right as the other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reasoner.grading.dress import UNSEEN, undressed
from reasoner.grading.graders import Grader, right, shown, unread, wrong
from reasoner.grading.graders.exact import normal
from reasoner.grading.graders.squad import normal as words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.types import Verdict

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_LEAD = r"(?:(?:it|that)(?:\s{1,3}is|'s)\s{1,3})?(?:the\s{1,3})?(?:correct\s{1,3}|right\s{1,3})?(?:(?:option|choice|answer|letter)(?:\s{1,3}is)?\s{0,3}:?\s{0,3}|选项\s{0,3}|答案[是为:]?\s{0,3})?"
_TAIL = r"(?:\s{1,3}is\s{1,3}(?:the\s{1,3})?(?:correct|right)(?:\s{1,3}(?:answer|option|choice|one|letter))?)?"
_DRESSED = re.compile(
    rf"{_LEAD}(?:\((?P<round>[A-Za-z])\)|\[(?P<square>[A-Za-z])\]|(?P<plain>[A-Za-z]){_TAIL})"
    r"(?:(?P<mark>[)\].:]{1,2}|\s{0,3}[-–—:=]|,)?\s{0,9}(?P<said>[^\s.)\]:,].*))?[)\].:,]{0,2}\s{0,9}",
    re.IGNORECASE | re.DOTALL,
)
_BEHIND = re.compile(r"(?P<said>.{1,2000}?)\s{0,3}\((?P<letter>[A-Z])\)\.?", re.DOTALL)
_IT_IS = re.compile(r"it(?:\s{1,3}is|'s)\s{1,3}(?!not\b)", re.IGNORECASE)
_WIDE = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)} | UNSEEN
MIN_PART_CHARS = 4
"""So long is a beginning of a choice that may stand for it behind its letter."""


def letter_of(given: str, choices: Sequence[str]) -> tuple[str, str]:
    """Return the letter an answer names, upper case, and a fault: `unread`, `none` (no such choice), `two` (letter and words differ)."""
    text = undressed(normal_keeping_case(given.translate(_WIDE)))
    if (place := _named(_IT_IS.sub("", text, count=1), choices)) and not _one_letter(text):
        return LETTERS[place[0]], ""
    behind = _BEHIND.fullmatch(text)
    if behind is not None and (place := _named(behind["said"], choices)):
        letter = behind["letter"]
        return letter, "" if letter in {LETTERS[at] for at in place} else "two"
    found = _DRESSED.fullmatch(text.replace("**", ""))
    if found is None:
        return "", "unread"
    letter = (found["round"] or found["square"] or found["plain"]).upper()
    if LETTERS.index(letter) >= len(choices):
        return letter, "none" if not found["said"] or found["mark"] or not found["plain"] else "unread"
    return letter, _fault(letter, found["mark"] or "", undressed(found["said"] or "").strip(), choices, bare=bool(found["plain"]))


def _fault(letter: str, mark: str, said: str, choices: Sequence[str], *, bare: bool) -> str:
    """Return what is wrong with words behind a letter: nothing where they are its choice, a part of it, or a remark."""
    if not said:
        return ""
    inner = said[1:-1] if said.startswith("(") and said.endswith(")") else said
    place = LETTERS.index(letter)
    named = _named(said, choices) or _named(inner, choices)
    if named:
        return "" if place in named else "two"
    if said.lower().startswith(("because ", "since ")):
        return ""
    if bare and not mark:
        return "unread"  # `a fig tree` begins with no letter of a choice
    marked = mark.strip() in {".", ")", ":", "-", "–", "—", ","}
    return "" if (marked and _is_remark(said)) or _is_part(said, place, choices) else "unread"


def _one_letter(text: str) -> bool:
    return len(text) == 1 and text.isalpha() and text.isascii()


def _named(text: str, choices: Sequence[str]) -> list[int]:
    """Return the places of the choices that a text is, as they are written, else by their words."""
    plain = [undressed(choice.translate(_WIDE)) for choice in choices]
    text = undressed(text)
    return _places(normal(text), [normal(each) for each in plain]) or _places(words(text), [words(each) for each in plain])


def _is_part(said: str, place: int, choices: Sequence[str]) -> bool:
    """Tell whether words behind a letter are the beginning of its choice, or what it has in brackets, and part of no other choice."""
    mine, part = normal(choices[place]), normal(said)
    begins = len(part) >= MIN_PART_CHARS and mine.startswith(part + " ")
    return (begins or f"({part})" in mine) and not any(part in normal(other) for at, other in enumerate(choices) if at != place)


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
