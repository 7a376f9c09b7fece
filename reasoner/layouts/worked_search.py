r"""A worked search made of a worked solution: its steps as the lines that lead to the goal, and beside some of them a step that does not.

    write_search(["4 * 10 = 40", "45.5 - 40 = 5.5"], "Answer: 5.50", "dfs")

    1: start -> 14 (4 + 10 = 14) x
    Back to the start
    2: start -> 40 (4 * 10 = 40)
    2.1: start -> 40 -> 5.5 (45.5 - 40 = 5.5)
    Goal: 2.1
    Answer: 5.50

For families without moves: a step that is an equation of two numbers is set beside the same numbers under another operation, which is true as arithmetic and no
way to the answer. A step in words stands alone. Knows steps as text; knows no family.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from reasoner.layouts.outline import write_back, write_goal, write_heading, write_line
from reasoner.text import shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.layouts.outline import Label

START = "start"
MAX_STATE_CHARS = 200
MAX_PLACES = 4

_EQUATION = re.compile(r"(-?[0-9]{1,12}(?:\.[0-9]{1,6})?) ([-+*/]) (-?[0-9]{1,12}(?:\.[0-9]{1,6})?) = (\S{1,24})")
_WORKED_OUT = re.compile(r"[-+*/%().,:0-9 ]{1,180} = (\S.{0,60})")
_INSTEAD = {"+": "*-", "-": "+/", "*": "+-", "/": "*-"}
"""The operations that stand beside one, the first that gives another whole or short decimal number above zero."""


def write_search(steps: Sequence[str], answer: str, order: Literal["bfs", "dfs"], *, dead_ends: Sequence[str] = ()) -> str:
    """Write a search that ends in the answer line, in the layout of `reasoner.layouts.outline`; `dead_ends` stand beside the first steps."""
    lines: list[str] = []
    label: Label = ()
    chain: tuple[str, ...] = (START,)
    for number, step in enumerate(steps):
        wrong_first = not number % 2
        other = (dead_ends[number] if number < len(dead_ends) else "") or another(step)
        if order == "bfs":
            lines.append(write_heading(number + 1))
        aside = 0
        if other is not None and wrong_first:
            aside = 1
            lines.append(_line((*label, 1), chain, other, dead=True))
            if order == "dfs":
                lines.append(write_back(label))
        lines.append(_line((*label, 1 + aside), chain, step))
        if other is not None and not wrong_first and order == "bfs":
            lines.append(_line((*label, 2), chain, other, dead=True))
        label, chain = (*label, 1 + aside), (*chain, _parts(step)[0])
    return "\n".join([*lines, *([write_goal(label)] if label else []), answer])


def another(step: str) -> str | None:
    """Return an equation of the same two numbers that is true and gives another number; None for a step that is no such equation.

    >>> another("4 * 10 = 40"), another("7 - 7 = 0"), another("It is late.")
    ('4 + 10 = 14', '7 + 7 = 14', None)
    """
    found = _EQUATION.fullmatch(step)
    if found is None:
        return None
    left, sign, right, result = found.groups()
    one, two = Fraction(left), Fraction(right)
    for other in _INSTEAD[sign]:
        if other == "/" and not two:
            continue
        value = one + two if other == "+" else one - two if other == "-" else one * two if other == "*" else one / two
        shown = _decimal(value)
        if value > 0 and shown is not None and shown != result:
            return f"{left} {other} {right} = {shown}"
    return None


def _decimal(value: Fraction) -> str | None:
    """Return a value as a short decimal, None where it has none."""
    scaled = value * 10**MAX_PLACES
    if scaled.denominator != 1:
        return None
    whole, rest = divmod(abs(scaled.numerator), 10**MAX_PLACES)
    digits = f"{whole}.{rest:0{MAX_PLACES}}".rstrip("0").rstrip(".")
    return digits if value >= 0 else f"-{digits}"


def _line(label: Label, chain: tuple[str, ...], step: str, *, dead: bool = False) -> str:
    state, operation = _parts(step)
    return write_line(label, (*chain, state), operation, dead=dead)


def _parts(step: str) -> tuple[str, str]:
    """Return the state that a step leads to, and its operation: an equation's result and the equation; words are their own state."""
    shown = shorten(step.replace("->", "to"), MAX_STATE_CHARS)
    found = _WORKED_OUT.fullmatch(shown)
    return (found[1], shown) if found is not None else (shown, "")
