"""Run a blocking function in a thread of its own, without making the program wait for it at its end.

The event loop's own pool has few threads and is waited for when the program ends: one function that never returns would keep both.

    await in_thread(function)
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def in_thread(function: Callable[[], T], *, name: str = "reasoner-tool") -> T:
    """Return what the function returns, or raise what it raises. A caller that is cancelled leaves the thread to end by itself."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def tell(result: T | None, fault: BaseException | None) -> None:
        if future.done():
            return
        if fault is not None:
            future.set_exception(fault)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # it is a T where there is no fault

    def work() -> None:
        result, fault = None, None
        try:
            result = context.run(function)
        except BaseException as error:  # noqa: BLE001 - it is raised again where the function is waited for
            fault = error
        try:
            loop.call_soon_threadsafe(tell, result, fault)
        except RuntimeError:
            return  # the loop has ended meanwhile: nobody waits any more

    threading.Thread(target=work, name=name, daemon=True).start()
    return await future
