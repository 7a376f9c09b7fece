"""Read the steps of a search as legal moves of its solver, so that exact code can say what a branch came to.

    path = moves_along(solver, instance, [("10", "9 + 1 = 10"), ("20", "")])   -> [Move("9 + 1 = 10", 10), Move("10 * 2 = 20", 20)]

A step is matched by its operation or by the state it shows. A step that names no legal move is unread, not wrong: it may merely be
written in another way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reasoner.layouts.outline import parse_chain, split_steps
from reasoner.text import answer_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reasoner.solver import Searchable
    from reasoner.types import Move

AnyMove = Any
MAX_STEPS = 64


def squeezed(text: str) -> str:
    """Return a state or an operation without the differences that do not matter: spaces and case."""
    return "".join(text.split()).lower()


class Moves:
    """The legal moves of one instance, looked up by what a model wrote. Moves of a state are worked out once."""

    def __init__(self, solver: Searchable[Any, Any], instance: Any) -> None:
        self.solver = solver
        self.instance = instance
        self.start = solver.start(instance)
        self._known: dict[Any, list[tuple[str, str, AnyMove]]] = {}

    def out_of(self, state: Any) -> list[tuple[str, str, AnyMove]]:
        """Return (operation, shown state, move) of every legal move, the first two squeezed."""
        if state not in self._known:
            moves = self.solver.moves(self.instance, state)
            self._known[state] = [(squeezed(m.operation), squeezed(self.solver.show(self.instance, m.state)), m) for m in moves]
        return self._known[state]

    def find(self, state: Any, *, shown: str, operation: str) -> AnyMove | None:
        """Return the legal move a step names, None when it names none or several that differ."""
        wanted, did = squeezed(shown), squeezed(operation)
        moves = self.out_of(state)
        if wanted:
            hits = [m for op, to, m in moves if to == wanted]
            exact = [m for op, to, m in moves if to == wanted and op == did]
            return (exact or hits or [None])[0]
        hits = [m for op, _, m in moves if did and op == did]
        return hits[0] if len(hits) == 1 else None

    def along(self, steps: Iterable[tuple[str, str]]) -> list[AnyMove] | None:
        """Return the moves of steps given as (shown state, operation), from the start; None when one cannot be read."""
        state = self.start
        path: list[AnyMove] = []
        for shown, operation in steps:
            move = self.find(state, shown=shown, operation=operation)
            if move is None or len(path) >= MAX_STEPS:
                return None
            path.append(move)
            state = move.state
        return path

    def in_text(self, text: str) -> list[AnyMove] | None:
        """Return the moves a whole reply writes down, step by step or as the chain of its answer; None when it cannot be read."""
        steps = [(s.state, s.operation) for s in split_steps(text) if s.state or s.operation]
        path = self.along(steps) if steps else None
        if path:
            return path
        chain = parse_chain(answer_line(text) or "")
        if len(chain) > 1 and squeezed(chain[0]) == squeezed(self.solver.show(self.instance, self.start)):
            return self.along((state, "") for state in chain[1:])
        return None

    def is_goal(self, path: Sequence[Move[Any]]) -> bool:
        """Tell whether a path of moves ends at a goal."""
        return self.solver.is_goal(self.instance, path[-1].state if path else self.start)

    def verifies(self, path: Sequence[Move[Any]]) -> bool:
        """Tell whether the verifier finds the answer of a path correct."""
        return bool(path) and bool(self.solver.verify(self.instance, self.solver.answer(self.instance, path)).correct)

    def is_over(self, path: Sequence[Move[Any]]) -> bool:
        """Tell whether a path has come to an end: no legal move goes on."""
        return not self.out_of(path[-1].state if path else self.start)
