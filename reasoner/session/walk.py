"""A walk over the legal moves of a problem, for a strategy that is given the rules: what may come next, and the answer along what was taken.

    walk = Walk(solver, instance)
    walk.options()  ->  ["9 * 2 = 18", "9 + 1 = 10"]        walk.take("9 + 1 = 10"); walk.answer()  ->  "Answer: 9 -> 10"

It never tells whether the goal is reached, nor how far it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reasoner.solver import Searchable
    from reasoner.types import Move


class Walk:
    """Where a walk stands, and what it took."""

    def __init__(self, solver: Searchable[Any, Any], instance: Any) -> None:
        self._solver = solver
        self._instance = instance
        self._path: list[Move[Any]] = []
        self._state = solver.start(instance)

    @property
    def state(self) -> str:
        """The state as a model is shown it."""
        return self._solver.show(self._instance, self._state)

    def options(self) -> list[str]:
        """Return the legal moves in words, each on one line and no two alike; none where the walk cannot go on."""
        return list(self._moves())

    def take(self, option: str) -> None:
        """Go on by one of the options."""
        move = self._moves()[option]
        self._path.append(move)
        self._state = move.state

    def answer(self) -> str:
        """Return the answer line along the moves taken."""
        return self._solver.answer(self._instance, self._path)

    def _moves(self) -> dict[str, Move[Any]]:
        moves = self._solver.moves(self._instance, self._state)
        words = [move.operation for move in moves]
        return {
            word if words.count(word) == 1 else f"{word} -> {self._solver.show(self._instance, move.state)}": move
            for word, move in zip(words, moves, strict=True)
        }
