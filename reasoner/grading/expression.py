"""A safe arithmetic evaluator: + - * / and brackets over exact fractions, with its work bounded before it is done.

Knows numbers, four operators, signs and brackets. Does not know names, calls, powers, puzzles or verdicts; nothing is ever handed
to the language's own evaluator, and nothing recurses.

    evaluate("(10 - 4) * (13 - 9)")
    -> Value(value=24, literals=(10, 4, 13, 9), operations=((10, "-", 4, 6), (13, "-", 9, 4), (6, "*", 4, 24)))
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from reasoner.errors import Unparseable
from reasoner.text import clean, shorten

MAX_CHARS = 1000
MAX_NODES = 200
MAX_DEPTH = 50
MAX_BITS = 10_000

SYMBOLS = str.maketrans(
    {"×": "*", "✕": "*", "✖": "*", "⋅": "*", "·": "*", "∙": "*", "•": "*", "∗": "*", "÷": "/", "∕": "/", "⁄": "/"}
    | {"−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "﹣": "-", "－": "-", "＋": "+", "［": "[", "］": "]", "（": "(", "）": ")"}
    | {"\u00a0": " ", "\u202f": " ", "\u2009": " "}
)
_LATEX = re.compile(r"\\(times|cdot|ast|div|left|right)(?![A-Za-z])")
_LATEX_OPERATORS = {"times": "*", "cdot": "*", "ast": "*", "div": "/", "left": "", "right": ""}
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_MAX_NESTED_FRACTIONS = 5
_TOKEN = re.compile(r"\s*(?:([0-9]+(?:\.[0-9]+)?)|(\*\*|[-+*/()\[\]^xX]))")

_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "negate": 3, "keep": 3}
_CLOSES = {")": "(", "]": "["}


class Undefined(Unparseable):
    """The expression reads well and has no value here: it divides by zero, or its numbers grow too large."""


class Operation(NamedTuple):
    """One operation of an expression, and what it gives."""

    left: Fraction
    operator: str
    right: Fraction
    result: Fraction


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression is worth, the numbers written in it, in order, and its operations in the order they are worked out; signs are none."""

    value: Fraction
    literals: tuple[Fraction, ...]
    operations: tuple[Operation, ...] = ()


def plain_symbols(text: str) -> str:
    r"""Write typographic and LaTeX operators (`×`, `−`, `\div`, `\frac{8}{3}`) as `* - / ((8)/(3))`; everything else stays.

    For short texts: the caller bounds the length.
    """
    if not text.isascii():
        text = text.translate(SYMBOLS)
    if "\\" not in text:
        return text
    text = _LATEX.sub(lambda m: _LATEX_OPERATORS[m[1]], text)
    for _ in range(_MAX_NESTED_FRACTIONS):
        text, n_replaced = _FRACTION.subn(r"((\1)/(\2))", text)
        if not n_replaced:
            break
    return text


def evaluate(text: str) -> Value:
    """Evaluate one expression exactly.

    Raises:
        Unparseable: it is longer than 1,000 characters, has more than 200 nodes, nests deeper than 50, or is not in the grammar.
        Undefined: it divides by zero, or a number in it would pass 10,000 bits.
    """
    if len(text) > MAX_CHARS:
        raise Unparseable(f"the expression has {len(text)} characters, at most {MAX_CHARS} are read")
    text = plain_symbols(text)
    reader = _Reader()
    at = 0
    end = len(text.rstrip())
    while at < end:
        token = _TOKEN.match(text, at)
        if token is None:
            raise Unparseable(f"the expression holds {_shown(text[at:].lstrip()[:1])}, which is no number, operator or bracket")
        if token[1] is not None:
            reader.number(token[1])
        else:
            reader.symbol(token[2])
        at = token.end()
    return reader.finish()


@dataclass(slots=True)
class _Reader:
    """Precedence climbing with explicit stacks: values are worked out as soon as their operator is certain."""

    values: list[Fraction] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    literals: list[Fraction] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    n_nodes: int = 0
    depth: int = 0
    wants_value: bool = True

    def number(self, digits: str) -> None:
        if not self.wants_value:
            raise Unparseable(f"an operator is missing before {_shown(digits)}")
        self._count()
        value = Fraction(digits)  # at most 1,000 digits, below the interpreter's own limit
        self.values.append(value)
        self.literals.append(value)
        self.wants_value = False

    def symbol(self, symbol: str) -> None:
        if symbol in {"^", "**"}:
            raise Unparseable(f"the power operator {symbol} is not one of + - * /")
        if symbol in _CLOSES:
            self._close(symbol)
        elif self.wants_value:
            self._open(symbol)
        elif symbol in "([":
            raise Unparseable(f"an operator is missing before {symbol}")
        else:
            self._binary("*" if symbol in "xX" else symbol)

    def finish(self) -> Value:
        if self.wants_value:
            raise Unparseable("the expression ends where a number is expected" if self.n_nodes else "there is no expression")
        self._reduce(0)
        if self.pending:
            raise Unparseable(f"the bracket {self.pending[-1]} is not closed")
        return Value(self.values[0], tuple(self.literals), tuple(self.operations))

    def _open(self, symbol: str) -> None:
        """Take a bracket or a sign, the only symbols that may stand where a number is expected."""
        if symbol not in "([+-":
            raise Unparseable(f"a number is missing before {symbol}")
        self._deepen()
        if symbol in "+-":
            self._count()
            symbol = "negate" if symbol == "-" else "keep"
        self.pending.append(symbol)

    def _close(self, symbol: str) -> None:
        if self.wants_value:
            raise Unparseable(f"a number is missing before {symbol}")
        self._reduce(0)
        if not self.pending or self.pending.pop() != _CLOSES[symbol]:
            raise Unparseable(f"the bracket {symbol} closes nothing")
        self.depth -= 1

    def _binary(self, symbol: str) -> None:
        self._count()
        self._reduce(_PRECEDENCE[symbol])
        self.pending.append(symbol)
        self.wants_value = True

    def _reduce(self, precedence: int) -> None:
        """Apply the pending operators that bind at least as tightly, back to the innermost open bracket."""
        while self.pending and self.pending[-1] not in "([" and _PRECEDENCE[self.pending[-1]] >= precedence:
            operator = self.pending.pop()
            if operator in {"negate", "keep"}:
                self.depth -= 1
                if operator == "negate":
                    self.values[-1] = -self.values[-1]
            else:
                right, left = self.values.pop(), self.values[-1]
                self.values[-1] = apply(operator, left, right)
                self.operations.append(Operation(left, operator, right, self.values[-1]))

    def _count(self) -> None:
        self.n_nodes += 1
        if self.n_nodes > MAX_NODES:
            raise Unparseable(f"the expression has more than {MAX_NODES} numbers and operators")

    def _deepen(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unparseable(f"the expression nests deeper than {MAX_DEPTH}")


def apply(operator: str, left: Fraction, right: Fraction) -> Fraction:
    """Return `left operator right` for one of + - * /.

    Raises:
        Undefined: `right` is the zero of a division, or the result may pass 10,000 bits.
    """
    # Estimated before the work: every one of the four multiplies numerators and denominators crosswise.
    if _n_bits(left) + _n_bits(right) > MAX_BITS:
        raise Undefined(f"a number would grow past {MAX_BITS} bits")
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    if right == 0:
        raise Undefined("it divides by zero")
    return left / right


def _n_bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _shown(text: str) -> str:
    return repr(shorten(clean(text), 20)) if clean(text).strip() else f"a character {[f'U+{ord(c):04X}' for c in text[:1]]}"
