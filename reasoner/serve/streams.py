"""A stream that stays alive while nothing comes.

Knows asynchronous iterators; no dialect.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

ALIVE = ": alive\n\n"
"""A comment: every reader of server-sent events skips it, and nothing between here and there takes the connection for dead."""


async def kept_alive(pieces: AsyncGenerator[str, None], *, every_s: float) -> AsyncGenerator[str, None]:
    """Pass pieces on, with a comment whenever none has come for so long; close them at the end."""
    waiting: asyncio.Future[str | None] | None = None
    try:
        while True:
            waiting = waiting or asyncio.ensure_future(_next(pieces))
            await asyncio.wait({waiting}, timeout=every_s)
            if not waiting.done():
                yield ALIVE
                continue
            piece, waiting = waiting.result(), None
            if piece is None:
                return
            yield piece
    finally:
        if waiting is not None:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        await pieces.aclose()


async def _next(pieces: AsyncGenerator[str, None]) -> str | None:
    return await anext(pieces, None)
