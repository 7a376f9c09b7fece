"""Giving shifts to people: one after the other, nobody two in a row, nobody more than they may, nobody when they are off; as cheap as can be.

A state holds the worker of each shift so far.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from solvers._schedule_task import Schedule

Given = tuple[int, ...]


def options(task: Schedule, state: Given) -> list[int]:
    """Return the workers who can have the next shift, in their order."""
    if len(state) == len(task.items):
        return []
    return [k for k in range(len(task.workers)) if not why_not(task, state, k)]


def why_not(task: Schedule, before: Sequence[int], k: int) -> str:
    """Say why a worker cannot have the next shift; empty: they can."""
    worker, shift = task.workers[k], task.items[len(before)].name
    if shift in worker.off:
        return f"{worker.name} is off on {shift}"
    if before and before[-1] == k:
        return f"{worker.name} works {task.items[len(before) - 1].name} and {shift}, which are two shifts in a row"
    if list(before).count(k) >= worker.most:
        return f"{worker.name} works more than {worker.most} shifts"
    return ""


def fault(task: Schedule, given: Sequence[int]) -> str:
    """Say which rule a whole rota breaks; empty: none."""
    return next((told for n, k in enumerate(given) if (told := why_not(task, given[:n], k))), "")


def pay(task: Schedule, given: Sequence[int]) -> int:
    """Return what the shifts cost together."""
    return sum(task.workers[k].pay for k in given)


@lru_cache(maxsize=512)
def best(task: Schedule) -> Given | None:
    """Return the cheapest rota, the first of them in the order of moves; None where there is none. Exact."""
    known: dict[tuple[int, int, tuple[int, ...]], tuple[int, Given] | None] = {}

    def cheapest(n: int, last: int, left: tuple[int, ...]) -> tuple[int, Given] | None:
        if n == len(task.items):
            return 0, ()
        key = (n, last, left)
        if key not in known:
            found: tuple[int, Given] | None = None
            for k, worker in enumerate(task.workers):
                if k == last or not left[k] or task.items[n].name in worker.off:
                    continue
                rest = cheapest(n + 1, k, (*left[:k], left[k] - 1, *left[k + 1 :]))
                if rest is not None and (found is None or rest[0] + worker.pay < found[0]):
                    found = (rest[0] + worker.pay, (k, *rest[1]))
            known[key] = found
        return known[key]

    made = cheapest(0, -1, tuple(worker.most for worker in task.workers))
    return None if made is None else made[1]
