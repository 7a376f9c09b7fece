"""From keyword arguments to a finished run; and the synchronous face over the asynchronous one.

`blocking` also works where an event loop is running already (a notebook, a request handler): the work then has a thread and a loop of
its own.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from reasoner.runs.runner import open_run

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from reasoner.api.progress import Bar
    from reasoner.api.settings import Settings
    from reasoner.runs.events import Event
    from reasoner.runs.plan import Plan
    from reasoner.runs.results import Report
    from reasoner.types import Client

R = TypeVar("R")


async def carry_out(plan: Plan, models: Sequence[str | Client], settings: Settings) -> Report:
    """Carry a plan out. Models are names (opened and closed here) or open clients (left open).

    Raises:
        ReasonerError: see `reasoner.errors`; the run is left resumable.
    """
    if settings.carrier is not None:
        await settings.carrier(plan, models, settings)
    with ExitStack() as stack:
        tell: Callable[[Event], None] | None = None
        bar: Bar | None = None
        if callable(settings.progress):
            tell = settings.progress
        elif settings.progress:
            from reasoner.api.progress import Bar  # noqa: PLC0415 - draws with rich, which is slow to load

            tell = bar = stack.enter_context(Bar())
        async with open_run(plan, models, settings.options, db=settings.db, pool=settings.pool, tell=tell) as run:
            if bar is not None:
                bar.follow(run)
            async for event in run:
                if tell is not None:
                    tell(event)
            return run.report


def blocking(work: Callable[[], Coroutine[Any, Any, R]]) -> R:
    """Run a coroutine to its end and return what it returns. An interrupt (Ctrl-C) ends it in good order: the run is parked."""
    return _in_a_thread(work) if _loop_is_running() else asyncio.run(work())


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _in_a_thread(work: Callable[[], Coroutine[Any, Any, R]]) -> R:
    ended: list[R | BaseException] = []
    loop = asyncio.new_event_loop()
    started: list[asyncio.Task[R]] = []
    known = threading.Event()
    """Set when the task is known, or there will be none."""

    async def body() -> R:
        task = asyncio.ensure_future(work())
        started.append(task)
        known.set()
        return await task

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                ended.append(runner.run(body()))
        except BaseException as error:  # noqa: BLE001 - handed on to whoever waits
            ended.append(error)
        finally:
            known.set()

    thread = threading.Thread(target=run, name="reasoner-run")
    thread.start()
    try:
        thread.join()
    except BaseException:  # an interrupt: the run is ended in good order first
        known.wait()
        with suppress(RuntimeError):  # it came to its end meanwhile, and its loop with it
            for task in started:
                loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise
    came = ended[0]
    if isinstance(came, BaseException):
        raise came
    return came
