"""Minimal Grass: factor each of three numbers as x * y in turn, and keep (sum of x) * (sum of y) as small as possible.

    "12 7 6"  ->  "Answer: 12 = 1 * 12, 7 = 1 * 7, 6 = 1 * 6 -> 3 * 25 = 75"

Source: arXiv 2310.10686 (Minimal Grass Puzzle).
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic import Field

from reasoner.errors import Unparseable
from reasoner.solver import FanLayout, Outlook, Searchable
from reasoner.types import Move, Verdict
from solvers import _answer as answers
from solvers._instance import Numbers, read

if TYPE_CHECKING:
    import random
    from collections.abc import Hashable, Iterable, Mapping, Sequence

_MAX_NUMBERS = {1: 16, 2: 40, 3: 100}
_EXAMPLES = ("4 = 2 * 2, 9 = 3 * 3, 8 = 2 * 4 -> 7 * 9 = 63", "3 = 1 * 3, 4 = 1 * 4, 2 = 1 * 2 -> 3 * 9 = 27")
_SEPARATOR = re.compile(r"->|[,;]")
_PRODUCT = re.compile(r"([0-9]{1,9})\s*[*xX]\s*([0-9]{1,9})")
_WHOLE = re.compile(r"[0-9]{1,9}")
_NAMES = re.compile(r"[A-Za-z]+(?:\s*\*\s*[A-Za-z]+)?")


class MinimalGrass(Numbers):
    """Factor `p`, `q` and `r`."""

    p: int = Field(ge=1, le=1000)
    q: int = Field(ge=1, le=1000)
    r: int = Field(ge=1, le=1000)


class Sums(NamedTuple):
    """How many numbers are factored, the sums so far, and whether some x was above its y."""

    n_factored: int
    x: int
    y: int
    turned: bool = False


@cache
def divisor_pairs(number: int) -> tuple[tuple[int, int], ...]:
    """Return every (x, y) with x * y == number, by rising x."""
    return tuple((x, number // x) for x in range(1, number + 1) if number % x == 0)


@lru_cache(maxsize=1 << 14)
def minimum(numbers: tuple[int, ...]) -> int:
    """Return the smallest product of the two sums; ask with sorted numbers, the order makes no difference."""
    sums = {(0, 0)}
    for number in numbers:
        sums = {(x + dx, y + dy) for x, y in sums for dx, dy in divisor_pairs(number)}
    return min(x * y for x, y in sums)


def trivial_split_share(instances: Iterable[MinimalGrass]) -> float:
    """Return the share of instances that x = 1 for all (or y = 1 for all) solves: the score a fixed habit gets without any search.

    Raises:
        ZeroDivisionError: there are no instances.
    """
    hits = [3 * sum(each.numbers()) == _least(each) for each in instances]
    return sum(hits) / len(hits)


def _least(instance: MinimalGrass) -> int:
    return minimum(tuple(sorted(instance.numbers())))


class MinimalGrassSolver(Searchable[MinimalGrass, Sums], FanLayout[MinimalGrass, Sums]):
    """Three factorisations, two sums, one product."""

    name = "minimal_grass"
    summary = "factor three numbers so that the product of the two sums of factors is smallest"
    syntax = "p q r, e.g. '12 7 6': factor 12, 7 and 6"
    Instance = MinimalGrass
    levels: ClassVar[Mapping[int, str]] = {level: f"numbers 2..{most}" for level, most in _MAX_NUMBERS.items()}
    default_level = 1

    def parse(self, line: str) -> MinimalGrass:
        """Read `p q r`, each 1..1,000."""
        return read(self, MinimalGrass, line)

    def format(self, instance: MinimalGrass) -> str:
        """Write `p q r`."""
        return instance.line()

    def canonical(self, instance: MinimalGrass) -> Hashable:
        """Return the sorted numbers: their order makes no other puzzle."""
        return tuple(sorted(instance.numbers()))

    def generate(self, rng: random.Random, level: int) -> MinimalGrass:
        """Draw three numbers, each evenly and on its own."""
        p, q, r = (rng.randint(2, _MAX_NUMBERS[level]) for _ in range(3))
        return MinimalGrass(p=p, q=q, r=r)

    def statement_variables(self, instance: MinimalGrass) -> Mapping[str, Any]:
        """Return `numbers` and a format `example` that does not solve the instance."""
        example = next(e for e in _EXAMPLES if not self.verify(instance, f"Answer: {e}").correct)
        return {"numbers": list(instance.numbers()), "example": example}

    def verify(self, instance: MinimalGrass, text: str) -> Verdict:
        """Check every factorisation in order, both sums, their product, and that no product is smaller."""
        try:
            line = answers.find(text)
            equations = [_read_equation(piece) for piece in _SEPARATOR.split(line)]
        except Unparseable as error:
            return answers.unread(error.message)
        numbers = instance.numbers()
        if len(equations) == 1 and not equations[0].factors:
            same = "the minimum" if equations[0].value == _least(instance) else "a value"
            return answers.wrong(f"{equations[0].value} is {same}, but the factorisations are not shown")
        if len(equations) != len(numbers) + 1:
            return answers.wrong(f"{len(equations)} equations were written, not {len(numbers)} factorisations and one product")
        total = Sums(0, 0, 0)
        for n, (number, equation) in enumerate(zip(numbers, equations[:-1], strict=True), start=1):
            if equation.value != number:
                return answers.wrong(f"factorisation {n} is of {equation.value}, not of {number}")
            if len(equation.factors) != 2 or equation.factors[0] * equation.factors[1] != number:
                return answers.wrong(f"{number} is not {equation.words}")
            total = Sums(n, total.x + equation.factors[0], total.y + equation.factors[1])
        return self._verify_product(instance, total, equations[-1])

    def start(self, instance: MinimalGrass) -> Sums:  # noqa: ARG002 - all start alike
        """Return both sums at zero."""
        return Sums(0, 0, 0)

    def moves(self, instance: MinimalGrass, state: Sums) -> list[Move[Sums]]:
        """Return every factorisation of the next number, by rising x."""
        numbers = instance.numbers()
        if state.n_factored >= len(numbers):
            return []
        number = numbers[state.n_factored]
        n, sum_x, sum_y, turned = state
        return [Move(f"{number} = {x} * {y}", Sums(n + 1, sum_x + x, sum_y + y, turned or x > y)) for x, y in divisor_pairs(number)]

    def is_goal(self, instance: MinimalGrass, state: Sums) -> bool:
        """Tell whether all numbers are factored and no other product of sums is smaller."""
        return state.n_factored == len(instance.numbers()) and state.x * state.y == _least(instance)

    def show(self, instance: MinimalGrass, state: Sums) -> str:
        """Write both sums and the numbers still to factor."""
        left = instance.numbers()[state.n_factored :]
        return f"X={state.x} Y={state.y}" + (f" left {' '.join(map(str, left))}" if left else "")

    def brief(self, instance: MinimalGrass, state: Sums) -> str:
        """Write both sums; before anything is factored, the numbers."""
        if not state.n_factored:
            return ",".join(map(str, instance.numbers()))
        return f"{state.x},{state.y}"

    def brief_move(self, instance: MinimalGrass, state: Sums, move: Move[Sums]) -> str:
        """Write both factors, the sum of x, how that of y is worked out, and in the end their product: `1*6=3,19+6=25*3=75`."""
        factors = "".join(move.operation.partition("=")[2].split())
        sum_x, sum_y = move.state.x, move.state.y
        added = f"{state.y}+{sum_y - state.y}=" if state.n_factored else ""
        product = f"*{sum_x}={sum_x * sum_y}" if move.state.n_factored == len(instance.numbers()) else ""
        return f"{factors}={sum_x},{added}{sum_y}{product}"

    def outlook(self, instance: MinimalGrass, state: Sums) -> Outlook:  # noqa: ARG002 - the state says it all here
        """Hide factorisations with x above y.

        All factors together have one sum however they are turned, and of two sums that make up a third the product is least where one
        is as small as can be: where x takes the smaller factor of every number.
        """
        return "hidden" if state.turned else "open"

    def place(self, instance: MinimalGrass, state: Sums) -> Hashable:  # noqa: ARG002 - the same of every state
        """Return None: few sums come about in two ways, and a model that has to notice them leaves out others."""
        return None

    def cost(self, instance: MinimalGrass, state: Sums) -> int | None:  # noqa: ARG002 - the state says it all here
        """Return the product of the sums, which is to be least."""
        return state.x * state.y

    def answer(self, instance: MinimalGrass, path: Sequence[Move[Sums]]) -> str:
        """Write the factorisations in order, then the product of the sums."""
        end = path[-1].state if path else self.start(instance)
        return f"Answer: {', '.join(move.operation for move in path)} -> {end.x} * {end.y} = {end.x * end.y}"

    def solve(self, instance: MinimalGrass) -> list[Move[Sums]] | None:
        """Return the first best path in the order of `moves`; there always is one."""
        best = _least(instance)
        paths: list[list[Move[Sums]]] = [[]]
        for _ in instance.numbers():
            longer: dict[Hashable, list[Move[Sums]]] = {}
            for path in paths:
                for move in self.moves(instance, path[-1].state if path else self.start(instance)):
                    # Sums only grow, so a product above the minimum never comes down again.
                    if move.state.x * move.state.y <= best:
                        longer.setdefault(move.state[:3], [*path, move])
            paths = list(longer.values())
        return next(path for path in paths if self.is_goal(instance, path[-1].state))

    def _verify_product(self, instance: MinimalGrass, total: Sums, product: _Equation) -> Verdict:
        if sorted(product.factors) != sorted((total.x, total.y)):
            return answers.wrong(f"the sums are {total.x} and {total.y}, the product is written as {product.words}")
        if product.value != total.x * total.y:
            return answers.wrong(f"{total.x} * {total.y} is {total.x * total.y}, not {product.value}")
        if product.value != (least := _least(instance)):
            return answers.wrong(f"{product.value} is not the smallest product, {least} is possible")
        return answers.right(f"{least} is the smallest product")


class _Equation(NamedTuple):
    """`value = x * y`, or a value alone (no factors); `words` is the product as it was written."""

    value: int
    factors: tuple[int, ...]
    words: str


def _read_equation(text: str) -> _Equation:
    """Read `12 = 3 * 4`, `3 * 4 = 12`, or a number alone (`84`, `ans = 84`)."""
    sides = [side.strip(" *_.,") for side in answers.without_brackets(answers.without_remarks(text)).split("=")]
    while len(sides) > 1 and _NAMES.fullmatch(sides[0]):  # the sums by name: `X * Y = 6 * 14 = 84`
        del sides[0]
    if len(sides) == 1 and _WHOLE.fullmatch(sides[0]):
        return _Equation(int(sides[0]), (), sides[0])
    for value, product in (sides, sides[::-1]) if len(sides) == 2 else ():
        match = _PRODUCT.fullmatch(product)
        if match and _WHOLE.fullmatch(value):
            return _Equation(int(value), (int(match[1]), int(match[2])), product)
    raise Unparseable(f"{answers.shown(text)} is no equation like 12 = 3 * 4")
