"""The events of one run, drawn by a task of its own.

Whoever answers a request may be cancelled at every await once its client has gone (the framework cancels again and again until it is out), and
a run cannot be parked like that: calls under way have to be closed and the run has to be left in good order. So the run belongs to a task that
is cancelled once, and is waited for.

    feed = Feed(executor.run(order), feeds)
    async for event in feed: ...
    await feed.aclose()        # parks what is not finished; safe to call twice

Knows tasks; does not know what an event is.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Generic, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

E = TypeVar("E")


class Feeds:
    """All feeds of one server, so that none is lost when it stops."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, task: asyncio.Task[None]) -> None:
        """Keep a feed's task until it has ended."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Park what is left and wait until everything is."""
        for task in self._tasks:
            task.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)


class Feed(Generic[E]):
    """The events of one run, in order."""

    def __init__(self, events: AsyncGenerator[E, None], feeds: Feeds) -> None:
        """Begin to draw events."""
        self._queue: asyncio.Queue[E | BaseException | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._draw(events))
        feeds.add(self._task)

    async def _draw(self, events: AsyncGenerator[E, None]) -> None:
        end: BaseException | None = None
        try:
            async with aclosing(events):
                async for event in events:
                    self._queue.put_nowait(event)
        except asyncio.CancelledError:
            return  # nobody reads on
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever reads the events, and is raised there
            end = error
        finally:
            self._queue.put_nowait(end)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E:
        event = await self._queue.get()
        if event is None:
            raise StopAsyncIteration
        if isinstance(event, BaseException):
            raise event
        return event

    async def aclose(self) -> None:
        """Park what is not finished, and wait until it is."""
        self._task.cancel()
        await asyncio.shield(asyncio.wait({self._task}))
