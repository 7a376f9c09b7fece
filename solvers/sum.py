"""Sum: add two numbers of many digits; a wrong sum is explained by its first wrong digit, counted from the right.

How a prompt groups digits is a prompt filter's choice; both spellings are read alike.

    "8302080 3529456"  ->  "Answer: 11831536"

Source: Singh & Strouse, "Tokenization counts", arXiv 2402.14903 (additions of 7 to 9 digits, errors by digit position).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic import Field

from reasoner.constraint import Constraint
from reasoner.errors import Unparseable
from reasoner.solver import Searchable
from reasoner.types import Move, Verdict
from solvers import _answer as answers
from solvers._instance import Numbers, read

if TYPE_CHECKING:
    import random
    from collections.abc import Hashable, Mapping, Sequence

MIXED = 10
"""The level that draws the length of each number on its own."""
MIXED_DIGITS = (7, 9)
_EXAMPLES = ("579", "777")
_SEPARATORS = " ,.'_"
_DIGITS = re.compile(r"[0-9]{1,40}")
_GROUPED = re.compile(rf"[0-9]{{1,3}}([{_SEPARATORS}])[0-9]{{3}}(?:\1[0-9]{{3}}){{0,12}}")


class Sum(Numbers):
    """Add `a` and `b`."""

    a: int = Field(ge=0, le=999_999_999)
    b: int = Field(ge=0, le=999_999_999)


class Column(NamedTuple):
    """How many columns are added from the right, the digits written so far, and the carry into the next column."""

    n_done: int
    written: str
    carry: int


class SumSolver(Searchable[Sum, Column]):
    """Column addition: one legal move per column, from the right."""

    name = "sum"
    summary = "add two numbers of up to 9 digits"
    syntax = "A B, e.g. '8302080 3529456': add the two numbers"
    Instance = Sum
    levels: ClassVar[Mapping[int, str]] = {n: f"two numbers of {n} digit{'s' * (n > 1)}" for n in range(1, 10)} | {
        MIXED: f"two numbers of {MIXED_DIGITS[0]} to {MIXED_DIGITS[1]} digits, each length drawn on its own"
    }
    default_level = MIXED

    def parse(self, line: str) -> Sum:
        """Read `A B`, each 0..999,999,999."""
        return read(self, Sum, line)

    def format(self, instance: Sum) -> str:
        """Write `A B`."""
        return instance.line()

    def canonical(self, instance: Sum) -> Hashable:
        """Return the sorted numbers: their order makes no other problem."""
        return tuple(sorted(instance.numbers()))

    def generate(self, rng: random.Random, level: int) -> Sum:
        """Draw both numbers evenly from those of their length, the first digit never 0."""
        a, b = (_drawn(rng, rng.randint(*MIXED_DIGITS) if level == MIXED else level) for _ in range(2))
        return Sum(a=a, b=b)

    def statement_variables(self, instance: Sum) -> Mapping[str, Any]:
        """Return `a`, `b` and a format `example` that is not the sum."""
        return {"a": instance.a, "b": instance.b, "example": next(e for e in _EXAMPLES if int(e) != instance.a + instance.b)}

    def verify(self, instance: Sum, text: str) -> Verdict:
        """Compare the number; an equation `A + B = C` must have the right A and B too."""
        try:
            *shown, total = _read_sum(answers.find(text))
        except Unparseable as error:
            return answers.unread(error.message)
        if shown and sorted(map(int, shown)) != sorted(instance.numbers()):
            return answers.wrong(f"the numbers added are {' and '.join(shown)}, not {instance.a} and {instance.b}")
        if (pattern := error_pattern(instance.a, instance.b, total)) is not None:
            return answers.wrong(pattern)
        return answers.right(f"{instance.a} + {instance.b} is {instance.a + instance.b}")

    def canonical_answer(self, instance: Sum, text: str) -> str | None:  # noqa: ARG002 - the seam's signature
        """Return the total alone: `12 + 30 = 42` answers as `42` does."""
        try:
            return str(int(_read_sum(answers.find(text))[-1]))
        except (Unparseable, ValueError):
            return None

    def start(self, instance: Sum) -> Column:  # noqa: ARG002 - all start alike
        """Return nothing written and no carry."""
        return Column(0, "", 0)

    def moves(self, instance: Sum, state: Column) -> list[Move[Column]]:
        """Return the addition of the next column, the last carry with it in the leftmost; none when all are added."""
        columns = _columns(instance)
        if state.n_done >= len(columns):
            return []
        above, below = columns[state.n_done]
        total = above + below + state.carry
        carry, digit = divmod(total, 10)
        last = state.n_done + 1 == len(columns)
        written = (str(total) if last else str(digit)) + state.written
        words = f"{above} + {below} + {state.carry} = {total}" if state.carry else f"{above} + {below} = {total}"
        return [Move(words, Column(state.n_done + 1, written, 0 if last else carry))]

    def is_goal(self, instance: Sum, state: Column) -> bool:
        """Tell whether all columns are added and the sum is right."""
        return state.n_done == len(_columns(instance)) and int(state.written) == instance.a + instance.b

    def show(self, instance: Sum, state: Column) -> str:
        """Write the digits so far and the carry; the digits alone when all columns are added."""
        if state.n_done == len(_columns(instance)):
            return f"sum {state.written}"
        return f"digits {state.written or 'none'} carry {state.carry}"

    def answer(self, instance: Sum, path: Sequence[Move[Column]]) -> str:
        """Write the digits reached, without separators."""
        end = path[-1].state if path else self.start(instance)
        return f"Answer: {end.written or '?'}"

    def answer_constraint(self, instance: Sum) -> Constraint:  # noqa: ARG002 - the same for all
        """Return the pattern of a whole number without separators."""
        return Constraint.regex("Answer: [0-9]{1,200}", after_thought=True)

    def solve(self, instance: Sum) -> list[Move[Column]] | None:
        """Return the column additions, one per digit of the longer number; there always is a sum."""
        path: list[Move[Column]] = []
        state = self.start(instance)
        while moves := self.moves(instance, state):
            path.append(moves[0])
            state = moves[0].state
        return path


def error_pattern(a: int, b: int, given: str) -> str | None:
    """Say how a written sum is wrong: length, first wrong digit from the right, and a missed carry; None when it is right.

    >>> error_pattern(8302080, 3529456, "11821536")
    'digit 5 from the right is 2, not 3: the carry out of digit 4 was missed; 1 of 8 digits are wrong'
    """
    right, given = str(a + b), given.lstrip("0") or "0"
    if right == given:
        return None
    width = max(len(right), len(given))
    wrong = [n for n in range(width) if right.rjust(width)[-1 - n] != given.rjust(width)[-1 - n]]
    at = wrong[0]
    if at >= len(given):
        what = f"digit {at + 1} from the right is missing, it is {right[-1 - at]}"
    elif at >= len(right):
        what = f"digit {at + 1} from the right is {given[-1 - at]}, and the sum has only {len(right)} digits"
    else:
        what = f"digit {at + 1} from the right is {given[-1 - at]}, not {right[-1 - at]}"
    carried = (a % 10**at + b % 10**at) // 10**at if at < len(right) else 0
    written = int(given[-1 - at]) if at < len(given) else 0
    if carried and written == (int(right[-1 - at]) - 1) % 10:
        what += f": the carry out of digit {at} was missed"
    elif at < len(right) and not carried and written == (int(right[-1 - at]) + 1) % 10:
        what += ": one was carried that is not there"
    if len(given) != len(right):
        off = abs(len(given) - len(right))
        return f"{len(given)} digits, not {len(right)} ({off} too {'many' if len(given) > len(right) else 'few'}); {what}"
    return f"{what}; {len(wrong)} of {len(right)} digits are wrong"


def _drawn(rng: random.Random, n_digits: int) -> int:
    return rng.randint(10 ** (n_digits - 1), 10**n_digits - 1)


def _columns(instance: Sum) -> list[tuple[int, int]]:
    """Return the digits above each other, from the right; the shorter number is filled with 0."""
    above, below = str(instance.a), str(instance.b)
    width = max(len(above), len(below))
    return [(int(x), int(y)) for x, y in zip(above.zfill(width)[::-1], below.zfill(width)[::-1], strict=True)]


def _read_sum(line: str) -> list[str]:
    """Read `C` or `A + B = C`, as digits without separators."""
    left, equals, right = line.rpartition("=")
    parts = [*left.split("+"), right] if equals else [right]
    numbers = [answers.without_brackets(part).strip(" *_.") for part in parts]
    if len(numbers) not in {1, 3}:
        raise Unparseable(f"{answers.shown(line)} is neither a number nor an equation A + B = C")
    for number in numbers:
        if not (_DIGITS.fullmatch(number) or _GROUPED.fullmatch(number)):
            raise Unparseable(f"{answers.shown(number)} is not a whole number (separators group three digits from the right)")
    return [re.sub(r"[^0-9]", "", number) for number in numbers]
