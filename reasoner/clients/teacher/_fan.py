"""Writers of the fan layout (`ats:layout=fan`, `cot:format=fan`): everything a line says follows from what is written above it.

    3 5: 10 6
    2 10: 20 11
    2 6: 12 7            and so on, until one state reaches the goal

The other writers show the solution among a few moves drawn at random, which a model cannot learn to predict. This search is exhaustive and
deterministic: each new state is written once, in the order of `moves`, until the goal is met. The last level leaves out only the states of
earlier levels: none of its own is expanded, so duplicates within it do no harm. `reasoner.solver.FanLayout` says how a family's states are written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reasoner.clients.teacher._task import MAX_BLIND_DEPTH, NO_ANSWER
from reasoner.layouts.fan import BEST, DEAD, GOAL, write_goal, write_line
from reasoner.solver import FanLayout

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from reasoner.clients.teacher._task import AnyMove, Task, Writer
    from reasoner.solver import Searchable

MAX_STATES = 120
"""States after which a search is given up, and says so: a longer one is more than a small model can learn. Most of `game24` is given up."""

GAVE_UP = "No line reached the goal."


class _AsShown(FanLayout[Any, Any]):
    """The layout of a family that says nothing about it: every state as `show` writes it."""

    def __init__(self, solver: Searchable[Any, Any]) -> None:
        self._solver = solver

    def show(self, instance: Any, state: Any) -> str:
        return self._solver.show(instance, state)


class _Fan:
    """One search, growing line by line."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.solver = task.searched
        self.layout: FanLayout[Any, Any] = self.solver if isinstance(self.solver, FanLayout) else _AsShown(self.solver)
        self.depth = len(task.solution) if task.solution else MAX_BLIND_DEPTH
        self.lines: list[str] = []
        self.n_states = 0
        self.best: tuple[int, tuple[AnyMove, ...]] | None = None
        start = self.solver.start(task.instance)
        self.seen: set[Hashable] = {self.place(start)} - {None}
        self.root: tuple[tuple[str, ...], tuple[AnyMove, ...], Any] = ((), (), start)

    def word(self, state: Any, move: AnyMove) -> str:
        """Write a move from a state with where it leads to as one word."""
        return _one_word(self.layout.brief_move(self.task.instance, state, move))

    def words(self, moves: Sequence[AnyMove]) -> list[str]:
        """Write moves one after the other, from the start."""
        states = [self.root[2], *(move.state for move in moves)]
        return [self.word(state, move) for state, move in zip(states, moves, strict=False)]

    def line(self, path: tuple[str, ...], words: Sequence[str]) -> str:
        """Write the line of a way."""
        start = _one_word(self.layout.brief(self.task.instance, self.root[2]))
        return write_line(self.depth - len(path) - 1, path or (start,), words)

    def place(self, state: Any) -> Hashable:
        return self.layout.place(self.task.instance, state)

    def expand(self, path: tuple[str, ...], moves: tuple[AnyMove, ...], state: Any) -> tuple[list[Any], tuple[AnyMove, ...] | None]:
        """Write a state's line; return the states to expand next, and the moves to the goal if it was met."""
        instance, solver, layout, words, further = self.task.instance, self.solver, self.layout, [], []
        reached: tuple[AnyMove, ...] | None = None
        last = len(path) + 1 == self.depth
        for move in solver.moves(instance, state):
            word, place = self.word(state, move), self.place(move.state)
            outlook = layout.outlook(instance, move.state)
            if outlook == "hidden" or place in self.seen:
                continue
            if not last and place is not None:
                self.seen.add(place)
            taken = (*moves, move)
            self.n_states += 1
            cost = layout.cost(instance, move.state) if last else None
            if cost is not None:
                words.append(self.rated(word, cost, taken))
            elif solver.is_goal(instance, move.state):
                words.append(word + GOAL)
                reached = taken
                break
            elif not last and outlook == "dead":
                words.append(word + DEAD)
            else:
                words.append(word)
                further += [] if last else [((*path, word), taken, move.state)]
        self.lines.append(self.line(path, words))
        return further, reached

    def rated(self, word: str, cost: int, moves: tuple[AnyMove, ...]) -> str:
        """Hold a final state against the least cost so far, write down the less of both, and mark it if that is new: `...=60~66=60!`."""
        before = self.best[0] if self.best else None
        better = before is None or cost < before
        if better:
            self.best = (cost, moves)
        compared = "" if before is None else f"{BEST}{before}={min(cost, before)}"
        return word + compared + GOAL * better

    def text(self, moves: Sequence[AnyMove] | None) -> str:
        """Return all lines with the answer below them; a search without a goal says so."""
        if moves is None:
            return "\n".join([*self.lines, GAVE_UP, NO_ANSWER])
        goal = write_goal(self.words(moves))
        return "\n".join([*self.lines, goal, self.solver.answer(self.task.instance, moves)])


def _one_word(text: str) -> str:
    return "".join("," if c.isspace() or c in ">:" else c for c in text)


def _search(task: Task, *, breadth_first: bool) -> str:
    if task.search is None:
        return task.answer
    fan = _Fan(task)
    waiting = [fan.root]
    while waiting and fan.n_states < MAX_STATES:
        path, moves, state = waiting.pop(0)
        further, reached = fan.expand(path, moves, state)
        if reached is not None:
            return fan.text(reached)
        waiting = [*waiting, *further] if breadth_first else [*further, *waiting]
    return fan.text(fan.best[1] if fan.best and not waiting else None)


def breadth_first(task: Task) -> str:
    """Write a search level by level."""
    return _search(task, breadth_first=True)


def depth_first(task: Task) -> str:
    """Write a search that follows each path to its end before it goes back."""
    return _search(task, breadth_first=False)


def chain(task: Task) -> str:
    """Write the lines of the solution alone, each with the one state that it goes to."""
    if task.search is None:
        return task.answer
    if task.solution is None:
        return f"{GAVE_UP}\n{NO_ANSWER}"
    fan = _Fan(task)
    words = tuple(fan.words(task.solution))
    lines = [fan.line(words[:n], [word]) for n, word in enumerate(words)]
    return "\n".join([*lines, task.answer])


WRITERS: dict[str, Writer] = {"ats/fan_bfs": breadth_first, "ats/fan_dfs": depth_first, "cot/fan": chain}
