"""Game of 24: merge four numbers into 24, using each exactly once, with + - * /.

    "4 9 10 13"  ->  "Answer: (10 - 4) * (13 - 9) = 24"

Source: arXiv 2305.10601 (Game of 24).
"""

from __future__ import annotations

import re
from functools import cache
from itertools import combinations_with_replacement, pairwise
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from reasoner.constraint import Constraint
from reasoner.errors import Unparseable
from reasoner.grading.expression import Undefined, evaluate
from reasoner.solver import Searchable
from reasoner.types import Move, Verdict
from solvers import _answer as answers
from solvers import _merging as merging
from solvers._instance import Numbers, read
from solvers._rational import n_ways, rational

if TYPE_CHECKING:
    import random
    from collections.abc import Hashable, Mapping, Sequence

GOAL = 24
MAX_NUMBER = 13
N_LEVELS = 5
_EXAMPLES = ("(2 + 6) * (5 - 2) = 24", "(1 + 7) * 9 / 3 = 24")
_SEPARATOR = re.compile(r"->|[,;]")


class Game24(Numbers):
    """Make 24 from four cards."""

    a: int = Field(ge=1, le=MAX_NUMBER)
    b: int = Field(ge=1, le=MAX_NUMBER)
    c: int = Field(ge=1, le=MAX_NUMBER)
    d: int = Field(ge=1, le=MAX_NUMBER)


@cache
def _pools() -> tuple[tuple[Game24, ...], ...]:
    """Return the solvable instances in five parts, from the most to the fewest ways to solve them; the first counts as level 1."""
    ways: dict[tuple[int, ...], int] = {}
    for cards in combinations_with_replacement(range(1, MAX_NUMBER + 1), 4):
        if n := n_ways(tuple(map(rational, cards)), rational(GOAL)):
            ways[cards] = n
    ranked = sorted(ways, key=lambda cards: (-ways[cards], cards))
    cuts = [len(ranked) * level // N_LEVELS for level in range(N_LEVELS + 1)]
    return tuple(tuple(Game24(a=a, b=b, c=c, d=d) for a, b, c, d in ranked[low:high]) for low, high in pairwise(cuts))


class Game24Solver(Searchable[Game24, merging.Numbers]):
    """Four numbers, three operations, 24."""

    name = "game24"
    summary = "make 24 from four numbers, using each exactly once"
    syntax = "a b c d, e.g. '4 9 10 13': make 24 from numbers of 1..13"
    Instance = Game24
    levels: ClassVar[Mapping[int, str]] = {
        1: "the fifth of all 1,362 solvable instances that has the most winning sequences of merges",
        2: "the second fifth",
        3: "the middle fifth",
        4: "the fourth fifth",
        5: "the fifth with the fewest winning sequences",
    }
    default_level = 3

    def parse(self, line: str) -> Game24:
        """Read `a b c d`, each 1..13; the instance need not be solvable."""
        return read(self, Game24, line)

    def format(self, instance: Game24) -> str:
        """Write `a b c d`."""
        return instance.line()

    def canonical(self, instance: Game24) -> Hashable:
        """Return the sorted numbers: their order makes no other puzzle."""
        return tuple(sorted(instance.numbers()))

    def generate(self, rng: random.Random, level: int) -> Game24:
        """Draw evenly from the solvable instances of the level; ranking them all takes under a second, once per process."""
        return rng.choice(_pools()[level - 1])

    def statement_variables(self, instance: Game24) -> Mapping[str, Any]:
        """Return `numbers` and a format `example` that does not solve the instance."""
        example = next(e for e in _EXAMPLES if not self.verify(instance, f"Answer: {e}").correct)
        return {"numbers": list(instance.numbers()), "example": example}

    def verify(self, instance: Game24, text: str) -> Verdict:
        """Check one expression that uses every number once and is worth 24, or a chain of equations that ends at 24."""
        try:
            line = answers.without_remarks(answers.find(text))
            if _SEPARATOR.search(line):
                return self._verify_chain(instance, [piece.strip() for piece in _SEPARATOR.split(line)])
            return self._verify_expression(instance, line)
        except Undefined as error:
            return answers.wrong(error.message)
        except Unparseable as error:
            return answers.unread(error.message)

    def start(self, instance: Game24) -> merging.Numbers:
        """Return the four numbers, sorted."""
        return merging.numbers(instance.numbers())

    def moves(self, instance: Game24, state: merging.Numbers) -> list[Move[merging.Numbers]]:  # noqa: ARG002 - the state says it all here
        """Return every merge of two numbers."""
        return merging.moves(state)

    def is_goal(self, instance: Game24, state: merging.Numbers) -> bool:  # noqa: ARG002 - the goal is 24 for all
        """Tell whether the one number left is 24."""
        return merging.is_only(state, GOAL)

    def show(self, instance: Game24, state: merging.Numbers) -> str:  # noqa: ARG002 - the state says it all here
        """Write the numbers left."""
        return merging.show_numbers(state)

    def answer(self, instance: Game24, path: Sequence[Move[merging.Numbers]]) -> str:
        """Write the path as one expression."""
        return f"Answer: {merging.expression(self.start(instance), [move.operation for move in path])} = {GOAL}"

    def answer_constraint(self, instance: Game24) -> Constraint:  # noqa: ARG002 - the same for all
        """Return the pattern of an expression of four numbers that is said to make 24."""
        return Constraint.regex(r"Answer: [0-9(][0-9+*/() -]{6,60} = 24", after_thought=True)

    def solve(self, instance: Game24) -> list[Move[merging.Numbers]] | None:
        """Search exactly; every solution takes three moves."""
        return merging.solve(self.start(instance), GOAL)

    def _verify_expression(self, instance: Game24, line: str) -> Verdict:
        """Check `expression`, `expression = 24` or `expression = ... = 24`: equals everywhere, each number once in the first."""
        sides = line.split("=")
        first = evaluate(sides[0])
        used, given = sorted(first.literals), self.start(instance)
        if tuple(used) != given:
            return answers.wrong(f"the expression uses {merging.show_numbers(tuple(used))}, not {merging.show_numbers(given)}")
        for side in sides:
            value = evaluate(side).value
            if value != GOAL:
                return answers.wrong(f"{answers.shown(side.strip())} is {merging.show_number(value)}, not {GOAL}")
        return answers.right(f"each number is used once and makes {GOAL}")

    def _verify_chain(self, instance: Game24, pieces: list[str]) -> Verdict:
        """Check equations in turn; lists of numbers between them may be left out, and must be right where they are written."""
        state = self.start(instance)
        for n, piece in enumerate(pieces, start=1):
            if "=" not in piece:
                listed = merging.read_numbers(piece)
                if listed is None:
                    return answers.unread(f"{answers.shown(piece)} is neither an equation nor a list of numbers")
                if listed != state:
                    return answers.wrong(f"part {n}: {answers.shown(piece)} is written, {merging.show_numbers(state)} is left")
                continue
            equation = merging.read_equation(piece)
            after = equation if isinstance(equation, merging.Untrue) else merging.merge(state, equation)
            if isinstance(after, merging.Untrue):
                return answers.wrong(f"part {n}: {after.reason}")
            state = after
        if not self.is_goal(instance, state):
            return answers.wrong(f"{merging.show_numbers(state)} is left at the end, not {GOAL}")
        return answers.right(f"each number is used once and makes {GOAL}")
