"""The order in which a run that is resumed is gone through: what needs work first, what has ended after it.

    todo = unfinished_first(store, plan_order(), plan_order)

A run may have more trajectories than can be held: some are looked up at a time, and one byte is kept of each.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from reasoner.store.run_queries import ended_trajectories

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reasoner.runs.assemble import Task
    from reasoner.store import Store

LOOKED_UP = 500
"""Trajectories that are looked up at a time, whether they have ended."""


def unfinished_first(store: Store, tasks: Iterator[Task], again: Callable[[], Iterator[Task]]) -> Iterator[Task]:
    """Yield the tasks that need work, then the others, marked as ended.

    Args:
        store: where trajectories are looked up.
        tasks: the tasks in the plan's order.
        again: all tasks of the plan once more; only those that were among `tasks` and have ended are taken of them.
    """
    ended = bytearray()
    while some := list(islice(tasks, LOOKED_UP)):
        found = ended_trajectories(store, (task.row.id for task in some))
        ended.extend(bytes(some[-1].place + 1 - len(ended)))
        for task in some:
            if task.row.id in found:
                ended[task.place] = 1
            else:
                yield task
    yield from (replace(task, ended=True) for task in again() if task.place < len(ended) and ended[task.place])
