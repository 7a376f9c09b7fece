"""Placing things in time: a move places one at the earliest moment that is free, so that every order of moves is one schedule, and one of them is the best.

Why the best is among them: take a best schedule, and place its items in the order they begin; each begins then no later than there.

A state holds the start of every item, NOT_YET for those that are not placed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from solvers._schedule_task import GRID

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from solvers._schedule_task import Schedule

NOT_YET = -1

Starts = tuple[int, ...]


def options(task: Schedule, state: Starts) -> list[tuple[int, int]]:
    """Return (item, start) for everything that can be placed next, in the order of the items."""
    found = []
    places = {item.name: k for k, item in enumerate(task.items)}
    for k, item in enumerate(task.items):
        before = places.get(item.after, -1)
        if state[k] != NOT_YET or (before >= 0 and state[before] == NOT_YET):
            continue
        start = _earliest(task, state, k, task.opens if before < 0 else max(task.opens, state[before] + task.items[before].length))
        if start + item.length <= task.closes:
            found.append((k, start))
    return found


def _earliest(task: Schedule, state: Starts, k: int, start: int) -> int:
    """Return the first moment from `start` on at which the item fits among those that are placed, and between busy times."""
    length, taken = task.items[k].length, sorted(_taken(task, state, k))
    for begin, end in taken:
        if begin < start + length and start < end:
            start = end
    return start


def _taken(task: Schedule, state: Starts, k: int) -> Iterator[tuple[int, int]]:
    """Yield the spans in which somebody or something that an item needs is not free."""
    needs = set(task.items[k].needs)
    for other, item in enumerate(task.items):
        if other != k and state[other] != NOT_YET and needs & set(item.needs):
            yield state[other], state[other] + item.length
    for who, begin, end in _busy(task):
        if who in needs:
            yield begin, end


@lru_cache(maxsize=256)
def _busy(task: Schedule) -> tuple[tuple[str, int, int], ...]:
    return task.busy_minutes()


def place(state: Starts, k: int, start: int) -> Starts:
    """Return the state with an item placed."""
    return (*state[:k], start, *state[k + 1 :])


def ends(task: Schedule, state: Sequence[int]) -> int:
    """Return when the last item that is placed ends."""
    return max((start + item.length for start, item in zip(state, task.items, strict=True) if start != NOT_YET), default=task.opens)


def fault(task: Schedule, starts: Sequence[int]) -> str:
    """Say which rule a whole schedule breaks; empty: none."""
    places = {item.name: k for k, item in enumerate(task.items)}
    for k, item in enumerate(task.items):
        start, end = starts[k], starts[k] + item.length
        if task.kind == "meetings" and (start < task.opens or end > task.closes or start % GRID):
            return f"{item.name} is from {task.written(start)} to {task.written(end)}, and should be between {task.hours[0]} and {task.hours[1]}, on a half hour"
        if item.after and starts[places[item.after]] + task.items[places[item.after]].length > start:
            return f"{item.name} begins at {task.written(start)}, before {item.after} has ended"
        for who, begin, until in _busy(task):
            if who in item.needs and begin < end and start < until:
                return f"{who} is busy from {task.written(begin)} to {task.written(until)}, when {item.name} is at {task.written(start)}"
        for other in range(k):
            shared = sorted(set(item.needs) & set(task.items[other].needs))
            if shared and starts[other] < end and start < starts[other] + task.items[other].length:
                return f"{shared[0]} is needed for {task.items[other].name} and {item.name} at once"
    return ""


@lru_cache(maxsize=512)
def best(task: Schedule) -> Starts | None:
    """Return the schedule that ends first, the first of them in the order of moves; None where there is none. Branch and bound, exact."""
    found: tuple[int, Starts | None] = (task.closes + 1, None)
    seen: set[Starts] = set()

    def search(state: Starts) -> None:
        nonlocal found
        if NOT_YET not in state:
            if (end := ends(task, state)) < found[0]:
                found = (end, state)
            return
        if state in seen:
            return
        seen.add(state)
        possible = options(task, state)
        least = max([ends(task, state), *(start + _tail(task)[k] for k, start in possible)])
        if least >= found[0] or not possible:
            return
        for k, start in possible:
            search(place(state, k, start))

    search((NOT_YET,) * len(task.items))
    return found[1]


@lru_cache(maxsize=256)
def _tail(task: Schedule) -> tuple[int, ...]:
    """Return how long an item and all that must follow it take at least."""
    tails = [item.length for item in task.items]
    for k in range(len(task.items) - 1, -1, -1):
        followers = [tails[n] for n, item in enumerate(task.items) if item.after == task.items[k].name]
        tails[k] = task.items[k].length + max(followers, default=0)
    return tuple(tails)


def order(task: Schedule, starts: Starts) -> list[tuple[int, int]]:
    """Return moves (item, start) that lead to a schedule that `best` has found."""
    state: Starts = (NOT_YET,) * len(task.items)
    steps: list[tuple[int, int]] = []
    while NOT_YET in state:
        k, start = min((each for each in options(task, state) if starts[each[0]] == each[1]), key=lambda each: (each[1], each[0]))
        steps.append((k, start))
        state = place(state, k, start)
    return steps
