"""Several calls at once, with one rule for what happens to the others when one of them fails.

    first, second = await together([session.ask("tot/value"), session.ask("tot/value")])

Knows the error tree; knows no session and no strategy.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from reasoner.errors import BudgetExhausted, first_fault

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

T = TypeVar("T")


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Do several things at once and return what came of them, in the order given.

    Where the budget ends for some, the others still come to their end before that is raised: what was sent is paid for, and is kept. Any
    other fault cancels them.

    Raises:
        ReasonerError: the first fault, by whose fault it was (see `reasoner.errors.first_fault`).
    """
    ended: list[BudgetExhausted] = []
    done: dict[int, T] = {}

    async def one(place: int, coroutine: Coroutine[Any, Any, T]) -> None:
        try:
            done[place] = await coroutine
        except BudgetExhausted as exhausted:
            ended.append(exhausted)

    try:
        async with asyncio.TaskGroup() as group:
            for place, coroutine in enumerate(work):
                group.create_task(one(place, coroutine))
    except BaseExceptionGroup as faults:
        raise first_fault(faults) from faults
    if ended:
        raise ended[0]
    return [done[place] for place in range(len(done))]
