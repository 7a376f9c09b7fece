"""The tool `calculator`: exact arithmetic with + - * / and brackets.

Models write money with its sign, and an equation where an expression is meant: the sign is left out, and of `4 * 13 = 50` the left side is worked out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field

from reasoner.errors import ToolFailed, Unparseable
from reasoner.grading.expression import evaluate
from reasoner.tools._tool import Arguments, Lent, Tool

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

_DIGITS = 12
_MONEY = re.compile(r"[$€£¥](?=[ ]?[0-9.])")


class Expression(Arguments):
    """What `calculator` takes; a number is taken for text."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    expression: str = Field(description="Numbers with + - * / and brackets.")


class Calculator(Tool):
    """Work an expression out exactly."""

    name = "calculator"
    description = "Work out an arithmetic expression exactly. Only + - * / and brackets; no names, powers or functions."
    timeout_s = 5.0
    arguments = Expression

    async def call(self, arguments: Mapping[str, Any], lent: Lent | None = None) -> str:  # noqa: ARG002 - the seam's signature
        """Return the value."""
        left, _, _ = str(arguments["expression"]).partition("=")
        try:
            return shown(evaluate(_MONEY.sub("", left)).value)
        except Unparseable as error:
            raise ToolFailed(f"{error}; write numbers, + - * / and brackets only, as in 4 * (13 - 2)") from None


def shown(value: Fraction) -> str:
    """Return an exact value as text: an integer or a finite decimal as it is, any other fraction with its first digits."""
    if value.denominator == 1:
        return str(value.numerator)
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest == 1 and value.denominator < 10**_DIGITS:
        digits = 0
        while (value * 10**digits).denominator != 1:
            digits += 1
        whole = f"{abs(int(value * 10**digits)):0{digits + 1}d}"
        return f"{'-' if value < 0 else ''}{whole[:-digits]}.{whole[-digits:]}"
    return f"{value} (about {float(value):.{_DIGITS}g})" if abs(value) < 10**300 else str(value)


def open_tool(source: str = "") -> Calculator:  # noqa: ARG001 - it needs none
    """Return the tool."""
    return Calculator()
