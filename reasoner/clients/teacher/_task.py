"""What a writer is given: the problem, its exact solution, what the request is about; and what can be reached from a state.

    task.answer  ->  "Answer: 9 -> 10 -> 20"

Writers are functions of a `Task` alone, drawing from its seeded `rng`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from reasoner.errors import BadConfig
from reasoner.solver import Searchable, Solver
from reasoner.types import About, Move

NO_ANSWER = "Answer: none"
MAX_BLIND_DEPTH = 6
"""How deep the search for a problem without a solution is written down."""

MAX_EXPANDED = 300
"""States looked at before the question whether a goal can be reached is left open."""

AnyMove = Move[Any]


@dataclass(frozen=True, slots=True)
class Place:
    """An instance, compared by its line: instances need not be hashable."""

    line: str
    instance: Any = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Task:
    """What a writer is given: the problem with its solver, one shortest solution (None: there is none), and a seeded rng."""

    solver: Solver[Any]
    instance: Any
    solution: Sequence[AnyMove] | None
    about: About
    rng: random.Random

    @property
    def search(self) -> Searchable[Any, Any] | None:
        """The solver where the family can be searched, else None."""
        return self.solver if isinstance(self.solver, Searchable) else None

    @property
    def searched(self) -> Searchable[Any, Any]:
        """The solver, of a family that can be searched.

        Raises:
            BadConfig: the family has no search space.
        """
        if (search := self.search) is None:
            raise BadConfig(
                f"{self.solver.name} has no search space: no states and no moves", hint="use a strategy that needs none, such as cot"
            )
        return search

    @property
    def place(self) -> Place:
        """The instance as `reaches` wants it."""
        return Place(self.solver.format(self.instance), self.instance)

    @property
    def answer(self) -> str:
        """The answer line of the solution; where there is no search space, the right answer itself."""
        if (search := self.search) is None:
            return self.solver.right_answer(self.instance) or NO_ANSWER
        return NO_ANSWER if self.solution is None else search.answer(self.instance, self.solution)


Writer = Callable[[Task], str]


@lru_cache(maxsize=50_000)
def reaches(solver: Searchable[Any, Any], place: Place, state: Any, n_moves: int) -> bool | None:
    """Tell whether a goal can be reached from a state in at most n moves: exactly, or None where the search would grow too large."""
    instance = place.instance
    level, seen = [state], {state}
    n_expanded = 0
    for left in range(n_moves, -1, -1):
        if any(solver.is_goal(instance, found) for found in level):
            return True
        if not left:
            break
        further: list[Any] = []
        for found in level:
            n_expanded += 1
            if n_expanded > MAX_EXPANDED:
                return None
            new = [move.state for move in solver.moves(instance, found) if move.state not in seen]
            seen.update(new)
            further += new
        level = further
    return False
