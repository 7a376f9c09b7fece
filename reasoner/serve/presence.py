"""Whether the client of a request is still there, answered at once from what the kernel knows of its socket.

The event loop learns of a closed connection in one of its next turns, and not at all while it reads nothing from it (a client that sent
more than one request). A call must not be begun for who has left meanwhile, so the socket itself is asked: a client has gone when its FIN
or RST is in our socket's queue. What is still on its way cannot be known.

    wanted = presence_of(request.scope)   # None under a server that is not ours
    wanted()  -> False once the client has gone
"""

from __future__ import annotations

import os
import select
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

PRESENCE = "reasoner.presence"
"""The ASGI extension that tells whether the client is there: a function without arguments."""
_ENDED = getattr(select, "POLLRDHUP", 0)


def has_hung_up(fileno: int) -> bool:
    """Tell whether the other end of a connected socket has closed it, or at least its sending half; nothing is read and nothing waited for."""
    if not _ENDED:
        return peeked_end(fileno)
    poll = select.poll()
    poll.register(fileno, _ENDED)  # errors and hang-ups are always told
    return bool(poll.poll(0))


def peeked_end(fileno: int) -> bool:
    """Tell the same by looking at the next byte, where the system has no POLLRDHUP; an end behind bytes that nobody has read is not seen."""
    with socket.socket(fileno=os.dup(fileno)) as same:
        try:
            return same.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True


def with_presence(app: ASGIApp, is_there: Callable[[], bool]) -> ASGIApp:
    """Return an application whose requests are told whether their client is there."""

    async def present(scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"] = {**scope.get("extensions", {}), PRESENCE: is_there}
        await app(scope, receive, send)

    return present


def presence_of(scope: Scope) -> Callable[[], bool] | None:
    """Return what tells whether the client of a request is there, None where the server does not say."""
    found: Any = scope.get("extensions", {}).get(PRESENCE)
    return found if callable(found) else None
