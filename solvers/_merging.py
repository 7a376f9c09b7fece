"""Merging numbers as a search: states, moves in words, and the check of equations a model wrote down.

A state is a sorted tuple of exact numbers, a move an equation with one operation.

    moves((4, 9, 10))  ->  [Move(operation='4 + 9 = 13', state=(10, 13)), Move(operation='9 - 4 = 5', state=(5, 10)), ...]
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from reasoner.errors import Unparseable
from reasoner.grading.expression import Operation, Undefined, apply, evaluate
from reasoner.types import Move
from solvers import _answer as answers
from solvers._rational import Rational, reachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Numbers = tuple[Fraction, ...]
"""The numbers that are left, sorted."""

_MAX_NUMBER_CHARS = 40
_NUMBER = re.compile(r"\(?\s*(-?\s*[0-9]+(?:\.[0-9]+)?(?:\s*/\s*[0-9]+)?)\s*\)?")
_LISTED = re.compile(r"[(\[]?(-?[0-9]+(?:\.[0-9]+)?(?:/[0-9]+)?)[)\]]?")
_OPERATOR = re.compile(r"[-+*/xX]")


class Untrue(NamedTuple):
    """An equation that was read and does not hold, or merges numbers that are not there; `reason` says which."""

    reason: str


def numbers(values: Iterable[int]) -> Numbers:
    """Return the state that holds the given whole numbers."""
    return tuple(sorted(map(Fraction, values)))


def is_only(state: Numbers, goal: int) -> bool:
    """Tell whether the goal is the one number left."""
    return len(state) == 1 and state[0] == goal


def show_number(value: Fraction) -> str:
    """Write a number: `4`, `-6`, `8/3`."""
    return str(value)


def show_numbers(state: Numbers) -> str:
    """Write a state on one line: `4 6 9`."""
    return " ".join(map(str, state))


def operation(left: Fraction, operator: str, right: Fraction) -> str:
    """Write a merge so that it reads back: `10 - 4 = 6`, `(8/3) * 3 = 8`."""
    return f"{_operand(left)} {operator} {_operand(right)} = {apply(operator, left, right)}"


def moves(state: Numbers) -> list[Move[Numbers]]:
    """Return every merge of two numbers: for each pair a <= b the order is a + b, b - a, a - b, a * b, a / b, b / a.

    What differs only by the order of equal numbers or of the operands of + and * is listed once.
    """
    found: dict[str, Move[Numbers]] = {}
    for i in range(len(state)):
        for j in range(i + 1, len(state)):
            a, b = state[i], state[j]
            rest = state[:i] + state[i + 1 : j] + state[j + 1 :]
            for left, operator, right in ((a, "+", b), (b, "-", a), (a, "-", b), (a, "*", b), (a, "/", b), (b, "/", a)):
                if operator != "/" or right != 0:
                    words = operation(left, operator, right)
                    found.setdefault(words, Move(words, tuple(sorted((*rest, apply(operator, left, right))))))
    return list(found.values())


def solve(state: Numbers, goal: int) -> list[Move[Numbers]] | None:
    """Return the first path of moves to the goal in the order of `moves`, None when there is none. All paths are equally long."""
    target: Rational = (goal, 1)
    if not reachable(_pairs(state), target):
        return None
    path: list[Move[Numbers]] = []
    while len(state) > 1:
        path.append(next(move for move in moves(state) if reachable(_pairs(move.state), target)))
        state = path[-1].state
    return path


def read_equation(text: str) -> Operation | Untrue:
    """Read one equation with a single operation, the whole of it in brackets or not, and check that it holds.

    Where a fraction without brackets leaves open which `/` is the operation (`8/3 / 2`), the reading that agrees with the usual
    order of operations counts: the last one.

    Raises:
        Unparseable: it is not `number operator number = number`.
    """
    left_side, equals, right_side = _unwrapped(text.strip()).partition("=")
    if not equals:
        raise Unparseable(f"{answers.shown(text)} is no equation")
    try:
        result = evaluate(right_side).value
        value = evaluate(left_side).value
    except Undefined as error:
        return Untrue(f"{answers.shown(text)}: {error.message}")
    except Unparseable as error:
        raise Unparseable(f"{answers.shown(text)}: {error.message}") from error
    for sign in reversed(list(_OPERATOR.finditer(left_side))):
        left, right = _number(left_side[: sign.start()]), _number(left_side[sign.end() :])
        if left is not None and right is not None:
            operator = "*" if sign[0] in "xX" else sign[0]
            # `1/2 / 3/4` is worth 1/24 by the usual order, which no reading as two numbers is: refused rather than guessed.
            if apply(operator, left, right) == value:
                break
    else:
        raise Unparseable(f"{answers.shown(text)} does not merge two numbers by one operation")
    if value != result:
        return Untrue(f"{left_side.strip()[:_MAX_NUMBER_CHARS]} is {_short(value)}, not {_short(result)}")
    return Operation(left, operator, right, result)


def merge(state: Numbers, equation: Operation) -> Numbers | Untrue:
    """Take both operands out of a state and put the result in."""
    rest = list(state)
    for operand in (equation.left, equation.right):
        if operand not in rest:
            pair = f"{_short(equation.left)} and {_short(equation.right)}"
            return Untrue(f"{pair} are not both among the numbers left: {show_numbers(state)}")
        rest.remove(operand)
    return tuple(sorted((*rest, equation.result)))


def read_numbers(text: str) -> Numbers | None:
    """Read a list of numbers with blanks or commas between them; None when it is anything else."""
    words = text.strip(" []{}").replace(",", " ").split()
    matches = [_LISTED.fullmatch(word) if len(word) <= _MAX_NUMBER_CHARS else None for word in words]
    read = [_value(match[1]) for match in matches if match is not None]
    if not words or len(read) < len(words):
        return None
    values = [value for value in read if value is not None]
    return tuple(sorted(values)) if len(values) == len(words) else None


def expression(start: Numbers, operations: Sequence[str]) -> str:
    """Join the operations of a path into one expression with no more brackets than it needs.

    Raises:
        Unparseable: the operations do not merge the numbers one after another.
    """
    parts = [(value, show_number(value), 3) for value in start]
    for words in operations:
        equation = read_equation(words)
        if isinstance(equation, Untrue):
            raise Unparseable(equation.reason)
        left, right = _take(parts, equation.left), _take(parts, equation.right)
        rank = 1 if equation.operator in "+-" else 2
        # To the right of - and / an equal rank would bind to the wrong side.
        on_right = rank + (equation.operator in "-/")
        text = f"{_bracket(*left, below=rank)} {equation.operator} {_bracket(*right, below=on_right)}"
        parts.append((equation.result, text, rank))
    return parts[-1][1]


def _unwrapped(text: str) -> str:
    """Take off a pair of brackets around the whole; `(10 - 4) = (6)` has none."""
    depth = 0
    for index, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if depth == 0:
            return text[1:-1] if index and index == len(text) - 1 else text
    return text


def _take(parts: list[tuple[Fraction, str, int]], value: Fraction) -> tuple[str, int]:
    for index, part in enumerate(parts):
        if part[0] == value:
            del parts[index]
            return part[1], part[2]
    raise Unparseable(f"{_short(value)} is not among the numbers left")


def _bracket(text: str, rank: int, *, below: int) -> str:
    return f"({text})" if rank < below else text


def _operand(value: Fraction) -> str:
    return str(value) if value >= 0 and value.denominator == 1 else f"({value})"


def _pairs(state: Numbers) -> tuple[Rational, ...]:
    return tuple(sorted((value.numerator, value.denominator) for value in state))


def _number(text: str) -> Fraction | None:
    """Read one number, in brackets or not; None when it is anything else."""
    text = text.strip()
    match = _NUMBER.fullmatch(text) if len(text) <= _MAX_NUMBER_CHARS and text.startswith("(") == text.endswith(")") else None
    return _value(match[1]) if match is not None else None


def _value(digits: str) -> Fraction | None:
    numerator, _, denominator = "".join(digits.split()).partition("/")
    below = int(denominator or 1)
    return Fraction(numerator) / below if below else None


def _short(value: Fraction) -> str:
    text = str(value) if value.numerator.bit_length() + value.denominator.bit_length() < 200 else "a huge number"
    return text[:_MAX_NUMBER_CHARS]
