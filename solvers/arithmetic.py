"""Arithmetic (3-to-N): merge three numbers into a goal in two steps, each with one of + - * /.

    "3 4 6 18"  ->  "Answer: 3 4 6 -> (3 * 4 = 12) -> 6 12 -> (6 + 12 = 18) -> 18"

Source: arXiv 2310.10686 (Arithmetic Puzzle).
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from reasoner.errors import Unparseable
from reasoner.solver import FanLayout, Outlook, Searchable
from reasoner.types import Move, Verdict
from solvers import _answer as answers
from solvers import _merging as merging
from solvers._instance import Numbers, read
from solvers._rational import rational, results, values

if TYPE_CHECKING:
    import random
    from collections.abc import Hashable, Mapping, Sequence

GOALS = (6, 8, 12, 16, 18, 24)
"""The goals of levels 1 and 2, as published."""
MAX_NUMBER = 12
_WIDE_MAX_NUMBER = 20
_WIDE_MAX_GOAL = 50
_EXAMPLES = ("2 5 8 -> (2 + 8 = 10) -> 5 10 -> (5 * 10 = 50) -> 50", "2 5 8 -> (8 / 2 = 4) -> 4 5 -> (4 * 5 = 20) -> 20")


class Arithmetic(Numbers):
    """Merge `a`, `b` and `c` into `goal`."""

    a: int = Field(ge=1, le=10_000)
    b: int = Field(ge=1, le=10_000)
    c: int = Field(ge=1, le=10_000)
    goal: int = Field(ge=1, le=10_000)


@cache
def _pool(level: int) -> tuple[Arithmetic, ...]:
    """Return every instance of a level, sorted."""
    found: list[Arithmetic] = []
    wide = level == 3
    goals = tuple(range(1, _WIDE_MAX_GOAL + 1)) if wide else GOALS
    for a, b, c in combinations_with_replacement(range(1, 1 + (_WIDE_MAX_NUMBER if wide else MAX_NUMBER)), 3):
        reached = _first_two_first(a, b, c) if level == 2 else values((rational(a), rational(b), rational(c)))
        found += [Arithmetic(a=a, b=b, c=c, goal=goal) for goal in goals if rational(goal) in reached]
    return tuple(found)


def _first_two_first(a: int, b: int, c: int) -> set[tuple[int, int]]:
    """Return the values of (a op b) op c and c op (a op b) alone, which is all the published generator looks at."""
    first = (rational(a + b), rational(a - b), rational(a * b), rational(a, b))
    return {value for merged in first for value in results(merged, rational(c))}


class ArithmeticSolver(Searchable[Arithmetic, merging.Numbers], FanLayout[Arithmetic, merging.Numbers]):
    """Three numbers, two operations, one goal."""

    name = "arithmetic"
    summary = "merge three numbers into a goal with two operations"
    syntax = "a b c goal, e.g. '3 4 6 18': make 18 from 3, 4 and 6"
    Instance = Arithmetic
    levels: ClassVar[Mapping[int, str]] = {
        1: "numbers 1..12, goals 6 8 12 16 18 24: all 755 solvable instances",
        2: "the 476 of them that the published generator keeps (a and b are merged first, in this order)",
        3: "numbers 1..20, goals 1..50",
    }
    default_level = 1

    def parse(self, line: str) -> Arithmetic:
        """Read `a b c goal`, each 1..10,000."""
        return read(self, Arithmetic, line)

    def format(self, instance: Arithmetic) -> str:
        """Write `a b c goal`."""
        return instance.line()

    def canonical(self, instance: Arithmetic) -> Hashable:
        """Return the sorted numbers and the goal: their order makes no other puzzle."""
        return (*sorted((instance.a, instance.b, instance.c)), instance.goal)

    def generate(self, rng: random.Random, level: int) -> Arithmetic:
        """Draw evenly from all instances of the level."""
        return rng.choice(_pool(level))

    def statement_variables(self, instance: Arithmetic) -> Mapping[str, Any]:
        """Return `numbers`, `goal` and a format `example` that does not solve the instance."""
        example = next(e for e in _EXAMPLES if not self.verify(instance, f"Answer: {e}").correct)
        return {"numbers": [instance.a, instance.b, instance.c], "goal": instance.goal, "example": example}

    def verify(self, instance: Arithmetic, text: str) -> Verdict:
        """Check the whole line: numbers, equation, numbers, equation, number; exact fractions."""
        try:
            pieces = answers.pieces(answers.without_remarks(answers.find(text)))
            lists = [merging.read_numbers(piece) for piece in pieces[0::2]]
            equations = [merging.read_equation(piece) for piece in pieces[1::2]]
        except Unparseable as error:
            return answers.unread(error.message)
        if len(pieces) != 5 or None in lists:
            bad = next((p for p, read_ in zip(pieces[0::2], lists, strict=True) if read_ is None), None)
            what = f"{answers.shown(bad)} is no list of numbers" if bad is not None else f"the answer has {len(pieces)} parts, not 5"
            return answers.unread(f"{what}; the form is: numbers -> (equation) -> numbers -> (equation) -> number")
        state = self.start(instance)
        if lists[0] != state:
            return answers.wrong(f"the answer starts from {answers.shown(pieces[0])}, not from {merging.show_numbers(state)}")
        for n, equation in enumerate(equations, start=1):
            after = equation if isinstance(equation, merging.Untrue) else merging.merge(state, equation)
            if isinstance(after, merging.Untrue):
                return answers.wrong(f"step {n}: {after.reason}")
            state = after
            if lists[n] != state:
                return answers.wrong(f"after step {n}: {answers.shown(pieces[2 * n])} is written, {merging.show_numbers(state)} is left")
        if not self.is_goal(instance, state):
            return answers.wrong(f"the result is {merging.show_numbers(state)}, not {instance.goal}")
        return answers.right(f"makes {instance.goal}")

    def start(self, instance: Arithmetic) -> merging.Numbers:
        """Return the three numbers, sorted."""
        return merging.numbers((instance.a, instance.b, instance.c))

    def moves(self, instance: Arithmetic, state: merging.Numbers) -> list[Move[merging.Numbers]]:  # noqa: ARG002 - the state says it all here
        """Return every merge of two numbers."""
        return merging.moves(state)

    def is_goal(self, instance: Arithmetic, state: merging.Numbers) -> bool:
        """Tell whether the one number left is the goal."""
        return merging.is_only(state, instance.goal)

    def show(self, instance: Arithmetic, state: merging.Numbers) -> str:  # noqa: ARG002 - the state says it all here
        """Write the numbers left."""
        return merging.show_numbers(state)

    def brief(self, instance: Arithmetic, state: merging.Numbers) -> str:  # noqa: ARG002 - the state says it all here
        """Write the numbers left, with commas."""
        return ",".join(map(str, state))

    def brief_move(self, instance: Arithmetic, state: merging.Numbers, move: Move[merging.Numbers]) -> str:  # noqa: ARG002 - the move says it all
        """Write the operation with its result, then the numbers that were left alone: `5+9=14,10`."""
        equation = "".join(move.operation.split())
        others = list(move.state)
        others.remove(Fraction(equation.partition("=")[2]))
        return ",".join([equation, *map(str, others)])

    def outlook(self, instance: Arithmetic, state: merging.Numbers) -> Outlook:
        """Hide fractions, zero and what is below it, which few puzzles need, and a last number far above the goal.

        Far is more than twice as much: a model that leaves out what is above the goal itself now and then leaves out the goal.
        """
        if any(value <= 0 or value.denominator != 1 for value in state):
            return "hidden"
        return "hidden" if len(state) == 1 and state[0] > 2 * instance.goal else "open"

    def answer(self, instance: Arithmetic, path: Sequence[Move[merging.Numbers]]) -> str:
        """Write states and equations in turn, with arrows between them."""
        steps = [f"({move.operation}) -> {merging.show_numbers(move.state)}" for move in path]
        return "Answer: " + " -> ".join([merging.show_numbers(self.start(instance)), *steps])

    def solve(self, instance: Arithmetic) -> list[Move[merging.Numbers]] | None:
        """Search exactly; every solution takes two moves."""
        return merging.solve(self.start(instance), instance.goal)
