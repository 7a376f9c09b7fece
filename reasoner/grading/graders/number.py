r"""The grader `number`: equal values, and no other unit than the gold's.

    judge("35 hrs", ["35 hours"])  ->  right;   "35" right;   "3.5 hours", "35 minutes" wrong

`number` compares exactly; `number:0.01` allows that much, `number:1%` that share of the gold. A unit the gold names may be left out, a bare
gold may be given one, another unit is wrong. Percent are a unit, but for a bare gold below one, where they are hundredths. A reason behind the
number (`18, because ...`) does not count, where it is plain words.
What is no number is compared as `exact` does where the gold is none either.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Self

from reasoner.errors import BadConfig
from reasoner.grading.explanation import without_reason
from reasoner.grading.graders import Grader, right, shown, unread, wrong
from reasoner.grading.graders.exact import normal
from reasoner.grading.quantity import Quantity, fits, quantity, scaled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.types import Verdict


class Number(Grader):
    """Equal values."""

    name = "number"
    summary = "equal values: fractions, percent, money, units; number:0.01 or number:1% allow that much"
    argument = "[TOLERANCE]"

    def __init__(self, spec: str, tolerance: Fraction = Fraction(0), *, relative: bool = False) -> None:
        super().__init__(spec)
        self._tolerance = tolerance
        self._relative = relative

    @classmethod
    def open(cls, argument: str) -> Self:
        """Read the tolerance.

        Raises:
            BadConfig: it is no number between 0 and a million.
        """
        if not argument:
            return cls(cls.name)
        try:
            value = Fraction(argument.removesuffix("%")) if len(argument) < 20 else Fraction(-1)
        except (ValueError, ZeroDivisionError):
            value = Fraction(-1)
        if not 0 <= value <= 10**6:
            raise BadConfig(f"the tolerance {argument[:40]!r} is no number", hint="write number:0.01 or number:1%")
        relative = argument.endswith("%")
        return cls(f"{cls.name}:{argument}", value / 100 if relative else value, relative=relative)

    def check(self, golds: Sequence[str]) -> str:
        """Tell of a gold that is no number."""
        return next((f"the gold {shown(gold)} is no number" for gold in golds if quantity(gold) is None), "")

    def judge(self, given: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> Verdict:  # noqa: ARG002
        """Compare value and unit."""
        mine = _stated(given)
        wanted = [found for gold in golds if (found := quantity(gold)) is not None]
        if mine is None:
            if normal(given) in {normal(gold) for gold in golds}:
                return right("exact match", em=1.0)
            return unread(f"{shown(given)} is no number") if wanted else wrong(f"no exact match: {shown(given)}", em=0.0)
        if any(self._equal(scaled(mine, gold), gold.value) and fits(mine, gold) for gold in wanted):
            return right("the number is right", em=1.0)
        if any(self._equal(scaled(mine, gold), gold.value) for gold in wanted):
            return wrong(f"{shown(given)} has another unit", em=0.0)
        return wrong(f"{shown(given)} is not the number", em=0.0)

    def _equal(self, given: Fraction, gold: Fraction) -> bool:
        return abs(given - gold) <= (abs(gold) * self._tolerance if self._relative else self._tolerance)

    def canonical(self, given: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> str:  # noqa: ARG002
        """Return value and unit; the unit is left out where it says no more than the gold's."""
        mine = _stated(given)
        if mine is None:
            return normal(given)
        gold = next((found for each in golds if (found := quantity(each)) is not None), Quantity(mine.value))
        unit = "" if fits(mine, gold) else " " + " ".join(mine.unit)
        return f"{scaled(mine, gold)}{unit}"


def _stated(given: str) -> Quantity | None:
    """Read an answer that is a quantity, alone or with a reason behind it."""
    return quantity(given) or quantity(without_reason(given))


GRADER = Number
