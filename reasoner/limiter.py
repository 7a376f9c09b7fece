"""Bound how many calls are under way at once.

Knows a number and an order (first come, first served). Does not know clients, retries, rates or money.

    limiter = Limiter(8)
    async with limiter:
        completion = await model.complete(request)
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from reasoner.errors import BadConfig


class Limiter:
    """At most `n` bodies at once, in the order they asked. A cancelled waiter or body gives its place back. One event loop each."""

    def __init__(self, n: int) -> None:
        if n < 1:
            raise BadConfig(f"a limiter for {n} calls would never let one through", hint="concurrency is at least 1")
        self.n = n
        self._places = asyncio.Semaphore(n)
        self._in_flight = 0

    @property
    def in_flight(self) -> int:
        """How many bodies are running now."""
        return self._in_flight

    async def __aenter__(self) -> Self:
        await self._places.acquire()
        self._in_flight += 1
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._in_flight -= 1
        self._places.release()
