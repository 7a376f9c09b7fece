"""Writers of the single calls of a tree search (`tot`): steps out of a state, what a state is worth, a vote, the answer.

    1: 9 -> 18 (9 * 2 = 18)
    2: 9 -> 10 (9 + 1 = 10)

A state is rated by an exact search over the moves that a shortest solution has left: `sure`, `impossible`, and `likely` where the search grows too
large. The state is found again by replaying the steps that the request names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reasoner.clients.teacher._task import MAX_BLIND_DEPTH, NO_ANSWER, reaches
from reasoner.layouts.outline import write_line
from reasoner.text import shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reasoner.clients.teacher._task import AnyMove, Task, Writer

MAX_SHOWN_CHARS = 500
"""As long as a strategy keeps a state's text."""

STUCK = "No legal step leads on from here."
_RANK = {"sure": 2, "likely": 1, "impossible": 0}


def _path(task: Task, steps: Sequence[Mapping[str, Any]]) -> list[AnyMove] | None:
    """Return the legal moves that the named steps stand for, None where there are none; the solution's own where they fit."""
    route = [move.state for move in task.solution or ()]
    found: list[AnyMove] = []
    search = task.searched
    state = search.start(task.instance)
    for depth, step in enumerate(steps):
        fitting = [m for m in search.moves(task.instance, state) if _shown(task, m.state) == step["state"]]
        named = [m for m in fitting if m.operation == step["operation"]] or fitting
        if not named:
            return None
        move = next((m for m in named if route[depth : depth + 1] == [m.state]), named[0])
        found.append(move)
        state = move.state
    return found


def _shown(task: Task, state: Any) -> str:
    return shorten(task.searched.show(task.instance, state), MAX_SHOWN_CHARS)


def _state(task: Task, path: Sequence[AnyMove]) -> Any:
    return path[-1].state if path else task.searched.start(task.instance)


def _rating(task: Task, path: Sequence[AnyMove] | None) -> str:
    """Say what the end of a path is worth."""
    if (search := task.search) is None:
        return "likely"
    if path is None or task.solution is None or len(path) > len(task.solution):
        return "impossible"
    if all(ours.state == theirs.state for ours, theirs in zip(path, task.solution, strict=False)):
        return "sure"
    found = reaches(search, task.place, _state(task, path), len(task.solution) - len(path))
    return "likely" if found is None else "sure" if found else "impossible"


def _good(task: Task, path: list[AnyMove], moves: Sequence[AnyMove]) -> list[AnyMove]:
    """Return the moves after which a goal is certainly in reach; the search ends at the first that takes too long."""
    found: list[AnyMove] = []
    for move in moves:
        rating = _rating(task, [*path, move])
        if rating == "sure":
            found.append(move)
        elif rating == "likely":
            onward = task.solution[len(path)].state if task.solution and len(path) < len(task.solution) else None
            return found or [m for m in moves if m.state == onward and _rating(task, [*path, m]) == "sure"]
    return found


def _steps_out(task: Task, n: int) -> str:
    """Write at most n legal steps; half of them, rounded up, lead towards a goal where as many do."""
    if (search := task.search) is None:
        return task.answer
    path = _path(task, task.about.params["steps"])
    limit = len(task.solution) if task.solution is not None else MAX_BLIND_DEPTH
    if path is None or len(path) >= limit:
        return STUCK
    before = _state(task, path)
    different: dict[str, AnyMove] = {}
    onward = task.solution[len(path)].state if task.solution else None
    for move in sorted(search.moves(task.instance, before), key=lambda m: m.state != onward):
        different.setdefault(_shown(task, move.state), move)
    moves = list(different.values())
    good = _good(task, path, moves)[: (n + 1) // 2]
    others = [move for move in moves if move not in good]
    shown = [*good, *task.rng.sample(others, min(len(others), n - len(good)))]
    task.rng.shuffle(shown)
    lines = [
        write_line((number,), (_shown(task, before), _shown(task, move.state)), move.operation)
        + (" (goal)" if search.is_goal(task.instance, move.state) else "")
        for number, move in enumerate(shown, start=1)
    ]
    return "\n".join(lines) or STUCK


def _propose(task: Task) -> str:
    return _steps_out(task, task.about.params["n_steps"])


def _sample(task: Task) -> str:
    return _steps_out(task, 1)


def _value(task: Task) -> str:
    path = _path(task, task.about.params["steps"]) if task.search else []
    return f"Value: {_rating(task, path)}"


def _vote(task: Task) -> str:
    options = task.about.params["options"]
    ratings = [_RANK[_rating(task, _path(task, option["steps"]) if task.search else [])] for option in options]
    return f"Best: {ratings.index(max(ratings)) + 1}"


def _answer(task: Task) -> str:
    """Write the answer along the named steps, finished where they stop short of a goal; none where they lead nowhere."""
    if (search := task.search) is None or task.solution is None:
        return task.answer
    path = _path(task, task.about.params["steps"])
    while path is not None and not search.is_goal(task.instance, _state(task, path)):
        n_done = len(path)
        if all(ours.state == theirs.state for ours, theirs in zip(path, task.solution, strict=False)):
            path = [*path, *task.solution[n_done:]]
        else:
            good = _good(task, path, search.moves(task.instance, _state(task, path)))
            path = [*path, good[0]] if good else None
        if path is not None and len(path) == n_done:
            path = None
    return NO_ANSWER if path is None else search.answer(task.instance, path)


def _guided(task: Task) -> str:
    """Choose the legal step that the solution takes next; done at its end, and where the steps taken have left it."""
    taken, options = task.about.params["taken"], task.about.params["options"]
    if (search := task.search) is None or task.solution is None or len(taken) >= len(task.solution):
        return "done"
    move = task.solution[len(taken)]
    told = f"{move.operation} -> {search.show(task.instance, move.state)}"
    return next((option for option in options if option in {move.operation, told}), "done")


WRITERS: dict[str, Writer] = {
    "guided/step": _guided,
    "tot/propose": _propose,
    "tot/sample": _sample,
    "tot/value": _value,
    "tot/vote": _vote,
    "tot/answer": _answer,
}
