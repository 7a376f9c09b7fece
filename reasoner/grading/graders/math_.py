r"""The grader `math`: mathematical equality by Math-Verify (extra `tasks`), in a process of its own with a limit of time.

    judge("0.5", [r"\frac{1}{2}"])  ->  right;   "(1,2]" wrong for "[1,2)", "q-p" wrong for "p-q"

Plain numbers are compared exactly by `number`, equal notation is equal, and words, dates, versions and times are compared by `exact`: as
products of letters every anagram would be right. What Math-Verify takes for the same and is not, is told apart before it is asked:
kinds of brackets, sets and tuples, other units. Knows notation; the values are sympy's, in `reasoner.grading.worker.equality`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reasoner.errors import MissingDependency
from reasoner.grading.graders import Grader, right, shown, unjudged, wrong
from reasoner.grading.graders.exact import normal
from reasoner.grading.graders.number import Number
from reasoner.grading.notation import (
    compatible,
    is_mathematics,
    joins_differ,
    names_differ,
    notation,
    packed,
    same_base,
    units_differ,
    without_unit,
)
from reasoner.grading.quantity import Quantity, quantity
from reasoner.grading.worker.process import MATH, worker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.types import Verdict

MAX_CHARS = 600
MAX_DEPTH = 25
MAX_DIGITS = 60
"""Digits in a row; equal longer numbers are equal as text."""

_NUMBER = Number("number")
_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_RATIO = re.compile(r"(?<=\d)\s?:\s?(?=\d)")


class Math(Grader):
    """Mathematical equality."""

    name = "math"
    summary = "mathematical equality of LaTeX by Math-Verify (extra tasks): fractions, sets, intervals, equations, several answers"
    slow = True

    @classmethod
    def ready(cls) -> None:
        """Start the process, so that the first answer does not wait for it.

        Raises:
            MissingDependency: math-verify is not installed.
        """
        worker(MATH).ask({"op": "math", "gold": "1", "given": "1"})

    def judge(self, given: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> Verdict:  # noqa: ARG002
        """Compare with each gold in turn."""
        doubt = ""
        for gold in golds:
            try:
                same = equal(gold, given)
            except MissingDependency as error:
                doubt = str(error)
                continue
            if same:
                return right("mathematically equal", em=1.0)
            doubt = doubt if same is not None else "the comparison took too long"
        if doubt and not any(normal(gold) == normal(given) for gold in golds):
            return unjudged(doubt) if "install" in doubt else wrong(f"{doubt}: {shown(given)}", em=0.0)
        return wrong(f"{shown(given)} is not equal to the gold", em=0.0)

    def canonical(self, given: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> str:  # noqa: ARG002
        """Return the notation; where it is a plain number, its value."""
        return _NUMBER.canonical(given, golds) if quantity(given) is not None else packed(notation(given))

    def same(self, one: str, other: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> bool:  # noqa: ARG002
        """Tell whether two answers are equal; what cannot be compared is not."""
        if self.canonical(one, golds) == self.canonical(other, golds):
            return True
        try:
            return bool(equal(one, other))
        except MissingDependency:
            return False


def equal(gold: str, given: str) -> bool | None:
    """Tell whether an answer is equal to a gold; None where the comparison did not come to an end.

    Raises:
        MissingDependency: it needs math-verify, which is not installed.
    """
    a, b = quantity(gold), quantity(given)
    if a is not None and b is not None:
        hundredths = a.percent and not b.unit and b.value * 100 == a.value
        return hundredths or bool(_NUMBER.judge(given, [gold]).correct)
    if normal(gold) == normal(given):
        return True
    if len(given) > MAX_CHARS or len(gold) > MAX_CHARS:
        return False
    one, other = (_numeral(text, found) for text, found in ((gold, a), (given, b)))
    if not is_mathematics(without_unit(one)) or not is_mathematics(without_unit(other)):
        one, other = (normal(_RATIO.sub(":", _TEXT.sub(r"\1", text))) for text in (one, other))
        return one == other
    if packed(one) == packed(other):
        return True
    if (based := same_base(one, other)) is not None:
        return based
    if (
        not compatible(one, other)
        or units_differ(one, other)
        or names_differ(one, other)
        or joins_differ(one, other)
        or not _bounded(one)
        or not _bounded(other)
    ):
        return False
    answer = worker(MATH).ask({"op": "math", "gold": without_unit(one), "given": without_unit(other)})
    return None if answer is None else bool(answer.get("same"))


def _numeral(text: str, found: Quantity | None) -> str:
    """Return a notation; a bare whole number without separators, which would be those of a list."""
    bare = found is not None and not found.unit and not found.name and found.value.denominator == 1
    return str(found.value.numerator) if found is not None and bare else notation(text)


def _bounded(text: str) -> bool:
    """Tell whether a notation can be worth computing: not nested too deep, no endless digits, no tower of powers."""
    depth = deepest = digits = 0
    for c in text:
        depth += (c in "([{") - (c in ")]}")
        deepest = max(deepest, depth)
        digits = digits + 1 if c.isdigit() else 0
        if deepest > MAX_DEPTH or digits > MAX_DIGITS:
            return False
    return not re.search(r"\^\s?\{?\s?\(?-?\s?\d{4}|\d{4,}\s?!|!\s?!|\^[^+\-*/,]{0,40}\^[^+\-*/,]{0,40}\^", text)


GRADER = Math
